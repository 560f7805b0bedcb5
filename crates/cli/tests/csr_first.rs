//! A directory before an authority that begins with the CSR: a real server, the example's program as back end, our client.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use jose::{Algorithm, SigningKey};
use serde_json::Value;
use testbed::dns::Dns;

// LCSR-1, LCSR-2, LCSR-5, LCSR-6
#[tokio::test(flavor = "multi_thread")]
async fn our_client_sends_its_csr_first_and_the_back_end_signs_only_that() {
    let world = World::new().await;
    let _server = world.serve();
    let directory = world.directory_object();
    assert_eq!(directory["meta"]["newOrderCsrRequired"], true);
    assert_eq!(directory["meta"]["newOrderCsrMatch"], "identical");
    world.issues();
    let calls = world.calls();
    let steps: Vec<_> = calls.iter().map(|call| call["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["submit", "issue"]);
    assert_eq!(calls[0]["csrSha256"], calls[1]["csrSha256"]);
    assert_eq!(world.of_back_end("csr.sha256"), 1);
}

// LCSR-3
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_stops_with_the_flag_and_the_ordinary_directory_before_its_eyes() {
    let world = World::new().await;
    let _server = world.serve();
    let mut lego = Command::new("lego");
    lego.args([
        "--path",
        "lego",
        "--server",
        &world.directory(),
        "-m",
        "you@example.test",
        "--accept-tos",
    ]);
    lego.args([
        "--http",
        "--http.port",
        &format!("127.0.0.1:{}", world.http_port),
        "-d",
        "a.example.test",
        "run",
    ]);
    lego.env("LEGO_CA_CERTIFICATES", world.file("ca/root.pem"));
    let output = world.run(&mut lego);
    assert!(!output.status.success());
    let said = said(&output);
    for part in [
        "newOrderCsrRequired",
        "errors/csrRequired",
        "https://ordinary.example/directory",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!fs::exists(world.file("legacy/calls.log")).unwrap());
    // The problem type is a page for whoever opens it.
    let page = format!("https://{}/errors/csrRequired", world.listen);
    let page = world.run(Command::new("curl").args(["-s", "--cacert", "ca/root.pem", &page]));
    assert!(String::from_utf8_lossy(&page.stdout).contains("https://ordinary.example/directory"));
}

// LCSR-9
#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_server_is_killed_while_the_back_end_works_there_is_one_certificate_for_one_csr() {
    for step in ["issue", "submit"] {
        let world = World::new().await;
        let mut server = world.serve();
        fs::write(world.file("kill"), step).unwrap();
        let mut client = world
            .client()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program has ended its caller, without an answer.
        server.0.wait().unwrap();
        let _server = world.serve();
        if !client.wait().unwrap().success() {
            world.issues();
        }
        let calls = world.calls();
        let of = |step: &str| {
            calls
                .iter()
                .filter(|call| call["step"] == step)
                .cloned()
                .collect::<Vec<_>>()
        };
        let (submitted, issued) = (of("submit"), of("issue"));
        assert!(
            submitted
                .iter()
                .chain(&issued)
                .all(|call| call["csrSha256"] == submitted[0]["csrSha256"]),
            "{calls:?}"
        );
        match step {
            "issue" => assert_eq!((submitted.len(), issued.len()), (1, 2), "{calls:?}"),
            _ => assert_eq!((submitted.len(), issued.len()), (2, 1), "{calls:?}"),
        }
        assert!(issued.iter().all(|call| call["key"] == issued[0]["key"]), "{calls:?}");
        assert_eq!(world.of_back_end("pem"), 1);
    }
}

// Names are proved to the front by the client and to the authority behind it by the front itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_relayed_to_another_acme_authority_and_goes_on_there_after_a_kill() {
    let world = World::new().await;
    let [far, shown] = free_addresses();
    let mut dev = vidimus();
    dev.args([
        "dev",
        "--dir",
        "far",
        "--listen",
        &far.to_string(),
        "--admin",
        "127.0.0.1:0",
        "--no-first-certificate",
    ]);
    dev.args([
        "--dns",
        &world._dns.dns_addr.to_string(),
        "--http-port",
        &shown.port().to_string(),
    ]);
    let dev = Server::start(dev.current_dir(world.folder.path()));
    fs::write(
        world.file("ca/relay.key"),
        &*SigningKey::generate(Algorithm::Es256).unwrap().to_pkcs8_pem(),
    )
    .unwrap();
    world.relay_to(far, shown);
    let mut server = world.serve();
    // While nobody can show names to it, the authority behind is asked and has an order.
    let taken = TcpListener::bind(shown).unwrap();
    let mut client = world
        .client()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_for_note();
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    drop(taken);
    let note = world.note();
    let _server = world.serve();
    if !client.wait().unwrap().success() {
        assert!(world.run(&mut world.client()).status.success());
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-CAfile", "far/root.pem", "-untrusted"]);
    openssl.args([
        "own/certs/a.example.test/chain.pem",
        "own/certs/a.example.test/cert.pem",
    ]);
    let output = world.run(&mut openssl);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.note(), note);
    drop(dev);
    let there = rusqlite::Connection::open(world.file("far/vidimus.db")).unwrap();
    let count = |table: &str| {
        there
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((count("orders"), count("certificates")), (1, 1));
}

struct World {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    http_port: u16,
    _dns: testbed::dns::Running,
}

impl World {
    async fn new() -> Self {
        let dns = Dns::start(SocketAddr::from(([127, 0, 0, 1], 0)), None).await.unwrap();
        let [listen, http] = free_addresses();
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            listen,
            http_port: http.port(),
            _dns: dns,
        };
        for (name, listen) in [("ca", listen), ("legacy", listen)] {
            let mut init = vidimus();
            init.args(["init", "--listen", &listen.to_string(), "--dir"])
                .arg(world.file(name));
            assert!(world.run(&mut init).status.success());
        }
        fs::rename(world.file("legacy/issuing.pem"), world.file("legacy/ca.pem")).unwrap();
        fs::rename(world.file("legacy/issuing.key"), world.file("legacy/ca.key")).unwrap();
        let example = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../extensions/csr-first/example/legacy_ca.py"
        );
        // Ends whoever asked it, once, when its work is done and before it has answered.
        let program = format!(
            "import os, subprocess, sys, json\n\
             os.chdir(os.path.dirname(os.path.abspath(__file__)))\n\
             asked = sys.stdin.read()\n\
             done = subprocess.run([sys.executable, {example:?}, 'legacy'], input=asked, text=True, capture_output=True)\n\
             if os.path.exists('kill') and open('kill').read() == json.loads(asked)['step']:\n    \
                 os.remove('kill'); os.kill(os.getppid(), 9)\n\
             sys.stdout.write(done.stdout); sys.stderr.write(done.stderr); sys.exit(done.returncode)\n"
        );
        fs::write(world.file("back_end.py"), program).unwrap();
        world.configure();
        world
    }

    fn configure(&self) {
        let file = self.file("ca/vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let mut set = |section: &[&str], key: &str, value: toml::Value| {
            let mut table = &mut config;
            for name in section {
                let next = table.entry(*name).or_insert_with(|| toml::Table::new().into());
                table = next.as_table_mut().unwrap();
            }
            table.insert(key.to_owned(), value);
        };
        set(&["admin"], "listen", "127.0.0.1:0".into());
        set(&["validation"], "http_port", i64::from(self.http_port).into());
        set(
            &["validation"],
            "resolvers",
            vec![self._dns.dns_addr.to_string()].into(),
        );
        set(&["validation"], "allow_networks", vec!["127.0.0.0/8".to_owned()].into());
        set(&["extensions", "csr-first"], "enabled", true.into());
        set(
            &["extensions", "csr-first"],
            "ordinary",
            "https://ordinary.example/directory".into(),
        );
        let command = vec![
            "/usr/bin/python3".to_owned(),
            self.file("back_end.py").display().to_string(),
        ];
        set(&["issuer", "legacy"], "kind", "command".into());
        set(&["issuer", "legacy"], "command", command.into());
        set(&["issuer", "legacy"], "roots", "../legacy/root.pem".into());
        set(&["profile", "default"], "issuer", "legacy".into());
        fs::write(file, config.to_string()).unwrap();
    }

    /// The issuer is another ACME authority from now on, and orders need no CSR.
    fn relay_to(&self, far: SocketAddr, shown: SocketAddr) {
        let file = self.file("ca/vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let issuer = format!(
            "kind = \"acme\"\nserver = \"https://{far}/directory\"\nca_bundle = \"../far/root.pem\"\n\
             account_key = \"relay.key\"\nstandalone = \"{shown}\"\nroots = \"../far/root.pem\""
        );
        let issuer: toml::Table = issuer.parse().unwrap();
        config["issuer"]
            .as_table_mut()
            .unwrap()
            .insert("legacy".into(), issuer.into());
        config.remove("extensions");
        fs::write(file, config.to_string()).unwrap();
    }

    /// What the relay noted about its one order, once there is one.
    fn wait_for_note(&self) {
        for _ in 0..600 {
            if fs::exists(self.file("ca/vidimus.db")).unwrap() && self.note().is_some_and(|note| note.contains("note"))
            {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the authority behind was not asked");
    }

    fn note(&self) -> Option<String> {
        let database = rusqlite::Connection::open(self.file("ca/vidimus.db")).unwrap();
        let data: Option<String> = database
            .query_row("SELECT data FROM records WHERE kind = 'backend'", [], |row| row.get(0))
            .ok();
        let data: Value = serde_json::from_str(&data?).unwrap();
        Some(data.get("note")?.to_string()).map(|note| format!("note {note}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn directory(&self) -> String {
        format!("https://{}/directory", self.listen)
    }

    fn serve(&self) -> Server {
        let mut serve = vidimus();
        serve.args(["serve", "--config"]).arg(self.file("ca/vidimus.toml"));
        Server::start(&mut serve)
    }

    fn client(&self) -> Command {
        let mut client = vidimus();
        client.args([
            "cert",
            "issue",
            "a.example.test",
            "--server",
            &self.directory(),
            "--dir",
            "own",
        ]);
        client.args(["--standalone", &format!("127.0.0.1:{}", self.http_port), "--ca-bundle"]);
        client
            .arg(self.file("ca/root.pem"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        client
    }

    /// Issues, and has the chain verified by the authority behind.
    fn issues(&self) {
        let output = self.run(&mut self.client());
        assert!(output.status.success(), "{}", said(&output));
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-CAfile", "legacy/root.pem", "-untrusted"]);
        openssl.args([
            "own/certs/a.example.test/chain.pem",
            "own/certs/a.example.test/cert.pem",
        ]);
        let output = self.run(&mut openssl);
        assert!(output.status.success(), "{}", said(&output));
        assert!(!fs::exists(self.file("own/ahead/a.example.test.json")).unwrap());
    }

    fn directory_object(&self) -> Value {
        let output = self.run(Command::new("curl").args(["-s", "--cacert", "ca/root.pem", &self.directory()]));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn calls(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.file("legacy/calls.log")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many files of this kind the back end has, beside those of its own.
    fn of_back_end(&self, kind: &str) -> usize {
        let files = fs::read_dir(self.file("legacy"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        files
            .filter(|name| name.to_str().unwrap().ends_with(&format!(".0.{kind}")))
            .count()
    }

    fn run(&self, command: &mut Command) -> Output {
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

struct Server(Child);

impl Server {
    /// Returns when it serves.
    fn start(command: &mut Command) -> Self {
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("ready ")), "the server is not ready");
        std::thread::spawn(move || lines.count());
        Self(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn vidimus() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vidimus"))
}

fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.each_ref().map(|listener| listener.local_addr().unwrap())
}
