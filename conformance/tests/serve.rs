//! The suite against `vidimus serve`, configured in the ways that `vidimus dev` is not.

mod running;

use std::{fs, path::PathBuf, process::Command};

use conformance::{
    Options, Report, World,
    report::Standing,
    world::{ExternalKey, new_key},
};
use pkix::{
    certificate::{Certificate, Serial, TbsCertificate, assemble},
    extension,
    key::KeyPair,
    name::DistinguishedName,
};
use running::{Server, free_port, workspace_target};
use serde_json::json;
use testbed::dns::{Dns, Running};

/// Whatever is required of some configurations only.
const CONFIGURED: &[&str] = &[
    "8555-7.1-2",
    "8555-7.1-5",
    "8555-7.1.3-8",
    "8555-7.3-5",
    "8555-7.3.4-1",
    "8555-7.3.4-2",
    "8555-7.3.4-3",
    "8555-7.3.4-4",
    "8555-7.3.4-5",
    "8555-7.3.4-6",
    "8555-7.3.4-7",
    "8555-7.3.4-9",
    "8555-7.4.1-1",
    "8555-7.4.1-2",
    "8555-7.4.1-3",
    "8555-7.4.2-2",
    "8555-7.6-11",
    "4985-2-1",
    "ETLS-3-3",
    "ETLS-P-1",
    "ETLS-P-2",
    "ETLS-P-5",
    "ETLS-P-8",
    "ETLS-P-9",
    "ETLS-P-10",
    "9799-2-1",
    "9799-3.1-1",
    "9799-3.2-1",
    "9799-3.2-3",
    "9799-6-1",
    "9799-6.3-1",
    "9799-6.4.1-1",
    "9444-4.1-1",
    "9444-4.1-2",
    "9444-4.2-1",
    "9444-4.3-1",
    "9444-4.3-2",
    "9444-4.3-3",
    "9444-4.4-1",
    "9444-S-1",
];

/// External accounts, terms, alternate chains, proofs that count again and for what is below, lists of what is revoked.
#[tokio::test]
async fn a_server_with_everything_configured_meets_every_requirement() {
    let authority = Authority::new().await;
    authority.set("acme", "external_accounts", "required");
    authority.set("acme", "terms_of_service", "https://ca.example/terms/1");
    authority.set("acme", "website", "https://ca.example/");
    authority.set("acme", "caa_identities", vec!["ca.example"]);
    authority.set("acme", "reuse_authorizations", "1d");
    authority.set("extensions.onion", "enabled", true);
    authority.set("extensions.email-tls", "enabled", true);
    authority.set("profile.mail", "issuer", "issuing");
    authority.set("profile.mail", "description", "certificates of mail services");
    authority.set("extensions.subdomains", "enabled", true);
    let public = format!("127.0.0.1:{}", free_port());
    authority.set("server", "public_http", format!("http://{public}"));
    authority.set("server", "public_listen", public);
    fs::write(authority.file("other.pem"), cross_certificate(&authority)).unwrap();
    authority.set("issuer.issuing", "alternates", vec!["other.pem"]);
    let server = authority.serve();
    let options = Options {
        external_key: Some(authority.hand_out("conformance", 0)),
        ..authority.provable(&server)
    };
    let report = running::report(options).await;
    assert!(report.failed().is_empty(), "{}", report.summary());
    passed(&report, CONFIGURED);
}

