//! Real signed zones, real answers: what is authentic counts, what is not fails, what changes is seen.

mod recursor;
mod tree;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use acme::{KeyAuthorization, ProblemType};
use authority::{
    identifier::{Dns, IdentifierType, Name},
    model::{AccountId, DnssecStatus, Evidence},
    ports::{PreIssuance, PreIssuanceCheck, Proven, Report, ValidationMethod, ValidationRequest},
};
use caa::{CaaCheck, Patience};
use jiff::Timestamp;
use jose::Thumbprint;
use recursor::Recursor;
use tree::{Tree, program};
use validation::{Dns01, Settings, dial::Network, resolver::DnsFailure};

fn network(tree: &Tree) -> Arc<Network> {
    asking(tree.address, tree)
}

fn asking(server: SocketAddr, tree: &Tree) -> Arc<Network> {
    let settings = Settings {
        resolvers: vec![server],
        trust_anchors: Some(tree.anchor()),
        ..Settings::default()
    };
    Arc::new(validation::network(settings, Arc::new(|| Timestamp::UNIX_EPOCH)).unwrap())
}

fn name(text: &str) -> Name {
    Dns.admit(text).unwrap()
}

// 8555-11.2-1, T10
#[tokio::test]
async fn answers_are_secure_insecure_or_forged_as_their_zones_are() {
    let tree = Tree::start();
    let network = network(&tree);
    let resolver = &network.resolver;
    for (name, text, status) in [
        ("text.secure.test", Some("here"), DnssecStatus::Secure),
        ("text.nsec3.test", Some("here"), DnssecStatus::Secure),
        ("text.a.ent.test", Some("here"), DnssecStatus::Secure),
        ("text.b.ent.test", Some("here"), DnssecStatus::Secure),
        ("text.unsigned.test", Some("here"), DnssecStatus::Insecure),
        ("alias.secure.test", Some("here"), DnssecStatus::Secure),
        ("none.secure.test", None, DnssecStatus::Secure),
        ("none.nsec3.test", None, DnssecStatus::Secure),
        ("alias-to-none.secure.test", None, DnssecStatus::Secure),
        ("alias-to-none.nsec3.test", None, DnssecStatus::Secure),
        ("x.wild.secure.test", None, DnssecStatus::Secure),
        ("x.wild.nsec3.test", None, DnssecStatus::Secure),
        ("none.unsigned.test", None, DnssecStatus::Insecure),
        ("secure.test", None, DnssecStatus::Secure),
    ] {
        let answer = resolver.txt(name).await;
        let texts = text
            .map(|text| text.as_bytes().to_vec())
            .into_iter()
            .collect::<Vec<_>>();
        assert_eq!(answer.records, Ok(texts), "{name}");
        assert_eq!(answer.dnssec, status, "{name}");
    }
    for (name, status) in [
        ("nobody.secure.test", DnssecStatus::Secure),
        ("nobody.nsec3.test", DnssecStatus::Secure),
        ("nobody.unsigned.test", DnssecStatus::Insecure),
        ("nobody", DnssecStatus::Secure),
    ] {
        let answer = resolver.caa(name).await;
        assert_eq!(
            (answer.records, answer.dnssec),
            (Err(DnsFailure::NxDomain), status),
            "{name}"
        );
    }
    for name in [
        "text.wrong-ds.test",
        "none.wrong-ds.test",
        "nobody.wrong-ds.test",
        "text.altered.test",
    ] {
        for answer in [resolver.txt(name).await, resolver.caa(name).await] {
            // What was not altered is still as it was signed.
            if name == "text.altered.test" && answer.records == Ok(vec![]) {
                continue;
            }
            assert!(
                matches!(answer.records, Err(DnsFailure::Bogus(_))),
                "{name}: {:?}",
                answer.records
            );
            assert_eq!(answer.dnssec, DnssecStatus::Bogus);
        }
    }
}

