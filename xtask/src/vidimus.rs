//! The product's binary, started as a user would.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{run::Outcome, target};

/// A server that runs until this is dropped.
pub struct Running {
    pub directory: String,
    /// From start to `ready`.
    pub start: Duration,
    dir: PathBuf,
    child: Child,
    // Kept open: a server that prints into a closed pipe would end.
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    /// `vidimus dev` on free ports in an empty folder below the target directory.
    pub fn dev(http_port: u16, dns: &str) -> Outcome<Self> {
        let dir = target().join("bench-dev");
        // It may not be there; if it cannot be removed, the next line says so.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let mut command = Command::new(binary("vidimus"));
        command.args([
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--no-first-certificate",
            "--dir",
        ]);
        command.arg(&dir).args([
            "--http-port",
            &http_port.to_string(),
            "--dns",
            dns,
            "--challtestsrv",
            "127.0.0.1:0",
        ]);
        Self::start(command, dir)
    }

    /// `vidimus serve` with the configuration that a `dev` that has ended left in its folder, changed.
    pub fn serve(self, change: impl FnOnce(&str) -> String) -> Outcome<Self> {
        let dir = self.dir.clone();
        drop(self);
        let file = dir.join("vidimus.toml");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        fs::write(&file, change(&text)).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut command = Command::new(binary("vidimus"));
        command.args(["serve", "--config"]).arg(file);
        Self::start(command, dir)
    }

    /// Waits until it serves.
    fn start(mut command: Command, dir: PathBuf) -> Outcome<Self> {
        let log = dir.join("stderr.log");
        let stderr = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let begin = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("vidimus cannot be started: {error}"))?;
        let mut stdout = BufReader::new(child.stdout.take().expect("invariant: it was asked to be piped"));
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|len| len > 0) {
            if let Some(url) = line.trim().strip_prefix("ready ") {
                let directory = url.to_owned();
                return Ok(Self {
                    directory,
                    start: begin.elapsed(),
                    dir,
                    child,
                    _stdout: stdout,
                });
            }
            line.clear();
        }
        // It closed its output: it has ended, or will be ended.
        let _ = child.kill();
        let _ = child.wait();
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(format!("vidimus ended before it was ready: {}", said.trim_end()))
    }

    pub fn ca_bundle(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now.
    pub fn rss_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A PostgreSQL cluster that runs until this is dropped.
pub struct Cluster {
    /// Of an empty database.
    pub url: String,
    child: Child,
}

impl Cluster {
    pub fn start() -> Outcome<Self> {
        let mut child = Command::new(binary("cluster"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cluster cannot be started: {error}"))?;
        let mut url = String::new();
        let stdout = child.stdout.take().expect("invariant: it was asked to be piped");
        match BufReader::new(stdout).read_line(&mut url) {
            Ok(len) if len > 0 => Ok(Self {
                url: url.trim().to_owned(),
                child,
            }),
            _ => {
                let _ = child.wait();
                Err("PostgreSQL did not start".to_owned())
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its input's end is its sign.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A program that `cargo build --release` made.
pub fn binary(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// A port on which nobody listened a moment ago.
pub fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let addr = listener.and_then(|listener| listener.local_addr());
    addr.map(|addr| addr.port())
        .map_err(|error| format!("no free port: {error}"))
}
