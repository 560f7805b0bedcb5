//! What is offered for what, and in which orders.

use acme::Identifier;
use serde_json::json;

use super::world::{HOST, World};

fn offered(world: World, profile: &str, kind: &str, name: &str) -> Vec<&'static str> {
    let registry = world.registry();
    let name = registry.admit(&Identifier::new(kind, name)).unwrap();
    registry
        .methods_in(profile, &name)
        .map(|method| method.name())
        .collect()
}

// ETLS-3-1, ETLS-P-7, ETLS-P-8, ETLS-P-10
#[test]
fn a_name_is_proved_by_what_speaks_for_it() {
    let base = ["http-01", "dns-01", "tls-alpn-01"];
    let probes = ["capability-smtp-00", "capability-imap-00", "capability-pop-00"];
    let of_host = [&base[..], &["mail-greeting-01"], &probes].concat();
    assert_eq!(offered(World::new(), "mail", "dns", HOST), of_host);
    assert_eq!(offered(World::new(), "mail", "dns", "*.alpha.test"), ["dns-01"]);
    let of_service = [
        "dns-01",
        "mail-greeting-01",
        "dns-service-01",
        "mail-srv-01",
        "dns-email-00",
        "capability-imap-00",
    ];
    assert_eq!(offered(World::new(), "mail", "srv", "_imaps.alpha.test"), of_service);
    let by_record = World {
        domain_by_service: true,
        ..World::new()
    };
    let of_domain = offered(by_record, "mail", "dns", "alpha.test");
    assert!(of_domain.contains(&"dns-service-01") && of_domain.contains(&"dns-email-00"));
    assert!(!of_domain.contains(&"mail-srv-01"));
    let by_srv = World {
        domain_by_srv: true,
        ..World::new()
    };
    let of_domain = offered(by_srv, "mail", "dns", "alpha.test");
    assert!(of_domain.contains(&"mail-srv-01") && !of_domain.contains(&"dns-service-01"));
}

// What listens on port 25 says nothing about port 443.
#[test]
fn in_orders_of_another_profile_nothing_of_mail_is_offered() {
    let base = ["http-01", "dns-01", "tls-alpn-01"];
    assert_eq!(offered(World::new(), "default", "dns", HOST), base);
    assert_eq!(offered(World::new(), "default", "srv", "_imaps.alpha.test"), [""; 0]);
}

// ETLS-P-2
#[test]
fn a_challenge_shows_where_it_would_look() {
    let registry = World {
        listed: vec!["imaps:1993"],
        ..World::new()
    }
    .registry();
    let method = registry.method("mail-greeting-01").unwrap();
    let name = registry.admit(&Identifier::new("srv", "_imaps.alpha.test")).unwrap();
    let expected = json!([{"service": "imaps", "port": 993}, {"service": "imaps", "port": 1993}]);
    assert_eq!(method.members(&name, "")["services"], expected);
    let name = registry.admit(&Identifier::new("dns", HOST)).unwrap();
    assert_eq!(method.members(&name, "")["services"].as_array().unwrap().len(), 8);
}

// ETLS-3-3, ETLS-P-1
#[test]
fn a_response_that_cannot_be_looked_at_is_malformed() {
    let registry = World::new().registry();
    for (method, payload, why) in [
        ("capability-imap-00", json!({}), "\"service\" is missing"),
        ("dns-email-00", json!({}), "\"service\" is missing"),
        ("capability-imap-00", json!({"service": "pop3"}), "does not say what"),
        (
            "capability-pop-00",
            json!({"service": "pop3", "port": 5000}),
            "no indication that the person",
        ),
        ("mail-greeting-01", json!({"services": ["nntp"]}), "no service"),
    ] {
        let taken = registry
            .method(method)
            .unwrap()
            .take_response(payload.as_object().unwrap());
        assert!(taken.unwrap_err().contains(why), "{method} {payload}");
    }
    let taken = |method: &str| registry.method(method).unwrap().take_response(&serde_json::Map::new());
    assert_eq!(taken("mail-greeting-01"), Ok(None));
    assert_eq!(taken("dns-service-01"), Ok(None));
}
