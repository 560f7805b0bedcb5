//! What is said of a certificate that somebody asks about, and incidents (RFC 9773 §4).

use std::{sync::Arc, time::Duration};

use acme::{RenewalId, RenewalInfo, Window};
use ari::incident::{self, Declaration, Rule};
use authority::{Failure, Refusal, model::Account, operations::Requester};
use jose::base64url;
use pkix::certificate::Serial;
use server::{OpenReply, OpenResource};

use crate::world::{DAY, HOUR, Issued, World, new_order_with, refusal};

fn resource() -> Arc<dyn OpenResource> {
    ari::resource(ari::Settings {
        retry_after: HOUR * 6,
        explanation_url: Some("https://ca.example/revoked".into()),
    })
}

pub fn id_of(issued: &Issued) -> RenewalId {
    let certificate = issued.certificate();
    RenewalId::new(
        certificate.authority_key_identifier().unwrap(),
        certificate.serial().der_content(),
    )
}

async fn get(world: &World, path: &str) -> Result<OpenReply, Failure> {
    resource().get(&world.authority, path).await
}

async fn ask(world: &World, issued: &Issued) -> RenewalInfo {
    let reply = get(world, &id_of(issued).to_string()).await.unwrap();
    serde_json::from_slice(&reply.body).unwrap()
}

fn declaration(name: &str) -> Declaration {
    Declaration {
        name: name.into(),
        window: None,
        explanation_url: "https://ca.example/incident".into(),
        rule: None,
        serials: Vec::new(),
    }
}

// 9773-4.2-1, 9773-4.2-2
#[tokio::test]
async fn anybody_may_ask_when_a_certificate_should_be_renewed() {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    let reply = get(&world, &id_of(&issued).to_string()).await.unwrap();
    assert_eq!(
        (reply.content_type, reply.retry_after),
        ("application/json", Some(6 * 60 * 60))
    );
    let info: RenewalInfo = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(info.explanation_url, None);
    let Window { start, end } = info.suggested_window;
    let now = world.clock.now();
    assert!(
        now + DAY * 29 < start && start < end && end < now + DAY * 31,
        "{start} {end}"
    );
}

// 9773-4.1-2
#[tokio::test]
async fn a_name_that_no_certificate_has_is_not_found_and_what_is_no_name_is_malformed() {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    let id = id_of(&issued);
    let other_key = RenewalId::new([1; 20], id.serial());
    let other_serial = RenewalId::new(id.key_identifier(), [1; 16]);
    let not_minimal = RenewalId::new(id.key_identifier(), [&[0], id.serial()].concat());
    let negative = RenewalId::new(id.key_identifier(), [0x87]);
    for unknown in [other_key, other_serial, not_minimal, negative] {
        assert_eq!(
            refusal(get(&world, &unknown.to_string()).await),
            Refusal::NotFound,
            "{unknown}"
        );
    }
    for malformed in [
        String::new(),
        "x".into(),
        format!("{id}/"),
        format!("{id}="),
        format!("{id}.{id}"),
    ] {
        assert!(
            matches!(refusal(get(&world, &malformed).await), Refusal::Malformed(_)),
            "{malformed}"
        );
    }
    // Half of it is not enough.
    let serial = base64url::encode(id.serial());
    assert!(matches!(refusal(get(&world, &serial).await), Refusal::Malformed(_)));
}

// 9773-5-4
#[tokio::test]
async fn a_revoked_certificate_is_to_be_renewed_at_once() {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    let requester = Requester::Account(account);
    world.authority.revoke(&requester, &issued.der, None).await.unwrap();
    let info = ask(&world, &issued).await;
    assert!(info.suggested_window.end < world.clock.now() && info.suggested_window.is_valid());
    assert_eq!(info.explanation_url.as_deref(), Some("https://ca.example/revoked"));
}

async fn is_affected(world: &World, issued: &Issued) -> bool {
    let info = ask(world, issued).await;
    let passed = info.suggested_window.end < world.clock.now();
    assert_eq!(passed, info.explanation_url.is_some());
    passed
}

async fn issued_short(world: &World, account: &Arc<Account>, name: &str) -> Issued {
    let request = new_order_with(&[name], "profile", "short");
    let order = world.authority.new_order(account, request).await.unwrap();
    world.respond(account, &order, 0, 0).await;
    let key = pkix::key::KeyPair::generate_p256();
    let csr = crate::world::csr_of(&key, &[name]);
    let order = world.authority.finalize(account, order.order.id, &csr).await.unwrap();
    let (record, der) = world.certificate(account, order.order.id).await.unwrap();
    Issued {
        order,
        key,
        record,
        der,
    }
}