// 8555-11.2-1, 8659-3-1, T10: the commonest alias there is leads out of its zone.
#[tokio::test]
async fn aliases_between_zones_are_as_authentic_as_the_weaker_one() {
    let tree = Tree::start();
    let recursor = Recursor::before(&tree);
    let network = asking(recursor.address, &tree);
    for (name, status) in [
        ("to-signed.secure.test", DnssecStatus::Secure),
        ("to-signed.nsec3.test", DnssecStatus::Secure),
        ("to-ent.secure.test", DnssecStatus::Secure),
        ("to-ent.a.ent.test", DnssecStatus::Secure),
        ("to-unsigned.secure.test", DnssecStatus::Insecure),
        ("to-unsigned.nsec3.test", DnssecStatus::Insecure),
        ("to-signed.unsigned.test", DnssecStatus::Insecure),
        ("text.old.secure.test", DnssecStatus::Secure),
        ("text.old.unsigned.test", DnssecStatus::Insecure),
        ("to-wrong.secure.test", DnssecStatus::Bogus),
        ("to-wrong.unsigned.test", DnssecStatus::Bogus),
    ] {
        let (text, caa) = (network.resolver.txt(name).await, network.resolver.caa(name).await);
        assert_eq!((text.dnssec, caa.dnssec), (status, status), "{name}: {text:?} {caa:?}");
        match status {
            DnssecStatus::Bogus => assert!(text.records.is_err() && caa.records.is_err(), "{name}"),
            // There is a text, and no CAA, where each of them leads.
            _ => assert_eq!((text.records.unwrap().len(), caa.records), (1, Ok(vec![])), "{name}"),
        }
    }
}

async fn dns01(network: &Arc<Network>, domain: &str) -> Report {
    Dns01::new(network.clone()).validate(request(domain)).await
}

fn request(domain: &str) -> ValidationRequest {
    ValidationRequest {
        account: AccountId(1),
        name: name(domain),
        token: TOKEN.to_owned(),
        key_authorization: KeyAuthorization::new(TOKEN, &Thumbprint::from([7; 32])),
        response: None,
        code: None,
    }
}

const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";

// 8555-8.4-3, 8555-11.2-1
#[tokio::test]
async fn a_record_that_is_set_now_is_seen_at_the_next_attempt_unless_its_zone_is_forged() {
    let tree = Tree::start();
    let network = network(&tree);
    let value = request("secure.test").key_authorization.dns_value();
    for (zone, status) in [
        ("secure.test", Some(DnssecStatus::Secure)),
        ("nsec3.test", Some(DnssecStatus::Secure)),
        ("unsigned.test", Some(DnssecStatus::Insecure)),
        ("wrong-ds.test", None),
    ] {
        let before = dns01(&network, zone).await.verdict.unwrap_err();
        let challenge = format!("_acme-challenge.{zone}.");
        tree.update(zone, &[&format!("add {challenge} 0 TXT \"{value}\"")]);
        let after = dns01(&network, zone).await;
        match status {
            Some(_) => {
                assert_eq!(before.kind, ProblemType::Unauthorized, "{zone}: {before}");
                assert_eq!(after.verdict, Ok(()), "{zone}");
            }
            None => {
                assert_eq!(before.kind, ProblemType::Dns, "{zone}: {before}");
                let problem = after.verdict.unwrap_err();
                assert_eq!(problem.kind, ProblemType::Dns, "{zone}: {problem}");
                assert!(problem.detail.contains("DNSSEC"), "{problem}");
            }
        }
        tree.update(zone, &[&format!("del {challenge} TXT")]);
        assert!(dns01(&network, zone).await.verdict.is_err(), "{zone}");
    }
}

