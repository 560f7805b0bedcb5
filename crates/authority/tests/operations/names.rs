//! A certificate's names are its order's, whatever a CSR says (8555-7.4-8, INCIDENTS T3).

use acme::OrderStatus;
use authority::Refusal;
use pkix::{
    certificate::Certificate,
    csr::build_csr,
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
};

use crate::world::{World, clock::Dice, general_name, refusal};

fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(name.to_owned())
}

/// A name of every kind that a certificate can carry and the order does not have.
fn strangers() -> Vec<GeneralName> {
    let directory = DistinguishedName::with_common_name("a.example").unwrap().into_der();
    // x400Address [3] and ediPartyName [5] with nothing in them that anybody reads.
    let unknown = |tag| GeneralName::Unknown {
        tag,
        der: vec![0xa0 | tag, 2, 0x30, 0],
    };
    vec![
        dns("b.example"),
        dns("sub.a.example"),
        dns("*.a.example"),
        dns("example"),
        dns("a.example."),
        dns("a.example\0"),
        dns("a.example\0.b.example"),
        dns(" a.example"),
        dns("xn--a.example"),
        dns("b\u{7f}.example"),
        dns("192.0.2.1"),
        dns(""),
        GeneralName::Ip("192.0.2.1".parse().unwrap()),
        GeneralName::Ip("2001:db8::1".parse().unwrap()),
        GeneralName::Email("root@a.example".into()),
        GeneralName::Uri("https://a.example/".into()),
        GeneralName::srv("_imap.a.example").unwrap(),
        GeneralName::smtp_utf8_mailbox("röot@a.example").unwrap(),
        GeneralName::OtherName {
            oid: "1.3.6.1.4.1.311.20.2.3".into(),
            value_der: vec![0x0c, 1, b'a'],
        },
        GeneralName::Directory(directory),
        GeneralName::RegisteredId("1.2.3.4".into()),
        unknown(3),
        unknown(5),
    ]
}

// T3, 8555-7.4-8
#[tokio::test]
async fn t3_a_surplus_name_of_any_kind_is_refused() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let key = KeyPair::generate_p256();
    for stranger in strangers() {
        for names in [
            [dns("a.example"), stranger.clone()],
            [stranger.clone(), dns("a.example")],
        ] {
            let csr = build_csr(&key, None, &names).unwrap();
            let outcome = world.authority.finalize(&account, order.order.id, &csr).await;
            assert!(matches!(refusal(outcome), Refusal::BadCsr(_)), "{stranger:?}");
        }
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    }
    assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));
}

// T3, 8555-7.4-8
#[tokio::test]
async fn t3_the_common_name_counts_as_a_name_and_must_be_ordered() {
    let cases: &[(&[&str], Option<&str>, &[&str], bool)] = &[
        (&["a.example"], Some("a.example"), &[], true),
        (&["a.example"], Some("A.Example"), &[], true),
        (&["a.example"], Some("a.example"), &["a.example"], true),
        (&["a.example", "b.example"], Some("b.example"), &["a.example"], true),
        (&["*.a.example"], Some("*.a.example"), &[], true),
        (&["192.0.2.1"], Some("192.0.2.1"), &["192.0.2.1"], true),
        (&["a.example"], None, &[], false),
        (&["a.example"], Some("b.example"), &["a.example"], false),
        (&["a.example"], Some("Alice"), &["a.example"], false),
        (&["a.example"], Some("a.example."), &["a.example"], false),
        (&["a.example"], Some("a.example b.example"), &["a.example"], false),
        (&["a.example", "b.example"], Some("a.example"), &["a.example"], false),
        (&["a.example", "b.example"], Some("a.example"), &[], false),
        // An address is named by iPAddress alone (RFC 8738 §3).
        (&["192.0.2.1"], Some("192.0.2.1"), &[], false),
        (&["*.a.example"], Some("a.example"), &["*.a.example"], false),
        (&["a.example"], Some("*.a.example"), &["a.example"], false),
    ];
    let world = World::new().await;
    let account = world.account().await;
    let key = KeyPair::generate_p256();
    for (ordered, common_name, alternative, accepted) in cases {
        let order = world.ready(&account, ordered).await;
        let names: Vec<_> = alternative.iter().map(|name| general_name(name)).collect();
        let csr = build_csr(&key, *common_name, &names).unwrap();
        let outcome = world.authority.finalize(&account, order.order.id, &csr).await;
        let case = format!("{ordered:?}: CN {common_name:?}, SAN {alternative:?}");
        if *accepted {
            assert_eq!(world.status(&outcome.unwrap()), OrderStatus::Valid, "{case}");
            let (_, der) = world.certificate(&account, order.order.id).await.unwrap();
            let names: Vec<_> = ordered.iter().map(|name| general_name(name)).collect();
            assert_eq!(Certificate::parse(&der).unwrap().names(), names, "{case}");
        } else {
            assert!(matches!(refusal(outcome), Refusal::BadCsr(_)), "{case}");
        }
    }
}

