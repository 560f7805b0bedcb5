//! A PostgreSQL cluster of its own for as long as it is needed, with `fsync` on.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

pub struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    databases: AtomicU32,
}

impl Cluster {
    /// Listens on a socket in its own directory and nowhere else.
    pub fn start() -> Self {
        let cluster = Self {
            directory: tempfile::tempdir().unwrap(),
            programs: programs(),
            databases: AtomicU32::new(0),
        };
        if let Some((user, group)) = owner() {
            chown(cluster.directory.path(), Some(user), Some(group)).unwrap();
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
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={}",
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
    pub async fn database(&self) -> String {
        let name = format!("rule{}", self.databases.fetch_add(1, Ordering::Relaxed));
        execute(&self.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
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

pub async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
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
    if fs::metadata("/proc/self")
        .map(|own| std::os::unix::fs::MetadataExt::uid(&own))
        .unwrap()
        != 0
    {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == "postgres");
    let fields = fields.expect("there is no user postgres: install Debian's package `postgresql`");
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
