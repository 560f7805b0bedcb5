//! The binary under the names of Pebble's programs, driven as the suites of ACME clients drive those.

mod subscriber;
mod world;

use pkix::certificate::Certificate;
use serde_json::{Value, json};
use subscriber::{Subscriber, text};
use world::{MAC_KEY, OCSP_RESPONDER, Settings, World, program};

#[tokio::test]
async fn every_challenge_is_proved_through_the_challenge_server_and_the_chain_leads_to_the_root_that_is_shown() {
    let world = World::start(Settings::default()).await;
    let subscriber = Subscriber::new(&world).await;
    for (kind, name) in [
        ("http-01", "http.example.com"),
        ("dns-01", "dns.example.com"),
        ("tls-alpn-01", "tls.example.com"),
    ] {
        let order = subscriber.new_order(name).await;
        subscriber.prove(&order, kind).await;
        if kind == "http-01" {
            // Proxies in front of suites go by the port as well.
            let asked = world.script("/http-request-history", &json!({ "host": name })).await;
            assert_eq!(asked[0]["Host"], format!("{name}:{}", world.http_port).as_str());
        }
        let chain = subscriber.issue(&order).await;
        assert_eq!(chain[0].names(), [pkix::name::GeneralName::Dns(name.into())]);
        let root = world.certificate("/roots/0").await;
        let issuing = world.certificate("/intermediates/0").await;
        assert_eq!(chain[1].der(), issuing.der());
        chain[0].verify_signed_by(&issuing.public_key().unwrap()).unwrap();
        issuing.verify_signed_by(&root.public_key().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_certificate_is_valid_to_the_management_interface_until_it_is_revoked() {
    let world = World::start(Settings {
        environment: &[("PEBBLE_VA_ALWAYS_VALID", "1")],
        ..Settings::default()
    })
    .await;
    let subscriber = Subscriber::new(&world).await;
    // Nobody answers for it: with that variable nobody looks either.
    let order = subscriber.new_order("nobody.example.com").await;
    subscriber.respond(&order, "dns-01").await;
    let certificate = &subscriber.issue(&order).await[0];
    let access = certificate.extension(&pkix::oid::AUTHORITY_INFO_ACCESS).unwrap();
    let access = pkix::extension::read_authority_info_access(&access.value).unwrap();
    assert_eq!(access.ocsp, [OCSP_RESPONDER]);
    let path = format!("/cert-status-by-serial/{}", certificate.serial());
    let seen = world.managed(&path).await.json().unwrap();
    assert_eq!(seen["Status"], "Valid");
    assert_eq!(seen["Serial"], certificate.serial().to_string());
    assert_eq!(seen["Certificate"], pkix::pem::encode_certificate(certificate.der()));
    assert_eq!((&seen["Reason"], &seen["RevokedAt"]), (&Value::Null, &Value::Null));

    let request = json!({ "certificate": jose::base64url::encode(certificate.der()), "reason": 4 });
    subscriber.post("revokeCert", &request).await.expect(200).unwrap();
    let seen = world
        .managed(
            &path
                .to_uppercase()
                .replace("/CERT-STATUS-BY-SERIAL", "/cert-status-by-serial"),
        )
        .await;
    let seen = seen.json().unwrap();
    assert_eq!((&seen["Status"], &seen["Reason"]), (&json!("Revoked"), &json!(4)));
    assert!(text(&seen["RevokedAt"]).ends_with(" +0000 UTC"), "{seen}");

    world.managed("/cert-status-by-serial/1f00").await.expect(404).unwrap();
    world.managed("/cert-status-by-serial/none").await.expect(400).unwrap();
}

#[tokio::test]
async fn alternate_roots_and_longer_chains_are_made_on_demand() {
    let world = World::start(Settings {
        environment: &[
            ("PEBBLE_ALTERNATE_ROOTS", "2"),
            ("PEBBLE_CHAIN_LENGTH", "3"),
            ("PEBBLE_VA_ALWAYS_VALID", "1"),
        ],
        ..Settings::default()
    })
    .await;
    let subscriber = Subscriber::new(&world).await;
    let order = subscriber.new_order("long.example.com").await;
    subscriber.respond(&order, "http-01").await;
    let answer = subscriber.certificate(&order).await;
    let chain = certificates(&answer.body);
    assert_eq!(chain.len(), 4);
    assert_eq!(chain[3].issuer(), world.certificate("/roots/0").await.subject());

    let alternates = answer.links("alternate");
    assert_eq!(alternates.len(), 2);
    for (number, url) in alternates.iter().enumerate() {
        let alternate = subscriber.post(url, &Value::Null).await.expect(200).unwrap();
        let alternate = certificates(&alternate.body);
        assert_eq!(alternate[0].der(), chain[0].der());
        let root = world.certificate(&format!("/roots/{}", number + 1)).await;
        assert_eq!(alternate[3].issuer(), root.subject());
    }

    let mut roots = Vec::new();
    for number in 0..3 {
        let root = world.managed(&format!("/roots/{number}")).await;
        assert_eq!(root.links("alternate").len(), 2);
        roots.push(root.body.clone());
        let issuing = world.certificate(&format!("/intermediates/{number}")).await;
        chain[0].verify_signed_by(&issuing.public_key().unwrap()).unwrap();
        for kind in ["root-keys", "intermediate-keys"] {
            let key = world.managed(&format!("/{kind}/{number}")).await.expect(200).unwrap();
            let key = pkix::key::KeyPair::from_pkcs8_pem(std::str::from_utf8(&key.body).unwrap()).unwrap();
            let owner = match kind {
                "root-keys" => world.certificate(&format!("/roots/{number}")).await,
                _ => world.certificate(&format!("/intermediates/{number}")).await,
            };
            assert_eq!(key.public_key().spki_der(), owner.spki_der());
        }
    }
    roots.dedup();
    assert_eq!(roots.len(), 3);
    for nothing in ["/roots/3", "/roots/x", "/roots", "/", "/dir"] {
        world.managed(nothing).await.expect(404).unwrap();
    }
}

#[tokio::test]
async fn a_blocked_domain_is_refused_by_its_name() {
    let world = World::start(Settings::default()).await;
    let subscriber = Subscriber::new(&world).await;
    let identifiers = ["fine.example.com", "www.blocked-domain.example"].map(acme::Identifier::dns);
    let answer = subscriber
        .post("newOrder", &json!({ "identifiers": identifiers }))
        .await;
    let problem = answer.refused(&["rejectedIdentifier"]).unwrap();
    assert_eq!(problem["subproblems"].as_array().unwrap().len(), 1);
    assert_eq!(problem["subproblems"][0]["identifier"], json!(identifiers[1]));
}

#[tokio::test]
async fn good_nonces_are_refused_as_often_as_the_environment_says() {
    let world = World::start(Settings {
        environment: &[("PEBBLE_WFE_NONCEREJECT", "99")],
        ..Settings::default()
    })
    .await;
    // A hundredth goes through; that forty in a row do happens never.
    for _ in 0..40 {
        let answer = Subscriber::without_account(&world)
            .await
            .post("newAccount", &world.new_account())
            .await;
        if answer.status == 201 {
            continue;
        }
        answer.refused_with(400, &["badNonce"]).unwrap();
        assert!(answer.nonce().is_some());
        return;
    }
    panic!("no nonce was refused");
}

#[tokio::test]
async fn external_accounts_are_those_of_the_configuration() {
    let world = World::start(Settings {
        external_account_required: true,
        ..Settings::default()
    })
    .await;
    assert_eq!(world.directory().await["meta"]["externalAccountRequired"], true);
    let subscriber = Subscriber::without_account(&world).await;
    let answer = subscriber.post("newAccount", &world.new_account()).await;
    answer.refused(&["externalAccountRequired"]).unwrap();
    for (kid, status) in [("kid-2", 403), ("kid-1", 201)] {
        let mut request = world.new_account();
        request["externalAccountBinding"] = subscriber.binding(kid, MAC_KEY);
        subscriber.post("newAccount", &request).await.expect(status).unwrap();
    }
}

#[tokio::test]
async fn authorizations_are_used_again_always_or_never() {
    for (percent, status) in [("100", "ready"), ("0", "pending")] {
        let world = World::start(Settings {
            environment: match percent {
                "0" => &[("PEBBLE_AUTHZREUSE", "0"), ("PEBBLE_VA_ALWAYS_VALID", "1")],
                _ => &[("PEBBLE_AUTHZREUSE", "100"), ("PEBBLE_VA_ALWAYS_VALID", "1")],
            },
            ..Settings::default()
        })
        .await;
        let subscriber = Subscriber::new(&world).await;
        let first = subscriber.new_order("again.example.com").await;
        subscriber.respond(&first, "http-01").await;
        let identifiers = [acme::Identifier::dns("again.example.com")];
        let second = subscriber
            .post("newOrder", &json!({ "identifiers": identifiers }))
            .await;
        assert_eq!(second.json().unwrap()["status"], status, "{percent}");
    }
}

#[tokio::test]
async fn orders_are_listed_in_small_pages() {
    let world = World::start(Settings::default()).await;
    let subscriber = Subscriber::new(&world).await;
    for number in 0..4 {
        subscriber.new_order(&format!("{number}.example.com")).await;
    }
    let account = subscriber.account().await;
    let page = subscriber.post(&text(&account["orders"]), &Value::Null).await;
    assert_eq!(page.json().unwrap()["orders"].as_array().unwrap().len(), 3);
    let next = subscriber.post(&page.links("next")[0], &Value::Null).await;
    assert_eq!(next.json().unwrap()["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn urls_begin_with_the_host_that_the_client_used() {
    let world = World::start(Settings::default()).await;
    let by_address = world.directory().await;
    let by_name = world
        .get(&world.url("/dir").replace("127.0.0.1", "localhost"))
        .await
        .json()
        .unwrap();
    for member in ["newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"] {
        let (address, name) = (text(&by_address[member]), text(&by_name[member]));
        assert!(address.starts_with("https://127.0.0.1:"), "{address}");
        assert_eq!(address.replace("127.0.0.1", "localhost"), name);
    }
}

#[tokio::test]
async fn old_forms_of_private_keys_are_read() {
    for algorithm in ["RSA", "EC"] {
        let world = World::start(Settings {
            traditional_key: Some(algorithm),
            ..Settings::default()
        })
        .await;
        assert!(world.directory().await["newOrder"].is_string());
    }
}

#[test]
fn a_command_line_that_is_wrong_is_answered_with_the_right_ones() {
    for (name, arguments, code, said) in [
        ("pebble", &["-version"][..], 0, "Pebble version: vidimus"),
        ("pebble", &["-help"], 0, "-dnsserver"),
        ("pebble", &["-bogus"], 2, "no flag -bogus"),
        (
            "pebble",
            &["-config", "/nowhere/pebble.json"],
            1,
            "/nowhere/pebble.json cannot be read",
        ),
        ("pebble_v2.8.0_linux_amd64", &["-version"], 0, "Pebble version: vidimus"),
        ("pebble-challtestsrv_v2.8.0_linux_amd64", &["--help"], 0, "-tlsalpn01"),
        ("pebble-challtestsrv", &["-http01", "nowhere"], 1, "HOST:PORT"),
        ("pebble-challtestsrv", &["-http01"], 2, "followed by nothing"),
    ] {
        let output = program(name).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name} {arguments:?}: {text}");
        assert!(text.contains(said), "{name} {arguments:?}: {text}");
    }
}

#[test]
fn the_programs_are_commands_of_the_binary_as_well() {
    for (command, said) in [("pebble", "-dnsserver"), ("pebble-challtestsrv", "-tlsalpn01")] {
        let mut vidimus = std::process::Command::new(env!("CARGO_BIN_EXE_vidimus"));
        let output = vidimus.args([command, "-help"]).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains(said), "{command}");
    }
}

/// The certificates of a PEM file.
fn certificates(pem: &[u8]) -> Vec<Certificate> {
    let chain = pkix::pem::parse_chain(std::str::from_utf8(pem).unwrap()).unwrap();
    chain.iter().map(|der| Certificate::parse(der).unwrap()).collect()
}
