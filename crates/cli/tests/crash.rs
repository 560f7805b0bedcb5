//! kill -9 at every commit and every signature: nothing unknown, nothing stuck, nothing twice.
//!
//! The server under test is `examples/crash_server.rs`, composed as `vidimus serve` composes it. For each point it is
//! started with a bomb at that point, a client asks for a certificate, and whenever the server is gone it is started
//! again without one. The client goes on as any client does that sees a connection break.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use client::{
    Account, Csr, Directory, Identifier, KeyType, Order, Registration, RetryPolicy, Solver, SystemClock, Transport,
    TransportSettings, Trust, silent, solver::HttpStandalone,
};
use rusqlite::{Connection, OpenFlags};
use testbed::dns::Dns;

// 8555-7.4-14, 8555-7.4-16, t22, t23
#[tokio::test(flavor = "multi_thread")]
async fn whatever_point_a_server_is_killed_at_its_client_gets_one_certificate_and_every_signature_is_known() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let world = World::new().await;
    let mut points = 0;
    loop {
        points += 1;
        let crashed = world.issue_with_bomb_at(points).await;
        world.check(points);
        if !crashed {
            break;
        }
        assert!(points < 100, "an issuance has no hundred points");
    }
    // newAccount, newOrder, challenge, PLAN, COMPLETE: two points each; two for the signature.
    assert!(points > 10, "only {points} points: is the bomb in its place?");
}

struct World {
    folder: tempfile::TempDir,
    solver: Arc<dyn Solver>,
    directory: String,
    _dns: testbed::dns::Running,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dns = Dns::start(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let solver = HttpStandalone::listen("127.0.0.1:0").await.unwrap();
        let listen = free_address();
        let made = Command::new(sibling("vidimus"))
            .args(["init", "--listen", &listen.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let file = folder.path().join("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let validation = config["validation"].as_table_mut().unwrap();
        validation.insert("http_port".into(), i64::from(solver.address().port()).into());
        validation.insert("resolvers".into(), vec![dns.dns_addr.to_string()].into());
        validation.insert("allow_networks".into(), vec!["127.0.0.0/8"].into());
        config["admin"]
            .as_table_mut()
            .unwrap()
            .insert("listen".into(), "127.0.0.1:0".into());
        fs::write(&file, config.to_string()).unwrap();
        Self {
            folder,
            solver: Arc::new(solver),
            directory: format!("https://{listen}/directory"),
            _dns: dns,
        }
    }

    /// Whether the bomb went off.
    async fn issue_with_bomb_at(&self, point: u64) -> bool {
        let server = Arc::new(Supervised::start(self.folder.path(), point));
        let watching = server.clone();
        let supervisor = tokio::task::spawn_blocking(move || watching.keep_running());
        let issued = tokio::time::timeout(Duration::from_secs(60), self.issue(point)).await;
        server.stop();
        let crashed = supervisor.await.unwrap();
        match issued {
            Ok(Ok(())) => crashed,
            Ok(Err(error)) => panic!("point {point}: {error}"),
            Err(_) => panic!("point {point}: the client still waits"),
        }
    }

    async fn issue(&self, point: u64) -> Result<(), client::Error> {
        let trust = Trust::Bundle(self.folder.path().join("root.pem"));
        let transport = Transport::new(TransportSettings {
            trust,
            ..Default::default()
        })
        .unwrap();
        let policy = RetryPolicy {
            attempts: 40,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_millis(200),
            ..Default::default()
        };
        let directory = Directory::new(&self.directory, transport, policy, Arc::new(SystemClock));
        let key = Arc::new(jose::SigningKey::generate(jose::Algorithm::Es256).unwrap());
        let account = Account::create(&directory, key, &Registration::default()).await?;
        let names = [Identifier::from_wire(&acme::Identifier::dns(format!("point-{point}.example.test"))).unwrap()];
        let mut order = Order::create(&account, &names, Default::default()).await?;
        order.solve(std::slice::from_ref(&self.solver), &silent()).await?;
        let csr = Csr::new(&KeyType::default().generate(), &names).unwrap();
        order.finalize(&csr).await?;
        let (chain, _) = order.download(None).await?;
        assert_eq!(chain.leaf().spki_der(), csr.spki_der());
        Ok(())
    }

    /// What must be true of the files that a process left behind.
    fn check(&self, point: u64) {
        let database =
            Connection::open_with_flags(self.folder.path().join("vidimus.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let database = database.unwrap();
        let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let signed = fs::read_to_string(self.folder.path().join("signed")).unwrap_or_default();
        let signed: BTreeSet<&str> = signed.lines().collect();
        let mut rows = database.prepare("SELECT lower(hex(serial)) FROM certificates").unwrap();
        let known: BTreeSet<String> = rows
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let known: BTreeSet<&str> = known.iter().map(|serial| serial.trim_start_matches("00")).collect();
        for serial in &signed {
            assert!(
                known.contains(serial.trim_start_matches("00")),
                "point {point}: {serial} was signed and is not known"
            );
        }
        assert_eq!(
            count("SELECT count(*) FROM certificates WHERE state = 'planned'"),
            0,
            "point {point}: stuck"
        );
        let twice =
            count("SELECT count(*) FROM (SELECT key >> 20 FROM certificates GROUP BY key >> 20 HAVING count(*) > 1)");
        assert_eq!(twice, 0, "point {point}: twice");
        assert_eq!(
            count("SELECT count(*) FROM certificates"),
            point as i64,
            "one certificate for each client"
        );
        assert_eq!(
            signed.len() as i64,
            point as i64,
            "as many serials were signed as there are certificates"
        );
    }
}

/// A server that is started again when it dies, until it is told to stop.
struct Supervised {
    folder: PathBuf,
    stopping: AtomicBool,
    child: std::sync::Mutex<Child>,
}

impl Supervised {
    fn start(folder: &Path, point: u64) -> Self {
        let child = std::sync::Mutex::new(start(folder, point));
        Self {
            folder: folder.to_owned(),
            stopping: AtomicBool::new(false),
            child,
        }
    }

    /// Returns when the server was stopped: whether it had died before.
    fn keep_running(&self) -> bool {
        let mut died = false;
        loop {
            // Waiting without the lock, so that a stop can get at the process.
            let ended = self.child.lock().unwrap().try_wait().unwrap();
            match ended {
                Some(_) if self.stopping.load(SeqCst) => return died,
                Some(_) => {
                    died = true;
                    *self.child.lock().unwrap() = start(&self.folder, 0);
                }
                None => std::thread::park_timeout(Duration::from_millis(5)),
            }
        }
    }

    fn stop(&self) {
        self.stopping.store(true, SeqCst);
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Starts the server and waits until it says that it is ready, or is gone.
fn start(folder: &Path, point: u64) -> Child {
    let mut child = Command::new(sibling("examples/crash_server"))
        .arg(folder.join("vidimus.toml"))
        .arg(point.to_string())
        .arg(folder.join("signed"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the crash server is built with the tests");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("ready"), "the server did not start: {line:?}");
    child
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A program built beside this test.
fn sibling(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join(name)
}