// 8555-7.3.4-8
#[tokio::test]
async fn keys_bind_as_many_accounts_as_they_are_for() {
    let authority = Authority::new().await;
    authority.set("acme", "external_accounts", "optional");
    let server = authority.serve();
    let (any, one) = (authority.hand_out("any", 0), authority.hand_out("one", 1));
    let optional = ["2", "3", "4", "5", "6", "7", "9"].map(|number| format!("8555-7.3.4-{number}"));
    for (key, only) in [(any, &optional[..]), (one, &["8555-7.3.4-8".to_owned()])] {
        let options = Options {
            external_key: Some(key),
            ..authority.options(&server)
        };
        let report = conformance::run(options, only).await.unwrap();
        assert!(report.failed().is_empty(), "{}", report.summary());
        passed(&report, &only.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

// 8555-7.3.3-1
#[tokio::test]
async fn an_account_orders_again_when_a_person_has_agreed_to_the_new_terms() {
    let authority = Authority::new().await;
    authority.set("acme", "terms_of_service", "https://ca.example/terms/1");
    authority.set("acme", "agree_again", true);
    let server = authority.serve();
    let world = World::open(authority.options(&server)).await.unwrap();
    let account = world.account().await.unwrap();
    let before = world.order(&account, &[&world.name("before")]).await.unwrap();
    drop((world, server));

    authority.set("acme", "terms_of_service", "https://ca.example/terms/2");
    let server = authority.serve();
    let file = authority.file("account.pem");
    fs::write(&file, account.key.to_pkcs8_pem().as_bytes()).unwrap();
    let options = Options {
        outdated_account: Some(file),
        ..authority.options(&server)
    };
    let report = conformance::run(options, &["8555-7.3.3-1".to_owned()]).await.unwrap();
    assert!(report.failed().is_empty(), "{}", report.summary());
    passed(&report, &["8555-7.3.3-1"]);

    let world = World::open(authority.provable(&server)).await.unwrap();
    // What was ordered under the old terms is not held back.
    let ready = world.make_ready(&account, before).await.unwrap();
    assert_eq!(ready.status(), "ready");
    let order = world.resource("newOrder").unwrap();
    let request = json!({ "identifiers": [{ "type": "dns", "value": world.name("after") }] });
    let refused = world.post(&account, &order, &request).await.unwrap();
    let page = refused.problem().unwrap()["instance"].as_str().unwrap().to_owned();
    let shown = world.get(http::Method::GET, &page).await.unwrap().expect(200).unwrap();
    assert!(
        shown.excerpt().contains("https://ca.example/terms/2"),
        "{}",
        shown.excerpt()
    );
    let refused = world.post(&account, &order, &request).await.unwrap();
    assert_eq!(
        refused.kind(),
        "userActionRequired",
        "looking at the page agrees to nothing"
    );
    world.get(http::Method::POST, &page).await.unwrap().expect(200).unwrap();
    world
        .post(&account, &order, &request)
        .await
        .unwrap()
        .expect(201)
        .unwrap();
    // A new account agrees to what is there now.
    let other = world.account_of(new_key().unwrap()).await.unwrap();
    world.order(&other, &[&world.name("other")]).await.unwrap();
}

// 8555-7.1-2
#[tokio::test]
async fn new_authz_is_offered_where_it_is_configured_and_where_it_counts() {
    for (offered, reuse, is_there) in [(true, "1h", true), (false, "1h", false), (true, "0s", false)] {
        let authority = Authority::new().await;
        authority.set("acme", "pre_authorization", offered);
        authority.set("acme", "reuse_authorizations", reuse);
        let server = authority.serve();
        let world = World::open(authority.options(&server)).await.unwrap();
        assert_eq!(world.directory.get("newAuthz").is_some(), is_there, "{offered} {reuse}");
        let account = world.account().await.unwrap();
        let url = world.resource("newOrder").unwrap().replace("new-order", "new-authz");
        let request = json!({ "identifier": { "type": "dns", "value": world.name("ahead") } });
        let answer = world.post(&account, &url, &request).await.unwrap();
        assert_eq!(answer.status, if is_there { 201 } else { 404 }, "{}", answer.excerpt());
    }
}

// 8555-6.6-1
#[tokio::test]
async fn too_many_accounts_from_one_address_are_told_when_to_come_back() {
    let authority = Authority::new().await;
    authority.set("acme", "limits", "public");
    authority.set("acme", "limits_help", "https://ca.example/limits");
    let server = authority.serve();
    let world = World::open(authority.options(&server)).await.unwrap();
    let request = json!({ "termsOfServiceAgreed": true });
    let mut answer = world.new_account(&new_key().unwrap(), request.clone()).await.unwrap();
    let mut made = 0;
    while answer.status == 201 && made < 100 {
        made += 1;
        answer = world.new_account(&new_key().unwrap(), request.clone()).await.unwrap();
    }
    answer.refused_with(429, &["rateLimited"]).unwrap();
    assert_eq!(made, 10);
    let after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3 * 3600).contains(&after), "{after}");
    assert_eq!(answer.links("help"), ["https://ca.example/limits"]);
}

fn passed(report: &Report, ids: &[&str]) {
    for id in ids {
        assert_eq!(report.standing(id), Standing::Pass, "{id}\n{}", report.summary());
    }
}

/// What `vidimus init` makes, with a DNS of our own.
struct Authority {
    folder: tempfile::TempDir,
    dns: Running,
    http_port: u16,
    tls_port: u16,
}

impl Authority {
    async fn new() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
            dns: Dns::start(any, Some(any)).await.unwrap(),
            http_port: free_port(),
            tls_port: free_port(),
        };
        let made = Command::new(workspace_target().vidimus())
            .args(["init", "--listen", &format!("127.0.0.1:{}", free_port()), "--dir"])
            .arg(authority.folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        authority.set("admin", "listen", format!("127.0.0.1:{}", free_port()));
        authority.set("validation", "http_port", i64::from(authority.http_port));
        authority.set("validation", "tls_port", i64::from(authority.tls_port));
        authority.set("validation", "resolvers", vec![authority.dns.dns_addr.to_string()]);
        authority.set("validation", "allow_networks", vec!["127.0.0.0/8", "::1/128"]);
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes one setting, for the next start.
    fn set(&self, section: &str, key: &str, value: impl Into<toml::Value>) {
        let file = self.file("vidimus.toml");
        let mut config: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        let mut table = &mut config;
        for part in section.split('.') {
            let section = table.entry(part).or_insert_with(|| toml::Table::new().into());
            table = section.as_table_mut().unwrap();
        }
        table.insert(key.to_owned(), value.into());
        fs::write(file, config.to_string()).unwrap();
    }

    /// A MAC key for so many accounts, 0 for any number, from the server that runs.
    fn hand_out(&self, kid: &str, uses: u32) -> ExternalKey {
        let added = Command::new(workspace_target().vidimus())
            .args([
                "ca",
                "eab",
                "add",
                "--json",
                "--kid",
                kid,
                "--uses",
                &uses.to_string(),
                "--config",
            ])
            .arg(self.file("vidimus.toml"))
            .output()
            .unwrap();
        assert!(added.status.success(), "{added:?}");
        let added: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
        ExternalKey {
            kid: kid.to_owned(),
            key: jose::base64url::decode(added["mac_key"].as_str().unwrap()).unwrap(),
        }
    }

    fn serve(&self) -> Server {
        let mut command = Command::new(workspace_target().vidimus());
        command.arg("serve").arg("--config").arg(self.file("vidimus.toml"));
        Server::start(command, &["ready"])
    }

    /// For a suite that proves nothing.
    fn options(&self, server: &Server) -> Options {
        Options::new(server.line("ready"), self.file("root.pem"))
    }

    /// For a suite that answers validations; one at a time, for there is one port each.
    fn provable(&self, server: &Server) -> Options {
        Options {
            http_port: Some(self.http_port),
            tls_port: Some(self.tls_port),
            challtestsrv: self.dns.control_addr.map(|addr| format!("http://{addr}")),
            ..self.options(server)
        }
    }
}

/// The issuing authority's name and key, certified by another root, with that root: PEM.
fn cross_certificate(authority: &Authority) -> String {
    let issuing = fs::read_to_string(authority.file("issuing.pem")).unwrap();
    let issuing = Certificate::parse(&pkix::pem::parse_chain(&issuing).unwrap()[0]).unwrap();
    let root_name = DistinguishedName::with_common_name("another root").unwrap();
    let root_key = KeyPair::generate_p256();
    let certify = |serial, subject: &DistinguishedName, key: &pkix::key::SubjectPublicKey, below| {
        let tbs = TbsCertificate {
            serial: Serial::from_random([serial; 16]),
            signature_algorithm: root_key.algorithm(),
            issuer: root_name.clone(),
            not_before: "2024-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2049-01-01T00:00:00Z".parse().unwrap(),
            subject: subject.clone(),
            public_key: key.clone(),
            extensions: vec![extension::basic_constraints(true, below)],
        };
        let tbs = tbs.to_der();
        pkix::pem::encode_certificate(&assemble(&tbs, root_key.algorithm(), &root_key.sign(&tbs)))
    };
    let cross = certify(1, issuing.subject(), &issuing.public_key().unwrap(), Some(0));
    cross + &certify(2, &root_name, root_key.public_key(), None)
}
