//! An authority and three `vidimus perspective`, each with a DNS of its own: what a hijack near one of them looks like, and
//! one near two.

mod served;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use conformance::{
    Options, World, craft,
    world::{Account, Challenge, Order, find_challenge},
};
use jose::base64url;
use pkix::key::KeyPair;
use serde_json::Value;
use testbed::dns::{self, Dns, Property};

use served::Served;

/// A process of ours that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn vidimus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vidimus"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Starts it, and says where it is ready.
fn start(arguments: &[&str]) -> (Running, String) {
    let mut process = vidimus(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let ready = lines.next().unwrap_or_default();
    let running = Running(process);
    let place = ready
        .strip_prefix("ready ")
        .unwrap_or_else(|| panic!("{ready:?}"))
        .to_owned();
    std::thread::spawn(move || lines.count());
    (running, place)
}

struct Authority {
    served: Served,
    dns: dns::Running,
    far: Vec<(Option<Running>, dns::Running)>,
}

impl Authority {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["primary", "far0", "far1", "far2"] {
            let made = vidimus(&["perspective", "identity", name, "--dir", &at("")])
                .stdout(Stdio::null())
                .status();
            assert!(made.unwrap().success());
        }
        let mut far = Vec::new();
        let mut remotes = String::new();
        for (number, region) in ["arin", "ripe", "apnic"].into_iter().enumerate() {
            let dns = Dns::start(ANY, None).await.unwrap();
            let (name, file) = (format!("far{number}"), at(&format!("far{number}.toml")));
            let settings = format!(
                "[perspective]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\nexternal_url = \"https://ca.example\"\n\
                 certificate = \"{name}.pem\"\nkey = \"{name}.key\"\nauthority = \"primary.pem\"\n\
                 caa_identities = [\"ca.example\"]\n[validation]\nresolvers = [\"{}\"]\n",
                dns.dns_addr
            );
            fs::write(&file, settings).unwrap();
            let right = vidimus(&["config", "check", "--config", &file])
                .stdout(Stdio::null())
                .status();
            assert!(right.unwrap().success());
            let (running, url) = start(&["perspective", "serve", "--config", &file]);
            remotes += &format!(
                "[perspectives.remote.{name}]\nurl = \"{url}\"\nregion = \"{region}\"\ncertificate = \"{}\"\n",
                at(&format!("{name}.pem"))
            );
            far.push((Some(running), dns));
        }
        let dns = Dns::start(ANY, Some(ANY)).await.unwrap();
        let more: toml::Table = format!(
            "validation = {{ resolvers = [\"{}\"], attempts = 1 }}\n\
             acme = {{ caa_identities = [\"ca.example\"] }}\n\
             [perspectives]\ncertificate = \"{}\"\nkey = \"{}\"\n{remotes}",
            dns.dns_addr,
            at("primary.pem"),
            at("primary.key")
        )
        .parse()
        .unwrap();
        let served = Served::start(|config| config.extend(more.clone()));
        Self { served, dns, far }
    }

    async fn world(&self) -> World {
        let options = Options {
            challtestsrv: self.dns.control_addr.map(|address| format!("http://{address}")),
            domain: "far.example".into(),
            ..Options::new(self.served.directory(), self.served.folder.path().join("root.pem"))
        };
        World::open(options).await.unwrap()
    }

    /// An order for a fresh name that the owner has provisioned for dns-01, and that the first `hijacked` perspectives see
    /// as somebody else has it.
    async fn provisioned(&self, world: &World, account: &Account, hijacked: usize) -> (String, Order, Challenge) {
        let name = world.name("hijack");
        let order = world.order(account, &[&name]).await.unwrap();
        let challenge = world
            .challenge(account, &order.authorizations()[0], "dns-01")
            .await
            .unwrap();
        let (record, value) = (
            format!("_acme-challenge.{name}"),
            base64url::encode(challenge.digest(account)),
        );
        self.dns.handle.add_txt(&record, &value).unwrap();
        for (number, (_, dns)) in self.far.iter().enumerate() {
            let seen = if number < hijacked { "hijacked" } else { &value };
            dns.handle.add_txt(&record, seen).unwrap();
        }
        (name, order, challenge)
    }

    /// What lies in the database.
    fn stored(&self, question: &str) -> String {
        let database = rusqlite::Connection::open(self.served.folder.path().join("vidimus.db")).unwrap();
        database.query_row(question, [], |row| row.get(0)).unwrap()
    }
}

async fn finalize(world: &World, account: &Account, order: &Order, name: &str) -> conformance::answer::Answer {
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[name]);
    world.finalize(account, order, &csr).await.unwrap()
}

fn detail(authorization: &Value) -> String {
    let challenge = find_challenge(authorization, "dns-01").unwrap();
    challenge["error"]["detail"].as_str().unwrap_or_default().to_owned()
}

