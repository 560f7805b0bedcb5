//! A server for one test, a folder for one client, and ways to run it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub struct World {
    folder: tempfile::TempDir,
    server: Child,
    directory: String,
    control: String,
    pub http_port: u16,
    pub tls_port: u16,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [http_port, tls_port] = free_ports();
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args([
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--challtestsrv",
                "127.0.0.1:0",
            ])
            .args([
                "--no-first-certificate",
                "--http-port",
                &http_port.to_string(),
                "--tls-port",
                &tls_port.to_string(),
            ])
            .arg("--dir")
            .arg(folder.path().join("ca"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut value = |name: &str| {
            let line = lines.find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("the server printed no {name:?}"))[name.len()..]
                .trim()
                .to_owned()
        };
        let (directory, control) = (value("ready"), value("challtestsrv"));
        // Whatever else it prints is read, so that it can go on printing.
        std::thread::spawn(move || lines.count());
        Self {
            folder,
            server,
            directory,
            control,
            http_port,
            tls_port,
        }
    }

    pub fn certbot(&self, certbot: &Path, arguments: &[&str]) {
        let port = self.http_port.to_string();
        let mut command = Command::new(certbot);
        command
            .args(arguments)
            .args(["--non-interactive", "--server", &self.directory]);
        command.args(["--config-dir", "config", "--work-dir", "work", "--logs-dir", "logs"]);
        if arguments.first() == Some(&"certonly") {
            command.args(["--http-01-port", &port, "--agree-tos", "-m", "you@example.test"]);
        }
        self.run(command.env("REQUESTS_CA_BUNDLE", self.root()));
    }

    pub fn lego(&self, arguments: &[&str]) {
        self.lego_with(&[], arguments);
    }

    pub fn lego_with(&self, environment: &[(&str, &str)], arguments: &[&str]) {
        let mut command = Command::new(program("lego"));
        command.args([
            "--path",
            "lego",
            "--server",
            &self.directory,
            "-m",
            "you@example.test",
            "--accept-tos",
        ]);
        command
            .args(arguments)
            .arg("run")
            .env("LEGO_CA_CERTIFICATES", self.root());
        self.run(command.envs(environment.iter().copied()));
    }

    pub fn uacme(&self, arguments: &[&str]) {
        // It has no option for a private root: for it alone, ours is the machine's list.
        let with_our_root = "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", with_our_root, "sh"]);
        command.arg(self.root()).arg(program("uacme"));
        self.run(command.args(["-c", "uacme", "-a", &self.directory]).args(arguments));
    }

    pub fn dehydrated(&self, well_known: &str, name: &str) {
        let config = format!(
            "CA={}\nBASEDIR=dehydrated\nWELLKNOWN={well_known}\nCURL_OPTS=\"--cacert {}\"\nCONTACT_EMAIL=you@example.test\n",
            self.directory,
            self.root().display()
        );
        fs::create_dir_all(self.folder.path().join("dehydrated")).unwrap();
        fs::write(self.folder.path().join("dehydrated.conf"), config).unwrap();
        let dehydrated = || Command::new(program("dehydrated"));
        self.run(dehydrated().args(["--config", "dehydrated.conf", "--register", "--accept-terms"]));
        self.run(dehydrated().args(["--config", "dehydrated.conf", "--cron", "--domain", name]));
    }

    /// `vidimus` with the options every request to the server needs.
    pub fn vidimus(&self, arguments: &[&str]) {
        let root = self.root();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vidimus"));
        command
            .args(arguments)
            .args(["--dir", "own", "--server", &self.directory, "--ca-bundle"])
            .arg(root);
        self.run(&mut command);
    }

    /// `vidimus` on what its folder knows already.
    pub fn vidimus_here(&self, arguments: &[&str]) {
        self.run(
            Command::new(env!("CARGO_BIN_EXE_vidimus"))
                .args(arguments)
                .args(["--dir", "own"]),
        );
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(file)).unwrap()
    }

    /// An executable script that knows where the DNS is scripted.
    pub fn script(&self, name: &str, body: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nCONTROL={}\n{body}\n", self.control)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A folder that is served on the validation port, with the challenge folder in it.
    pub fn serve_webroot(&self) -> String {
        let root = self.folder.path().join("www");
        fs::create_dir_all(root.join(".well-known/acme-challenge")).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", self.http_port)).unwrap();
        let served = root.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve_file(stream, &served);
            }
        });
        root.to_str().unwrap().to_owned()
    }

    /// A second opinion on the chain, and a copy for the linters.
    pub fn keep(&self, certificate: &str, chain: &str) {
        let certificate = self.folder.path().join(certificate);
        let verified = Command::new(program("openssl"))
            .args(["verify", "-x509_strict", "-CAfile"])
            .arg(self.root())
            .arg("-untrusted")
            .arg(self.folder.path().join(chain))
            .arg(&certificate)
            .status()
            .unwrap();
        assert!(verified.success(), "openssl does not verify {}", certificate.display());
        let issued = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("issued");
        fs::create_dir_all(&issued).unwrap();
        let serial = Command::new(program("openssl"))
            .args(["x509", "-noout", "-serial", "-in"])
            .arg(&certificate)
            .output()
            .unwrap();
        let serial = String::from_utf8(serial.stdout).unwrap();
        fs::copy(
            &certificate,
            issued.join(format!("{}.pem", serial.trim().trim_start_matches("serial="))),
        )
        .unwrap();
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("ca/root.pem")
    }

    fn run(&self, command: &mut Command) {
        let output = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{command:?} failed\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A program from Debian.
pub fn program(name: &str) -> PathBuf {
    let found = ["/usr/bin", "/bin", "/usr/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: cargo xtask test installs it (apt-get install {name})"))
}

/// A program from the Python environment of the test command.
pub fn python_program(name: &str) -> PathBuf {
    let bin = std::env::var_os("VIDIMUS_PYTHON_BIN").map(PathBuf::from);
    let bin = bin.unwrap_or_else(|| {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .unwrap()
            .join("tools/python/bin")
    });
    let path = bin.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo xtask test python installs it",
        path.display()
    );
    path
}

fn serve_file(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 && head.len() < 8192 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
    match fs::read(root.join(path)) {
        Ok(body) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body)
        }
        Err(_) => write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    }
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap().port())
}
