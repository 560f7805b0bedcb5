//! A database, a configuration, and nodes that can be killed.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use client::{Solver, solver::HttpStandalone};
use testbed::{
    dns::{self, Dns},
    postgres::{self, Cluster},
};

use crate::gate::Gate;

pub struct World {
    folder: tempfile::TempDir,
    database: String,
    pub gate: Gate,
    /// Where validations by http-01 arrive.
    pub solver: Arc<dyn Solver>,
    http_port: u16,
    dns: dns::Running,
    _cluster: Cluster,
}

impl World {
    /// What `vidimus init` writes, for a directory whose URL is the gate's.
    pub async fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let cluster = Cluster::start();
        let solver = HttpStandalone::listen("127.0.0.1:0").await.unwrap();
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            database: cluster.database(),
            gate: Gate::open().await,
            http_port: solver.address().port(),
            solver: Arc::new(solver),
            dns: Dns::start(([127, 0, 0, 1], 0).into(), None).await.unwrap(),
            _cluster: cluster,
        };
        let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["init", "--external-url", &world.origin(), "--dir"])
            .arg(world.folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        world
    }

    /// What every URL begins with.
    pub fn origin(&self) -> String {
        format!("https://{}", self.gate.address)
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// `vidimus serve`, ready. One of the same name as an earlier one takes its place: addresses, folder and all.
    pub fn node(&self, name: &str) -> Node {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vidimus"));
        command.args(["serve", "--config"]);
        self.start(name, command, &[])
    }

    /// A node that kills itself at the n-th point, of which there are two at each commit and each signature.
    pub fn node_with_bomb(&self, name: &str, point: u64) -> Node {
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().and_then(Path::parent).unwrap();
        let command = Command::new(folder.join("examples/crash_server"));
        let signed = self.signed_file().display().to_string();
        self.start(name, command, &[&point.to_string(), &signed])
    }

    /// The serials that nodes with bombs have signed, in hexadecimal.
    pub fn signed(&self) -> Vec<String> {
        let signed = fs::read_to_string(self.signed_file()).unwrap_or_default();
        signed.lines().map(str::to_owned).collect()
    }

    /// What a query finds in the database, a row a line.
    pub fn query(&self, sql: &str) -> Vec<String> {
        postgres::execute(&self.database, sql)
    }

    /// The answer to a query for a number.
    pub fn count(&self, sql: &str) -> u64 {
        self.query(sql)[0].parse().unwrap()
    }

    fn signed_file(&self) -> PathBuf {
        self.folder.path().join("signed-serials")
    }

    fn start(&self, name: &str, mut command: Command, more: &[&str]) -> Node {
        let (file, address) = self.configure(name);
        let mut child = command
            .arg(file)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("what serves is built with the tests");
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let ready = lines.next().unwrap_or_default();
        // Whatever else it prints is read, so that it can go on printing.
        std::thread::spawn(move || lines.count());
        let node = Node { address, child };
        assert_eq!(
            ready,
            format!("ready {}/directory", self.origin()),
            "{name} did not start"
        );
        node
    }

    /// The common configuration with what each node has for itself.
    fn configure(&self, name: &str) -> (PathBuf, SocketAddr) {
        let file = self.folder.path().join(format!("{name}.toml"));
        if let Ok(known) = fs::read_to_string(&file) {
            let known: toml::Table = known.parse().unwrap();
            return (file, known["server"]["listen"].as_str().unwrap().parse().unwrap());
        }
        let common = fs::read_to_string(self.folder.path().join("vidimus.toml")).unwrap();
        let mut config: toml::Table = common.parse().unwrap();
        let address = free_address();
        let mut set = |section: &str, key: &str, value: toml::Value| {
            config[section].as_table_mut().unwrap().insert(key.into(), value);
        };
        set("server", "listen", address.to_string().into());
        set("server", "peer", free_address().to_string().into());
        set("server", "state", name.into());
        set("server", "lease", "1s".into());
        set("admin", "listen", "127.0.0.1:0".into());
        set("database", "url", self.database.clone().into());
        set("validation", "http_port", i64::from(self.http_port).into());
        set("validation", "resolvers", vec![self.dns.dns_addr.to_string()].into());
        set("validation", "allow_networks", vec!["127.0.0.0/8"].into());
        fs::write(&file, config.to_string()).unwrap();
        (file, address)
    }
}

/// A running server process.
pub struct Node {
    pub address: SocketAddr,
    child: Child,
}

impl Node {
    /// SIGKILL; it is gone when this returns.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and an orderly end.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// For one that kills itself.
    pub fn wait_for_its_end(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
