//! Domains whose mail is elsewhere.

use acme::ProblemType::{self, Dns, IncorrectResponse, Unauthorized};
use authority::model::DnssecStatus::{self, Insecure, Secure, Unchecked};
use validation::resolver::ServiceHost;

use super::world::{HOST, Server, World, at, honest, key_authorization, word};
use crate::value::{Bound, in_greeting};

const CUSTOMER: (&str, &str) = ("srv", "_imaps.customer.test");

/// The customer's zone names the provider's host.
fn customer(server: &Server, dnssec: DnssecStatus, host: &str, port: u16) -> World {
    let record = |priority, port, host: &str| ServiceHost {
        priority,
        weight: 0,
        port,
        host: host.to_owned(),
    };
    let mut world = World::with("imaps:993", server);
    let records = vec![record(10, port, host)];
    world.dns.services.insert("_imaps._tcp.customer.test", records);
    world.dns.dnssec = Some(dnssec);
    world
}

fn own_word() -> String {
    in_greeting(&Bound::MailSrv.value(&key_authorization(), at("imaps:993")))
}

async fn refused(world: World, method: &str, expected: ProblemType, why: &str) {
    let problem = world.validate(method, CUSTOMER, &[]).await.verdict.unwrap_err();
    assert_eq!(problem.kind, expected, "{}", problem.detail);
    assert!(problem.detail.contains(why), "{why:?} is not in {:?}", problem.detail);
}

// ETLS-P-7, ETLS-P-10
#[tokio::test]
async fn a_signed_srv_record_and_the_word_for_it_prove_a_hosted_domain() {
    let server = Server::start(honest("imaps:993", &own_word(), "OTHER")).await;
    let world = customer(&server, Secure, HOST, 993);
    let report = world.validate("mail-srv-01", CUSTOMER, &[]).await;
    assert_eq!(report.verdict, Ok(()));
    for dnssec in [Insecure, Unchecked] {
        let why = "not secured by DNSSEC, so anybody could have made them; sign the zone of customer.test";
        refused(customer(&server, dnssec, HOST, 993), "mail-srv-01", Dns, why).await;
    }
    let before = server.heard().len();
    refused(customer(&server, Insecure, HOST, 993), "mail-srv-01", Dns, "").await;
    assert_eq!(server.heard().len(), before, "a forged record made the probe dial");
}

// ETLS-P-7
#[tokio::test]
async fn the_host_s_own_word_is_not_the_customer_s() {
    let server = Server::start(honest("imaps:993", &word("imaps:993"), "OTHER")).await;
    let why = "none of this challenge's";
    refused(
        customer(&server, Secure, HOST, 993),
        "mail-srv-01",
        IncorrectResponse,
        why,
    )
    .await;
}

// ETLS-P-1
#[tokio::test]
async fn the_record_s_host_and_port_are_judged() {
    let server = Server::start(honest("imaps:993", &own_word(), "OTHER")).await;
    for (host, port, why) in [
        (
            HOST,
            5000,
            "TCP port 5000 is no indication that the person controls the machine",
        ),
        (HOST, 143, "TCP port 143 is not one of imaps"),
        ("", 993, "no SRV record that names a host"),
        ("_odd.test", 993, "is not a DNS name"),
    ] {
        refused(customer(&server, Secure, host, port), "mail-srv-01", Unauthorized, why).await;
    }
}

// ETLS-P-7: no MX and no SRV record is followed; only the domain's own host is looked at.
#[tokio::test]
async fn a_hosted_domain_is_not_proved_by_a_probe() {
    let server = Server::start(honest("imaps:993", &word("imaps:993"), "OTHER")).await;
    let why = "imaps:993 of customer.test: Looking up customer.test: ";
    refused(customer(&server, Secure, HOST, 993), "mail-greeting-01", Dns, why).await;
    // Where the domain is the host, it is.
    let mut world = World::with("imaps:993", &server);
    world.dns.hosts.push("customer.test");
    assert_eq!(world.validate("mail-greeting-01", CUSTOMER, &[]).await.verdict, Ok(()));
}

// ETLS-P-7, ETLS-P-10: by policy, and only where the domain's own host is the service.
#[tokio::test]
async fn a_signed_srv_record_that_names_a_host_of_its_own_proves_the_domain_by_policy() {
    let server = Server::start(honest("imaps:993", &own_word(), "OTHER")).await;
    let world = |domain: &'static str, dnssec| {
        let mut world = customer(&server, dnssec, HOST, 993);
        let records = world.dns.services.remove("_imaps._tcp.customer.test").unwrap();
        let name = match domain {
            "alpha.test" => "_imaps._tcp.alpha.test",
            _ => "_imaps._tcp.customer.test",
        };
        world.dns.services.insert(name, records);
        world.domain_by_srv = true;
        world
    };
    let proved = |world: World, domain: &'static str, places: &'static [&'static str]| async move {
        world.validate("mail-srv-01", ("dns", domain), places).await.verdict
    };
    assert_eq!(
        proved(world("alpha.test", Secure), "alpha.test", &["imaps:993"]).await,
        Ok(())
    );
    for (domain, dnssec, places, why) in [
        ("alpha.test", Insecure, &["imaps:993"][..], "not secured by DNSSEC"),
        (
            "customer.test",
            Secure,
            &["imaps:993"],
            "at mail.alpha.test, which is outside of customer.test",
        ),
        // Of a service that the zone does not name, and of all where none is named.
        (
            "alpha.test",
            Secure,
            &["pop3s:995"],
            "Looking up SRV at _pop3s._tcp.alpha.test",
        ),
        ("alpha.test", Secure, &[], "Looking up SRV at _pop3s._tcp.alpha.test"),
        (
            "alpha.test",
            Secure,
            &["smtp:25"],
            "An SRV record of smtp proves nothing about",
        ),
    ] {
        let problem = proved(world(domain, dnssec), domain, places).await.unwrap_err();
        assert!(problem.detail.contains(why), "{why:?} is not in {:?}", problem.detail);
    }
    // A vanity name of the provider's.
    let mut vanity = world("alpha.test", Secure);
    vanity.dns.alias = Some("mail.provider.test");
    let problem = proved(vanity, "alpha.test", &["imaps:993"]).await.unwrap_err();
    assert!(
        problem.detail.contains("is an alias of mail.provider.test"),
        "{}",
        problem.detail
    );
    let response = CUSTOMER;
    let other = world("customer.test", Secure)
        .validate("mail-srv-01", response, &["imap:143"])
        .await;
    let detail = other.verdict.unwrap_err().detail;
    assert!(
        detail.contains("An SRV record of imap proves nothing about"),
        "{detail}"
    );
}