// 9773-5-4
#[tokio::test]
async fn t29_an_incident_affects_what_it_lists_and_what_its_rule_describes_until_it_is_withdrawn() {
    let world = World::new().await;
    let (ann, bob) = (world.account().await, world.account().await);
    let first = world.issue(&ann, &["a.example"]).await;
    world.pass(HOUR).await;
    let second = issued_short(&world, &ann, "b.example").await;
    let third = world.issue(&bob, &["c.example"]).await;
    world.pass(HOUR).await;
    let rule = |rule: Rule| Declaration {
        rule: Some(rule),
        ..declaration("i")
    };
    let serials = Declaration {
        serials: vec![second.record.serial.clone(), Serial::from_hex("1234").unwrap()],
        ..declaration("i")
    };
    let by_account = Rule {
        account: Some(ann.id),
        ..Rule::default()
    };
    let by_key = Rule {
        key_sha256: Some(third.record.key_sha256),
        ..Rule::default()
    };
    let by_time = Rule {
        from: Some(second.record.planned),
        until: Some(second.record.planned + Duration::from_secs(1)),
        ..Rule::default()
    };
    let by_both = Rule {
        account: Some(ann.id),
        ..by_time.clone()
    };
    for (declared, affected) in [
        (serials, [false, true, false]),
        (rule(by_account), [true, true, false]),
        (rule(by_key), [false, false, true]),
        (rule(by_time), [false, true, true]),
        (rule(by_both), [false, true, false]),
    ] {
        let said = format!("{declared:?}");
        incident::declare(&world.authority, declared).await.unwrap();
        let seen = [
            is_affected(&world, &first).await,
            is_affected(&world, &second).await,
            is_affected(&world, &third).await,
        ];
        assert_eq!(seen, affected, "{said}");
        assert_eq!(incident::list(&world.authority).await.unwrap().len(), 1);
        incident::withdraw(&world.authority, "i").await.unwrap();
        assert!(incident::list(&world.authority).await.unwrap().is_empty());
        for issued in [&first, &second, &third] {
            assert!(!is_affected(&world, issued).await, "{said}");
        }
    }
}

// T29
#[tokio::test]
async fn an_incident_has_a_name_of_its_own_a_page_and_something_it_affects() {
    let world = World::new().await;
    let rule = Some(Rule {
        key_sha256: Some([1; 32]),
        ..Rule::default()
    });
    let good = Declaration {
        rule: rule.clone(),
        ..declaration("key-1")
    };
    incident::declare(&world.authority, good.clone()).await.unwrap();
    let now = world.clock.now();
    for wrong in [
        good.clone(),
        Declaration {
            name: String::new(),
            ..good.clone()
        },
        Declaration {
            name: "a/b".into(),
            ..good.clone()
        },
        Declaration {
            rule: Some(Rule::default()),
            ..declaration("b")
        },
        Declaration {
            explanation_url: "why".into(),
            ..Declaration {
                name: "c".into(),
                ..good.clone()
            }
        },
        Declaration {
            window: Some(Window { start: now, end: now }),
            name: "d".into(),
            ..good
        },
    ] {
        let said = format!("{wrong:?}");
        let refused = refusal(incident::declare(&world.authority, wrong).await);
        assert!(matches!(refused, Refusal::Malformed(_)), "{said}");
    }
    for unknown in ["b", "", "a/b"] {
        assert!(matches!(
            refusal(incident::withdraw(&world.authority, unknown).await),
            Refusal::Malformed(_)
        ));
    }
}

/// A hundred thousand serials: what is asked about one certificate does not read the others.
#[tokio::test]
async fn t29_a_hundred_thousand_serials_cost_no_more_to_ask_about_than_one() {
    let world = World::new().await;
    let account = world.account().await;
    let (listed, free) = (
        world.issue(&account, &["a.example"]).await,
        world.issue(&account, &["b.example"]).await,
    );
    let serial = |n: u32| {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&n.to_be_bytes());
        Serial::from_random(octets)
    };
    let mut serials: Vec<_> = (0..100_000).map(serial).collect();
    serials.insert(50_000, listed.record.serial.clone());
    let declared = Declaration {
        serials: serials.clone(),
        ..declaration("caa-2020")
    };
    incident::declare(&world.authority, declared).await.unwrap();
    let before = world.store.records_listed();
    assert!(is_affected(&world, &listed).await);
    assert!(!is_affected(&world, &free).await);
    let read = world.store.records_listed() - before;
    assert!(read < 20, "{read} records were read");
    // Whatever is on the list already stays; what broke off is finished so.
    incident::extend(
        &world.authority,
        "caa-2020",
        &[serials[0].clone(), free.record.serial.clone()],
    )
    .await
    .unwrap();
    assert!(is_affected(&world, &free).await);
    incident::withdraw(&world.authority, "caa-2020").await.unwrap();
    assert!(!is_affected(&world, &listed).await);
}

// 9773-5-4
#[tokio::test]
async fn of_several_incidents_the_most_urgent_counts() {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    let now = world.clock.now();
    for (name, from) in [("later", 5), ("sooner", 2)] {
        let declared = Declaration {
            window: Some(Window {
                start: now + DAY * from,
                end: now + DAY * (from + 1),
            }),
            explanation_url: format!("https://ca.example/{name}"),
            serials: vec![issued.record.serial.clone()],
            ..declaration(name)
        };
        incident::declare(&world.authority, declared).await.unwrap();
    }
    let info = ask(&world, &issued).await;
    assert_eq!(info.explanation_url.as_deref(), Some("https://ca.example/sooner"));
    assert_eq!(info.suggested_window.start, now + DAY * 2);
    incident::withdraw(&world.authority, "sooner").await.unwrap();
    let info = ask(&world, &issued).await;
    assert_eq!(info.explanation_url.as_deref(), Some("https://ca.example/later"));
}
