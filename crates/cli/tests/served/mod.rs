//! An authority as `vidimus init` makes it and `vidimus serve` runs it, gone with the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

pub struct Served {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    server: Child,
}

impl Served {
    /// Serves once `settle` has changed what `init` wrote. The admin listener is out of everybody's way.
    pub fn start(settle: impl Fn(&mut toml::Table)) -> Self {
        for _ in 0..10 {
            if let Some(served) = Self::start_at(free_address(), &settle) {
                return served;
            }
        }
        panic!("the server does not start; it says why above");
    }

    /// `None` where the port was taken since it was found free.
    fn start_at(address: SocketAddr, settle: &impl Fn(&mut toml::Table)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["init", "--listen", &address.to_string()])
            .args(["--external-url", &format!("https://{address}"), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let file = folder.path().join("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        config.extend("admin = { listen = \"127.0.0.1:0\" }".parse::<toml::Table>().unwrap());
        settle(&mut config);
        fs::write(&file, config.to_string()).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["serve", "--config"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        if !lines.next().is_some_and(|line| line.starts_with("ready ")) {
            server.wait().unwrap();
            return None;
        }
        std::thread::spawn(move || lines.count());
        Some(Self {
            folder,
            address,
            server,
        })
    }

    pub fn directory(&self) -> String {
        format!("https://{}/directory", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