async fn caa(network: &Network, domain: &str) -> Result<Vec<Evidence>, acme::Problem> {
    let identities = vec!["dev.vidimus.test".to_owned()];
    let account_url = Arc::new(|AccountId(id)| format!("https://ca.example/account/{id}"));
    let check = CaaCheck::new(network.resolver.clone(), identities, account_url, network.clock.clone());
    let check = check.with_patience(Patience {
        pause: Duration::ZERO,
        ..Patience::default()
    });
    let name = name(domain);
    let request = PreIssuance {
        account: AccountId(1),
        profile: "default",
        names: &[Proven {
            name: &name,
            method: "dns-01",
            validated: Timestamp::UNIX_EPOCH,
        }],
        spki_der: &[],
        members: &serde_json::Map::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    check.check(&request).await
}

// 8659-4-3, 8657-5-1
#[tokio::test]
async fn caa_counts_as_it_is_at_this_moment_and_never_when_it_is_forged() {
    let tree = Tree::start();
    let network = network(&tree);
    for zone in ["secure.test", "nsec3.test", "unsigned.test"] {
        let host = format!("a.b.{zone}");
        assert!(caa(&network, &host).await.is_ok(), "{zone}");
        tree.update(zone, &[&format!("add b.{zone}. 0 CAA 0 issue \";\"")]);
        let problem = caa(&network, &host).await.unwrap_err();
        assert_eq!(problem.kind, ProblemType::Caa, "{problem}");
        assert!(
            problem.detail.contains(&format!("CAA at b.{zone} forbids {host}")),
            "{problem}"
        );
        tree.update(zone, &[&format!("del b.{zone}. CAA")]);
        assert!(caa(&network, &host).await.is_ok(), "{zone}");
    }
    for host in ["wrong-ds.test", "a.b.wrong-ds.test"] {
        let problem = caa(&network, host).await.unwrap_err();
        assert_eq!(problem.kind, ProblemType::Dns, "{problem}");
        assert!(problem.detail.contains("DNSSEC"), "{problem}");
    }
}

/// `vidimus dev` on the tree, with its anchor.
struct Authority {
    folder: tempfile::TempDir,
    server: Child,
    directory: String,
}

impl Authority {
    fn on(tree: &Tree) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let anchors = folder.path().join("anchors");
        fs::write(&anchors, tree.anchor()).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args([
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--no-first-certificate",
            ])
            .args(["--dns", &tree.address.to_string()])
            .arg("--dns-anchors")
            .arg(anchors)
            .arg("--dir")
            .arg(folder.path().join("ca"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let directory = lines
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned))
            .unwrap();
        std::thread::spawn(move || lines.count());
        Self {
            folder,
            server,
            directory,
        }
    }

    /// Orders with our own client, which publishes through nsupdate; whether it worked, and what it said.
    fn issue(&self, tree: &Tree, zone: &str, domain: &str) -> (bool, String) {
        let hook = self.folder.path().join("hook");
        let (ip, port) = (tree.address.ip(), tree.address.port());
        let script = format!(
            "#!/bin/sh\nif [ $1 = present ]; then change=\"add $2 0 TXT $3\"; else change=\"del $2 TXT\"; fi\n\
             printf 'server {ip} {port}\\nzone {zone}.\\nupdate %s\\nsend\\n' \"$change\" | {}\n",
            program("knsupdate")
        );
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_vidimus"))
            .args(["cert", "issue", domain, "--server", &self.directory, "--ca-bundle"])
            .arg(self.folder.path().join("ca/root.pem"))
            .arg("--dir")
            .arg(self.folder.path().join("certs"))
            .arg("--dns-hook")
            .arg(hook)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

// 8555-11.2-1, 8659-4-5, T12: the zones let dev.vidimus.test issue for what dns-01 proved.
#[test]
fn a_whole_order_rests_on_signed_records_and_a_forged_zone_gets_none() {
    let tree = Tree::start();
    let authority = Authority::on(&tree);
    let (issued, said) = authority.issue(&tree, "secure.test", "*.secure.test");
    assert!(issued, "{said}");
    let (issued, said) = authority.issue(&tree, "wrong-ds.test", "*.wrong-ds.test");
    assert!(!issued && said.contains("DNSSEC"), "{said}");
    tree.update("secure.test", &["add secure.test. 0 CAA 0 issuewild \";\""]);
    let (issued, said) = authority.issue(&tree, "secure.test", "*.new.secure.test");
    assert!(
        !issued && said.contains("CAA at secure.test forbids *.new.secure.test"),
        "{said}"
    );
}
