//! A PostgreSQL cluster of its own for as long as it is needed, with `fsync` on.
//!
//! It listens on a socket in its own directory and nowhere else. PostgreSQL is Debian's package; without it nothing here
//! works, and says so.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// A running cluster; dropping it stops it and removes its files.
pub struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    databases: AtomicU32,
}

impl Cluster {
    /// # Panics
    ///
    /// When PostgreSQL is not installed or does not start: it is for tests.
    pub fn start() -> Self {
        let cluster = Self {
            directory: tempfile::tempdir().expect("a temporary folder"),
            programs: programs(),
            databases: AtomicU32::new(0),
        };
        if let Some((user, group)) = owner() {
            chown(cluster.directory.path(), Some(user), Some(group)).expect("a folder for the user postgres");
        }
        // Only the making of the empty cluster goes without syncs.
        let data = cluster.data();
        run(cluster
            .program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=vidimus", "-E", "UTF8", "-D"])
            .arg(data));
        cluster.resume();
        cluster
    }

    pub fn resume(&self) {
        self.launch("-c listen_addresses=");
    }

    fn launch(&self, options: &str) {
        let options = format!(
            "{options} -c unix_socket_directories={}",
            self.directory.path().display()
        );
        let log = self.directory.path().join("log");
        run(self.control().args(["-w", "-o", &options, "-l"]).arg(log).arg("start"));
    }

    pub fn stop(&self) {
        run(self.control().args(["-w", "-m", "immediate", "stop"]));
    }

    /// The URL of a database of that name, which need not exist.
    pub fn url(&self, name: &str) -> String {
        let socket = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://vidimus@{socket}/{name}")
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("database{}", self.databases.fetch_add(1, Ordering::Relaxed));
        execute(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Starts it again with a certificate for `localhost`, so that connections to the port it tells must be within TLS.
    pub fn serve_tls(&self) -> u16 {
        self.stop();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=x",
        ]);
        openssl.args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        run(openssl
            .arg("-keyout")
            .arg(self.data().join("server.key"))
            .arg("-out")
            .arg(self.certificate())
            .stderr(Stdio::null()));
        if let Some((user, group)) = owner() {
            for file in [self.data().join("server.key"), self.certificate()] {
                chown(file, Some(user), Some(group)).unwrap();
            }
        }
        fs::write(
            self.data().join("pg_hba.conf"),
            "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
        )
        .unwrap();
        let settings = self.data().join("postgresql.auto.conf");
        fs::write(
            settings,
            format!("ssl = on\nlisten_addresses = '127.0.0.1'\nport = {port}\n"),
        )
        .unwrap();
        self.launch("");
        port
    }

    pub fn certificate(&self) -> PathBuf {
        self.data().join("server.crt")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn control(&self) -> Command {
        let mut command = self.program("pg_ctl");
        command.arg("-D").arg(self.data());
        command
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = owner() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self
            .control()
            .args(["-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Runs SQL in a database of a cluster; what a query returned, a row a line.
///
/// # Panics
///
/// When the statement fails.
pub fn execute(url: &str, sql: &str) -> Vec<String> {
    let mut psql = Command::new(programs().join("psql"));
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--command", sql, url])
        .current_dir("/")
        .stdin(Stdio::null());
    let output = psql.output().expect("psql runs");
    assert!(
        output.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Where Debian puts the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions
        .map(|version| version.path().join("bin"))
        .filter(|path| path.join("initdb").exists())
        .max();
    found.expect("PostgreSQL is needed: install Debian's package `postgresql`")
}

/// The user and group to become when this is root.
fn owner() -> Option<(u32, u32)> {
    let own = fs::metadata("/proc/self").expect("a Linux with /proc");
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == "postgres")
        .expect("there is no user postgres: install Debian's package `postgresql`");
    let number = |at: usize| fields.get(at)?.parse().ok();
    number(2).zip(number(3))
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