// T16, T17, 8555-10.2-1
#[tokio::test(flavor = "multi_thread")]
async fn t16_a_hijack_near_one_of_three_perspectives_is_outvoted_and_near_two_it_is_fatal() {
    let mut authority = Authority::start().await;
    let world = authority.world().await;
    let account = world.account().await.unwrap();

    let (name, order, challenge) = authority.provisioned(&world, &account, 1).await;
    let seen = world.conclude(&account, &challenge).await.unwrap();
    assert_eq!(seen["status"], "valid", "{seen}");
    let question = "SELECT data FROM authorizations WHERE state = 'valid'";
    let evidence = authority.stored(question);
    assert!(evidence.contains("2/3 (primary + far1, far2; not far0)"), "{evidence}");
    assert!(
        evidence.contains("hijacked") && evidence.contains("APNIC"),
        "{evidence}"
    );

    // CAA as two of them see it forbids; as one sees it, it is outvoted.
    let elsewhere = [Property {
        flags: 0,
        tag: "issue".into(),
        value: "other.example".into(),
    }];
    for (_, dns) in &authority.far[..2] {
        dns.handle.add_caa(&name, &elsewhere).unwrap();
    }
    let refused = finalize(&world, &account, &order, &name).await;
    let problem = refused.json().unwrap();
    refused.refused_with(403, &["caa"]).unwrap();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("2 of 3 other perspectives"),
        "{problem}"
    );
    // It knows for which account it looks.
    let ours = format!("ca.example; accounturi={}; validationmethods=dns-01", account.url);
    let ours = [Property {
        value: ours,
        ..elsewhere[0].clone()
    }];
    authority.far[0].1.handle.clear_caa(&name).unwrap();
    authority.far[0].1.handle.add_caa(&name, &ours).unwrap();
    finalize(&world, &account, &order, &name).await.expect(200).unwrap();
    let checks = authority.stored("SELECT data FROM certificates");
    assert!(checks.contains("2/3 (primary + far0, far2; not far1)"), "{checks}");

    let (_, _, challenge) = authority.provisioned(&world, &account, 2).await;
    let seen = world.conclude(&account, &challenge).await.unwrap();
    assert_eq!(seen["status"], "invalid", "{seen}");
    let told = detail(&seen);
    assert!(
        told.contains("2 of 3 other perspectives") && told.contains("at most 1"),
        "{told}"
    );
    assert!(told.contains("hijacked") && !told.contains("far0"), "{told}");

    // With two of them gone nobody makes do with the third; with one gone the others are enough.
    for (gone, status) in [(1, "valid"), (2, "invalid")] {
        authority.far[gone].0 = None;
        let (_, _, challenge) = authority.provisioned(&world, &account, 0).await;
        let seen = world.conclude(&account, &challenge).await.unwrap();
        assert_eq!(seen["status"], status, "{gone}: {seen}");
    }
}

// T16
#[tokio::test(flavor = "multi_thread")]
async fn t16_one_certificate_for_two_perspectives_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for arguments in [
        vec!["perspective", "identity", "one", "--dir", &at("")],
        vec![
            "init",
            "--listen",
            "127.0.0.1:0",
            "--external-url",
            "https://ca.example",
            "--dir",
            &at(""),
        ],
    ] {
        assert!(vidimus(&arguments).stdout(Stdio::null()).status().unwrap().success());
    }
    let (file, config) = (at("vidimus.toml"), at("far.toml"));
    let remote = |name: &str| {
        format!(
            "[perspectives.remote.{name}]\nurl = \"https://{name}.example\"\nregion = \"arin\"\ncertificate = \"one.pem\"\n"
        )
    };
    let text = fs::read_to_string(Path::new(&file)).unwrap();
    let more = format!(
        "[perspectives]\nregions_at_least = 1\ncertificate = \"one.pem\"\nkey = \"one.key\"\n{}{}",
        remote("a"),
        remote("b")
    );
    fs::write(&config, format!("{text}\n{more}")).unwrap();
    let served = vidimus(&["serve", "--config", &config]).output().unwrap();
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(
        !served.status.success() && said.contains("known by the same certificate"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_perspective_has_every_extension_that_an_authority_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("far.toml").display().to_string();
    let mut text = String::from(
        "[perspective]\nname = \"far\"\nlisten = \"127.0.0.1:0\"\nexternal_url = \"https://ca.example\"\n\
         caa_identities = [\"ca.example\"]\n[validation]\nresolvers = [\"127.0.0.1:1\"]\n",
    );
    for name in ["dns-account", "dns-persist", "email-tls", "onion", "subdomains"] {
        text += &format!("[extensions.{name}]\nenabled = true\n");
    }
    fs::write(&file, &text).unwrap();
    let (_running, url) = start(&["perspective", "serve", "--config", &file]);
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let mut elsewhere = vidimus(&["perspective", "serve", "--config", &file, "--listen", "0.0.0.0:0"]);
    let refused = elsewhere.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("perspective.listen"),
        "{said}"
    );
}