// T3
#[tokio::test]
async fn t3_letter_case_is_folded_and_repetition_means_nothing() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example", "b.example"]).await;
    let names = ["B.EXAMPLE", "a.example", "A.example", "b.example"].map(dns);
    let csr = build_csr(&KeyPair::generate_p256(), None, &names).unwrap();
    world.authority.finalize(&account, order.order.id, &csr).await.unwrap();
    let (_, der) = world.certificate(&account, order.order.id).await.unwrap();
    let certificate = Certificate::parse(&der).unwrap();
    assert_eq!(certificate.names(), ["a.example", "b.example"].map(dns));
}

// T3: for any order and any CSR, what is issued is what was ordered, and it is issued only where the sets are the same.
#[tokio::test]
async fn t3_issued_identifiers_are_the_orders_identifiers() {
    const POOL: [&str; 8] = [
        "a.example",
        "b.example",
        "*.a.example",
        "*.b.example",
        "www.a.example",
        "xn--bcher-kva.example",
        "192.0.2.1",
        "2001:db8::1",
    ];
    let world = World::new().await;
    let account = world.account().await;
    let key = KeyPair::generate_p256();
    let mut dice = Dice::new(3);
    let (mut issued, mut refused) = (0, 0);
    for _ in 0..120 {
        let mut pick = || -> Vec<&str> {
            let chosen = 1 + dice.below(3);
            (0..chosen).map(|_| POOL[dice.below(4 * chosen).min(7)]).collect()
        };
        let (ordered, mut asked) = (pick(), pick());
        if dice.below(2) == 0 {
            asked = ordered.clone();
            let turn = dice.below(asked.len());
            asked.rotate_left(turn);
        }
        let order = world.ready(&account, &ordered).await;
        let names: Vec<_> = asked.iter().map(|name| general_name(name)).collect();
        let csr = build_csr(&key, None, &names).unwrap();
        let outcome = world.authority.finalize(&account, order.order.id, &csr).await;
        let set = |names: &[&str]| -> std::collections::BTreeSet<GeneralName> {
            names.iter().map(|name| general_name(name)).collect()
        };
        if set(&ordered) == set(&asked) {
            outcome.unwrap();
            let (_, der) = world.certificate(&account, order.order.id).await.unwrap();
            let certificate = Certificate::parse(&der).unwrap();
            let found: Vec<_> = certificate.names().to_vec();
            assert_eq!(found.len(), set(&ordered).len());
            assert_eq!(
                found.into_iter().collect::<std::collections::BTreeSet<_>>(),
                set(&ordered)
            );
            issued += 1;
        } else {
            assert!(matches!(refusal(outcome), Refusal::BadCsr(_)), "{ordered:?} {asked:?}");
            refused += 1;
        }
    }
    assert!(issued > 30 && refused > 30, "{issued} issued, {refused} refused");
}

// 9799-2-1, RFC 7686
#[tokio::test]
async fn a_hidden_service_is_no_dns_name() {
    let world = World::new().await;
    let account = world.account().await;
    for name in [
        "onion",
        "a.onion",
        "*.a.onion",
        "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
    ] {
        let refused = refusal(
            world
                .authority
                .new_order(&account, crate::world::new_order(&[name]))
                .await,
        );
        assert!(format!("{refused:?}").contains("7686"), "{name}: {refused:?}");
    }
}
