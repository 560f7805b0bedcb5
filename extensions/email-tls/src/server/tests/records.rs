//! Proofs in the DNS, and the draft's capabilities.

use acme::ProblemType::{IncorrectResponse, Unauthorized};
use authority::ports::Report;

use super::world::{HOST, Server, World, at, honest, key_authorization};
use crate::value::Bound;

const IMAPS: (&str, &str) = ("srv", "_imaps.alpha.test");
const PLACE: &str = "_993._imaps._acme-challenge.alpha.test";

async fn proved(world: World, method: &str, places: &[&str]) -> Result<(), String> {
    let Report { verdict, .. } = world.validate(method, IMAPS, places).await;
    verdict.map_err(|problem| {
        assert_eq!(problem.kind, Unauthorized, "{}", problem.detail);
        problem.detail
    })
}

fn digest() -> String {
    key_authorization().dns_value()
}

// ETLS-P-8, ETLS-P-10, RFC 7817 4.1
#[tokio::test]
async fn dns_01_of_a_service_is_at_its_own_name_and_at_the_domain_s_by_policy() {
    let at_service = || World::new().txt("_acme-challenge._imaps.alpha.test", &digest());
    assert_eq!(proved(at_service(), "dns-01", &[]).await, Ok(()));
    let at_domain = || World::new().txt("_acme-challenge.alpha.test", &digest());
    let detail = proved(at_domain(), "dns-01", &[]).await.unwrap_err();
    assert!(detail.contains("_acme-challenge._imaps.alpha.test"), "{detail}");
    let by_policy = World {
        srv_by_domain: true,
        ..at_domain()
    };
    assert_eq!(proved(by_policy, "dns-01", &[]).await, Ok(()));
    // Never the reverse.
    let report = at_service().validate("dns-01", ("dns", "alpha.test"), &[]).await;
    assert!(report.verdict.is_err());
}

// ETLS-3.3-1
#[tokio::test]
async fn the_draft_s_record_is_the_plain_digest_below_port_and_service() {
    let world = || World::new().txt(PLACE, &digest());
    assert_eq!(proved(world(), "dns-email-00", &["imaps:993"]).await, Ok(()));
    let plain = World::new().txt("_acme-challenge.alpha.test", &digest());
    assert!(proved(plain, "dns-email-00", &["imaps:993"]).await.is_err());
    // A record for one port proves nothing at another, and nothing by dns-01.
    assert!(proved(world(), "dns-email-00", &["imaps:1993"]).await.is_err());
    assert!(proved(world(), "dns-01", &[]).await.is_err());
    let detail = proved(world(), "dns-email-00", &["imap:143"]).await.unwrap_err();
    assert!(detail.contains("imap:143 proves nothing about"), "{detail}");
}

// ETLS-P-3
#[tokio::test]
async fn the_record_of_our_own_is_bound_to_service_and_port() {
    let value = |place: &str| Bound::DnsService.value(&key_authorization(), at(place));
    let right = || World::new().txt(PLACE, &value("imaps:993"));
    assert_eq!(proved(right(), "dns-service-01", &["imaps:993"]).await, Ok(()));
    // The registered port, where none is named.
    assert_eq!(proved(right(), "dns-service-01", &[]).await, Ok(()));
    assert!(proved(right(), "dns-email-00", &["imaps:993"]).await.is_err());
    for (wrong, why) in [
        (digest(), "the digest of dns-01"),
        (value("imap:143"), "is not the proof"),
        ("\u{1b}[31m".to_owned(), "is not the proof"),
    ] {
        let detail = proved(World::new().txt(PLACE, &wrong), "dns-service-01", &[])
            .await
            .unwrap_err();
        assert!(detail.contains(why) && !detail.contains('\u{1b}'), "{detail}");
    }
    let detail = proved(World::new(), "dns-service-01", &[]).await.unwrap_err();
    assert!(detail.contains("NXDOMAIN"), "{detail}");
}

// ETLS-3.4-1, ETLS-3.4-2, ETLS-3.4-3, ETLS-3.4.1-1, ETLS-3.4.1-2, ETLS-P-5
#[tokio::test]
async fn the_draft_s_capabilities_have_the_digest_with_padding_or_without() {
    for (method, place, keyword) in [
        ("capability-smtp-00", "smtp:25", "ACME "),
        ("capability-smtp-00", "submission:587", "acme "),
        ("capability-smtp-00", "submissions:465", "ACME "),
        ("capability-smtp-00", "lmtp:24", "ACME "),
        ("capability-imap-00", "imap:143", "ACME="),
        ("capability-imap-00", "imaps:993", "Acme="),
        ("capability-pop-00", "pop3:110", "ACME "),
        ("capability-pop-00", "pop3s:995", "ACME "),
    ] {
        let upper = digest().to_ascii_uppercase();
        for (value, is_it) in [
            (digest(), true),
            (digest() + "=", true),
            (digest() + "==", false),
            (upper, false),
        ] {
            let server = Server::start(honest(place, "ready", &format!("{keyword}{value}"))).await;
            let report = World::with(place, &server)
                .validate(method, ("dns", HOST), &[place])
                .await;
            let kind = report.verdict.map_err(|problem| problem.kind);
            let expected = if is_it { Ok(()) } else { Err(IncorrectResponse) };
            assert_eq!(kind, expected, "{place} {value}");
        }
    }
}
