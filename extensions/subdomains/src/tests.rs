use authority::{
    identifier::{self, IdentifierType},
    model::{AccountId, AuthorizationId, AuthorizationState},
};
use jiff::Timestamp;
use serde_json::json;

use super::*;

const RULE: Subdomains = Subdomains {
    registered_domain: |name| psl::domain_str(name).map(str::to_owned),
};

fn name(text: &str) -> Name {
    identifier::Dns.admit(text).unwrap()
}

fn address() -> Name {
    let address = Identifier::ip("192.0.2.1");
    let target = authority::identifier::Target::Address("192.0.2.1".parse().unwrap());
    Name::admitted(address.clone(), address, target)
}

fn member(name: &str, value: Value) -> Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

fn ways(text: &str, ancestor: Option<&str>) -> Ways {
    let members = ancestor.map(|ancestor| member(ANCESTOR, ancestor.into()));
    RULE.ways(&name(text), &members.unwrap_or_default()).unwrap()
}

fn others(ways: &Ways) -> Vec<&str> {
    ways.others.iter().map(|other| other.value.as_str()).collect()
}

fn authorization(domain: &str, members: Map<String, Value>) -> Authorization {
    Authorization {
        id: AuthorizationId(1),
        account: AccountId(1),
        identifier: Identifier::dns(domain),
        wildcard: true,
        members,
        challenges: Vec::new(),
        expires: Timestamp::UNIX_EPOCH,
        state: AuthorizationState::Pending,
        version: 0,
    }
}

// 9444-4.3-1
#[test]
fn a_new_authorization_is_for_the_ancestor_that_was_named_and_existing_ones_count_up_to_it() {
    for ancestor in ["bar.example.org", "example.org", "EXAMPLE.org"] {
        let ways = ways("foo.bar.example.org", Some(ancestor));
        let ancestor = ancestor.to_ascii_lowercase();
        let wider = ways.wider.as_ref().unwrap();
        assert_eq!(wider.identifier.value, format!("*.{ancestor}"));
        assert_eq!(wider.members, member(ALLOWED, true.into()));
        let levels = ["foo.bar.example.org", "bar.example.org", "example.org"];
        let up_to = levels.iter().position(|level| *level == ancestor).unwrap();
        assert_eq!(others(&ways), levels[..=up_to]);
    }
}

// 9444-4.2-1: after newAuthz the orders name no ancestor (RFC 9444 §5).
#[test]
fn without_an_ancestor_whatever_was_authorized_up_to_the_registered_domain_counts() {
    let of = |name| ways(name, None);
    assert_eq!(
        others(&of("a.b.example.co.uk")),
        ["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"]
    );
    assert_eq!(others(&of("*.example.org")), ["example.org"]);
    assert!(others(&of("localhost")).is_empty());
    assert_eq!(of("a.b.example.co.uk").wider, None);
    let deep = format!("{}example.org", "a.".repeat(60));
    assert_eq!(of(&deep).others.len(), MOST_LABELS);
    let named = ways(&deep, Some("example.org"));
    assert_eq!(others(&named).last(), Some(&"example.org"));
}

// 9444-4.3-2
#[test]
fn what_is_no_ancestor_is_malformed_and_named() {
    for (text, wrong) in [
        ("ooo.example.com", json!("oo.example.com")),
        ("ooo.example.com", json!("ooo.example.com")),
        ("ooo.example.com", json!("a.ooo.example.com")),
        ("ooo.example.com", json!("example.org")),
        ("ooo.example.com", json!("example.com.")),
        ("ooo.example.com", json!("")),
        ("ooo.example.com", json!("*.example.com")),
        ("*.example.com", json!("*.example.com")),
        ("ooo.example.com", json!(7)),
        ("ooo.example.com", Value::Null),
        ("ooo.example.com", json!(["example.com"])),
    ] {
        let problem = RULE.ways(&name(text), &member(ANCESTOR, wrong.clone())).unwrap_err();
        assert_eq!(problem.kind, ProblemType::Malformed, "{wrong}");
        assert!(problem.detail.contains(&wrong.to_string()), "{problem}");
        assert!(problem.detail.contains(text), "{problem}");
    }
    let long = json!("é".repeat(10_000));
    let problem = RULE.ways(&name("a.example.com"), &member(ANCESTOR, long)).unwrap_err();
    assert!(problem.detail.len() < 1000);
    let problem = RULE
        .ways(&address(), &member(ANCESTOR, "example.com".into()))
        .unwrap_err();
    assert_eq!(problem.kind, ProblemType::Malformed);
    assert_eq!(RULE.ways(&address(), &Map::new()).unwrap(), Ways::default());
}

// 9444-S-1
#[test]
fn a_public_suffix_is_nobody_s_to_authorize_below() {
    for (text, suffix) in [
        ("example.co.uk", "co.uk"),
        ("example.co.uk", "uk"),
        ("example.com", "com"),
        ("mine.github.io", "github.io"),
        ("host.internal", "internal"),
        ("*.co.uk", "co.uk"),
    ] {
        let problem = RULE.ways(&name(text), &member(ANCESTOR, suffix.into())).unwrap_err();
        assert_eq!(problem.kind, ProblemType::RejectedIdentifier, "{suffix}");
        assert!(
            problem.detail.contains("public suffix") && problem.detail.contains(suffix),
            "{problem}"
        );
        let ahead = RULE.ahead(&name(suffix), &member(ALLOWED, true.into()));
        assert_eq!(ahead.unwrap(), None, "{suffix}");
    }
}

// 9444-4.2-1, 9444-4.1-1
#[test]
fn new_authz_is_for_subdomains_if_it_says_so_and_for_dns_names_only() {
    let ahead = |name: &Name, value: Value| RULE.ahead(name, &member(ALLOWED, value));
    let domain = name("example.org");
    assert_eq!(ahead(&domain, true.into()).unwrap(), Some(covering("example.org")));
    assert_eq!(ahead(&domain, false.into()).unwrap(), None);
    assert_eq!(RULE.ahead(&domain, &Map::new()).unwrap(), None);
    assert_eq!(ahead(&address(), true.into()).unwrap(), None);
    for wrong in [json!("true"), json!(1), Value::Null] {
        let problem = ahead(&domain, wrong.clone()).unwrap_err();
        assert_eq!(problem.kind, ProblemType::Malformed, "{wrong}");
    }
}

// 9444-4.1-1, 9444-4.1-2
#[test]
fn it_covers_the_domain_all_below_it_and_wildcards_if_it_says_so() {
    let covered = [
        "example.org",
        "a.example.org",
        "b.a.example.org",
        "*.example.org",
        "*.a.example.org",
    ];
    let with = |members| authorization("example.org", members);
    for text in covered {
        assert!(RULE.covers(&with(member(ALLOWED, true.into())), &name(text)), "{text}");
        for other in [
            Map::new(),
            member(ALLOWED, false.into()),
            member(ALLOWED, "true".into()),
        ] {
            assert!(!RULE.covers(&with(other), &name(text)), "{text}");
        }
    }
    let allowed = with(member(ALLOWED, true.into()));
    for text in ["example.com", "notexample.org", "*.org", "org"] {
        assert!(!RULE.covers(&allowed, &name(text)), "{text}");
    }
    assert!(!RULE.covers(&allowed, &address()));
}

// 9444-4.4-1
#[test]
fn the_directory_says_that_it_authorizes_subdomains() {
    let mut meta = Map::new();
    describe(&mut meta);
    assert_eq!(meta, member("subdomainAuthAllowed", true.into()));
}
