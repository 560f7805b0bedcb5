//! Debian's Unbound in front of the tree: it follows aliases from zone to zone, remembers nothing and validates nothing,
//! which is left to whoever asks.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::tree::{Tree, ZONES, answers, free_address, program};

pub struct Recursor {
    pub address: SocketAddr,
    server: Child,
}

impl Recursor {
    pub fn before(tree: &Tree) -> Self {
        for _ in 0..5 {
            let address = free_address();
            let config = tree.folder().join("unbound.conf");
            fs::write(&config, configuration(tree, address)).unwrap();
            let log = fs::File::create(tree.folder().join("unbound.log")).unwrap();
            let mut server = Command::new(program("unbound"))
                .arg("-d")
                .arg("-c")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            for _ in 0..1500 {
                if server.try_wait().unwrap().is_some() {
                    break;
                }
                if answers(address, "secure.test") {
                    return Self { address, server };
                }
                sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!(
            "unbound does not serve: {}",
            fs::read_to_string(tree.folder().join("unbound.log")).unwrap()
        );
    }
}

impl Drop for Recursor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// It knows no other zone, so nothing leaves the machine.
fn configuration(tree: &Tree, address: SocketAddr) -> String {
    let stubs: String = ZONES
        .iter()
        .map(|zone| {
            let (name, ip, port) = (zone.trim_matches('.'), tree.address.ip(), tree.address.port());
            format!("stub-zone:\n  name: \"{name}.\"\n  stub-addr: {ip}@{port}\n")
        })
        .collect();
    let (ip, port, folder) = (address.ip(), address.port(), tree.folder().display());
    format!(
        "server:\n  interface: {ip}@{port}\n  access-control: 127.0.0.0/8 allow\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{folder}\"\n  pidfile: \"{folder}/unbound.pid\"\n  use-syslog: no\n  num-threads: 1\n  \
         do-not-query-localhost: no\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  local-zone: \"test.\" transparent\n\
         remote-control:\n  control-enable: no\n{stubs}"
    )
}
