//! The suite against Debian's pebble: it differs from the requirements where `pebble.tsv` says so, and nowhere else.

mod running;

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use conformance::{Report, world::ExternalKey};
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension,
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
    oid,
};
use running::{Server, free_port, report, workspace_target};
use testbed::dns::Dns;

const PEBBLE: &str = "/usr/bin/pebble";
const MAC_KEY: &[u8; 32] = b"what an operator would hand out.";

/// A response to an authorization that was given up is validated all the same, and then two locks wait for each other.
const SKIPPED: [&str; 1] = ["a pending authorization can be given up and not taken back"];

#[tokio::test]
async fn pebble_differs_where_it_is_known_to() {
    assert!(
        fs::exists(PEBBLE).unwrap(),
        "{PEBBLE} is missing; the Debian package is called pebble"
    );
    let lines = include_str!("../pebble.tsv").lines();
    let expected: BTreeSet<_> = lines.filter_map(|line| line.split('\t').next()).collect();
    // Its locks can wait for each other when an authorization is read while its validation ends, and answers to two
    // challenges at once race in it. What differs every time is a difference.
    let mut last = String::new();
    for _ in 0..4 {
        let report = run().await;
        if report.died {
            continue;
        }
        workspace_target().write("conformance-pebble.md", &report.markdown());
        let failed = report.failed();
        let new: Vec<_> = failed.difference(&expected).collect();
        let gone: Vec<_> = expected.difference(&failed).collect();
        if new.is_empty() && gone.is_empty() {
            return;
        }
        last = format!(
            "not in pebble.tsv: {new:?}; in pebble.tsv, and met: {gone:?}\n{}",
            report.summary()
        );
    }
    panic!("{last}");
}

async fn run() -> Report {
    let any = "127.0.0.1:0".parse().unwrap();
    let dns = Dns::start(any, Some(any)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (root, leaf, key) = api_certificate();
    fs::write(path("root.pem"), root).unwrap();
    fs::write(path("api.pem"), leaf).unwrap();
    fs::write(path("api.key"), key.to_pkcs8_pem().as_bytes()).unwrap();
    let (listen, http_port, tls_port) = (free_port(), free_port(), free_port());
    let config = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{listen}"),
        "managementListenAddress": format!("127.0.0.1:{}", free_port()),
        "certificate": path("api.pem"),
        "privateKey": path("api.key"),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "externalAccountMACKeys": { "conformance": jose::base64url::encode(MAC_KEY) },
    }});
    fs::write(path("pebble.json"), config.to_string()).unwrap();
    let mut command = Command::new(PEBBLE);
    command.arg("-config").arg(path("pebble.json"));
    command.args(["-dnsserver", &dns.dns_addr.to_string()]);
    command.envs([
        ("PEBBLE_VA_NOSLEEP", "1"),
        ("PEBBLE_WFE_NONCEREJECT", "0"),
        ("PEBBLE_AUTHZREUSE", "0"),
    ]);
    let _pebble = Server::start(command, &[]);
    listens(listen).await;
    report(conformance::Options {
        http_port: Some(http_port),
        tls_port: Some(tls_port),
        challtestsrv: dns.control_addr.map(|addr| format!("http://{addr}")),
        parallel: 1,
        pause: Duration::from_millis(100),
        skip: SKIPPED.map(str::to_owned).to_vec(),
        external_key: Some(ExternalKey {
            kid: "conformance".into(),
            key: MAC_KEY.to_vec(),
        }),
        ..conformance::Options::new(format!("https://localhost:{listen}/dir"), path("root.pem"))
    })
    .await
}

/// A root as PEM, and a certificate for localhost below it with its key.
fn api_certificate() -> (String, String, KeyPair) {
    let (root_key, key) = (KeyPair::generate_p256(), KeyPair::generate_p256());
    let root_name = DistinguishedName::with_common_name("conformance root").unwrap();
    let certificate = |serial, subject: &DistinguishedName, of: &KeyPair, extensions| {
        let tbs = TbsCertificate {
            serial: Serial::from_random([serial; 16]),
            signature_algorithm: root_key.algorithm(),
            issuer: root_name.clone(),
            not_before: "2024-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2049-01-01T00:00:00Z".parse().unwrap(),
            subject: subject.clone(),
            public_key: of.public_key().clone(),
            extensions,
        };
        let tbs = tbs.to_der();
        pkix::pem::encode_certificate(&assemble(&tbs, root_key.algorithm(), &root_key.sign(&tbs)))
    };
    let root = certificate(1, &root_name, &root_key, vec![extension::basic_constraints(true, None)]);
    let names = [GeneralName::Dns("localhost".into())];
    let leaf = certificate(
        2,
        &DistinguishedName::empty(),
        &key,
        vec![
            extension::subject_alternative_names(&names, true).unwrap(),
            extension::extended_key_usage(&[oid::SERVER_AUTH]),
        ],
    );
    (root, leaf, key)
}

async fn listens(port: u16) {
    for _ in 0..500 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("pebble does not listen");
}
