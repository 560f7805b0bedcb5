//! Servers that do not behave, each with a sentence of its own.

use std::{sync::Arc, time::Duration};

use acme::ProblemType::{self, Connection, IncorrectResponse, Tls, Unauthorized};
use tokio::{io::AsyncWriteExt as _, net::TcpSocket};

use super::{
    super::probe::{Asked, Fault, Heard, Patience, hold},
    world::{HOST, Server, Step, World, capabilities, capability_of, greeting, honest, start_tls, value, word},
};
use crate::service::{Protocol, Service};

const RELAY: &str = "smtp:25";

/// Problem type, detail, and whether it may pass.
async fn fault(world: World, place: &str) -> (ProblemType, String, bool) {
    let report = world.greeted(place).await;
    let problem = report.verdict.expect_err("it proves something");
    (problem.kind, problem.detail, report.transient)
}

async fn refused(place: &'static str, steps: Vec<Step>, expected: (ProblemType, bool), why: &str) {
    let server = Server::start(steps).await;
    let (kind, detail, transient) = fault(World::with(place, &server), place).await;
    assert_eq!((kind, transient), expected, "{detail}");
    assert!(detail.contains(why), "{why:?} is not in {detail:?}");
    assert!(
        detail.starts_with(&format!("{place} of {HOST} at 127.0.0.1: ")),
        "{detail}"
    );
    assert!(!detail.contains(char::is_control) && detail.len() < 400, "{detail}");
}

fn send(text: impl Into<String>) -> Step {
    Step::Send(text.into())
}

/// An SMTP server as far as STARTTLS.
fn relay(capability: &str) -> Vec<Step> {
    let mut steps = vec![greeting(Protocol::Smtp, &word(RELAY), "")];
    steps.extend(capabilities(Protocol::Smtp, &[capability]));
    steps
}

// ETLS-P-4
#[tokio::test]
async fn a_service_without_tls_gets_no_certificate() {
    refused(RELAY, relay("SIZE"), (Tls, false), "STARTTLS is not offered").await;
    let mut pop = vec![greeting(Protocol::Pop3, &word("pop3:110"), "")];
    pop.extend(capabilities(Protocol::Pop3, &["UIDL"]));
    refused("pop3:110", pop, (Tls, false), "STLS is not offered").await;
    let mut refusing = relay("STARTTLS");
    refusing.extend([Step::Expect("STARTTLS"), send("454 not now\r\n")]);
    refused(RELAY, refusing, (Connection, true), "come back later: \"454 not now\"").await;
}

// ETLS-P-4
#[tokio::test]
async fn text_that_came_before_tls_ends_the_session() {
    let mut steps = relay("STARTTLS");
    steps.extend([
        Step::Expect("STARTTLS"),
        send(format!("220 go\r\n250-{HOST}\r\n250 {}\r\n", capability_of(RELAY))),
        Step::Tls,
    ]);
    let why = "text in the clear came after STARTTLS and before TLS";
    refused(RELAY, steps, (Tls, false), why).await;
}

// ETLS-P-4: what is said in the clear is anybody's.
#[tokio::test]
async fn a_capability_counts_under_tls_only() {
    let mut steps = vec![greeting(Protocol::Smtp, "ready", "")];
    steps.extend(capabilities(Protocol::Smtp, &["STARTTLS", &capability_of(RELAY)]));
    steps.extend(start_tls(Protocol::Smtp));
    steps.push(Step::Tls);
    steps.extend(capabilities(Protocol::Smtp, &["SIZE"]));
    let why = "listed in the clear, and not under TLS";
    refused(RELAY, steps, (IncorrectResponse, false), why).await;
}

// ETLS-P-3
#[tokio::test]
async fn the_word_of_another_service_is_named() {
    let steps = honest("imaps:993", &word("submission:587"), "OTHER");
    let why = "the word it shows is the one for submission:587; publish acme-mail-01=";
    refused("imaps:993", steps, (IncorrectResponse, false), why).await;
}

#[tokio::test]
async fn a_word_of_an_earlier_challenge_a_missing_one_and_wrong_letters_are_told_apart() {
    let stale = format!("acme-mail-01={}", "A".repeat(43));
    let wrong_case = format!("acme-mail-01={}", value("imaps:993").to_ascii_uppercase());
    let glued = format!("x{}", word("imaps:993"));
    for (shown, why) in [
        (stale.as_str(), "none of this challenge's: reload"),
        (&wrong_case, "another letter case"),
        ("ready", "neither greeting nor capabilities have the word"),
        (&glued, "neither greeting nor capabilities have the word"),
    ] {
        let steps = honest("imaps:993", shown, "OTHER");
        refused("imaps:993", steps, (IncorrectResponse, false), why).await;
    }
    // The keyword's case does not matter.
    let shouted = format!("ACME-Mail-01={}", value("imaps:993"));
    let server = Server::start(honest("imaps:993", &shouted, "OTHER")).await;
    assert_eq!(
        World::with("imaps:993", &server).greeted("imaps:993").await.verdict,
        Ok(())
    );
}

// T9
#[tokio::test]
async fn t9_what_a_server_says_is_shown_escaped_and_in_part() {
    let secret = format!("acme-mail-01={}\u{1b}[2J\u{fffd}secret", "x".repeat(400));
    let steps = honest("imaps:993", &secret, "OTHER");
    refused("imaps:993", steps, (IncorrectResponse, false), "reload").await;
    let server = Server::start(honest("imaps:993", &secret, "OTHER")).await;
    let (_, detail, _) = fault(World::with("imaps:993", &server), "imaps:993").await;
    assert!(!detail.contains("secret") && !detail.contains('\u{1b}'), "{detail}");
}

#[tokio::test]
async fn servers_that_turn_the_probe_away_say_so_in_its_words() {
    for (said, transient, why) in [
        (
            "450 4.7.1 greylisted",
            true,
            "come back later: \"450 4.7.1 greylisted\"",
        ),
        ("421 4.7.0 too many", true, "too much to do for now: \"421"),
        ("554 5.7.1 no", false, "turned the probe away: \"554"),
    ] {
        let steps = vec![send(format!("{said}\r\n"))];
        refused(RELAY, steps, (Connection, transient), why).await;
    }
    let steps = vec![Step::Tls, send("* BYE go away\r\n")];
    refused("imaps:993", steps, (Connection, false), "turned the probe away").await;
}

#[tokio::test]
async fn replies_without_an_end_are_cut_off() {
    for (flood, why) in [
        ("220-more\r\n", "more than 200 lines"),
        ("2", "a line of more than 1000 octets"),
    ] {
        refused(RELAY, vec![Step::Flood(flood)], (IncorrectResponse, false), why).await;
    }
    let long = format!("220-{}\r\n", "x".repeat(900));
    let steps = (0..100).map(|_| send(long.clone())).collect();
    refused(RELAY, steps, (IncorrectResponse, false), "more than 64 KiB").await;
}

// ETLS-P-6: who says nothing, or begins and never ends, holds nobody up.
#[tokio::test]
async fn a_server_that_says_nothing_or_never_ends_is_left() {
    let (long, short) = (Duration::from_secs(600), Duration::from_millis(20));
    for (said, step, whole, expected) in [
        ("", short, long, Fault::Slow("the greeting")),
        (
            "220-mail.alpha.test ESMTP\r\n22",
            short,
            long,
            Fault::Slow("the greeting"),
        ),
        ("220-mail.alpha.test ESMTP\r\n", long, short, Fault::Late),
        ("220 ready\r\n", short, long, Fault::Slow("EHLO")),
    ] {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(said.as_bytes()).await.unwrap();
        let asked = Asked {
            service: Service::Smtp,
            host: HOST,
            greets_as: "probe.ca.test",
            tls: &Arc::new(validation::unverified::config(&[])),
            patience: Patience { step, whole },
        };
        let fault = hold(ours, &asked, &mut Heard::default()).await.unwrap_err();
        assert_eq!(fault.to_string(), expected.to_string());
        let failure = fault.of(RELAY);
        assert_eq!(
            (failure.kind, failure.transient),
            (Connection, true),
            "{}",
            failure.detail
        );
    }
}

// ETLS-P-6
#[tokio::test]
async fn what_is_no_line_of_the_protocol_is_refused() {
    for (place, said, why) in [
        (RELAY, "220 a\0b\r\n", "NUL or a lone CR"),
        (RELAY, "220 a\rb\r\n", "NUL or a lone CR"),
        (RELAY, "* OK imap\r\n", "no greeting of this protocol"),
        ("imap:143", "* OK {12}\r\n", "literal"),
        ("pop3:110", "220 smtp\r\n", "no greeting of this protocol"),
    ] {
        refused(place, vec![send(said)], (IncorrectResponse, false), why).await;
    }
}

// The first line of an answer to EHLO repeats what the client said.
#[tokio::test]
async fn the_first_line_of_ehlo_is_no_capability() {
    let mut steps = vec![greeting(Protocol::Smtp, "ready", "")];
    steps.extend(capabilities(Protocol::Smtp, &["STARTTLS"]));
    steps.extend(start_tls(Protocol::Smtp));
    steps.push(Step::Tls);
    steps.push(Step::Expect("EHLO"));
    steps.push(send(format!("250-{}\r\n250 SIZE\r\n", capability_of(RELAY))));
    let why = "neither greeting nor capabilities have the word";
    refused(RELAY, steps, (IncorrectResponse, false), why).await;
}

#[tokio::test]
async fn what_speaks_no_tls_where_it_should_is_told() {
    let steps = vec![send("* OK in the clear\r\n")];
    refused("imaps:993", steps, (Tls, false), "the TLS handshake failed").await;
    let mut cut = relay("STARTTLS");
    cut.push(Step::Expect("NOTHING"));
    refused(
        RELAY,
        cut,
        (Connection, true),
        "ended the connection where STARTTLS was expected",
    )
    .await;
}

#[tokio::test]
async fn a_closed_port_is_named_with_its_service() {
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let world = World {
        moved: vec![("imaps:993", closed.local_addr().unwrap().port())],
        ..World::new()
    };
    let (kind, detail, transient) = fault(world, "imaps:993").await;
    assert_eq!((kind, transient), (Connection, true));
    assert!(
        detail.starts_with("imaps:993 of mail.alpha.test: No connection to 127.0.0.1:"),
        "{detail}"
    );
}

// ETLS-P-1, A4: the same daemon answers on both ports, with the same greeting.
#[tokio::test]
async fn a_word_is_for_one_port_and_a_port_that_nobody_registered_wants_a_pin() {
    let server = Server::start(honest("imaps:993", &word("imaps:993"), "OTHER")).await;
    let (pin, place) = ("_acme-port.mail.alpha.test", "imaps:1993");
    let (kind, detail, _) = fault(World::with(place, &server), place).await;
    assert_eq!(kind, Unauthorized);
    assert!(detail.contains("_acme-port.mail.alpha.test TXT \"1993\""), "{detail}");
    let (kind, detail, _) = fault(World::with(place, &server).txt(pin, "1994"), place).await;
    assert_eq!(kind, Unauthorized);
    assert!(detail.contains("there is no such record"), "{detail}");
    let (kind, detail, _) = fault(World::with(place, &server).txt(pin, "1993"), place).await;
    assert_eq!(kind, IncorrectResponse);
    assert!(
        detail.contains("the word it shows is the one for imaps:993"),
        "{detail}"
    );
    let server = Server::start(honest(place, &word(place), "OTHER")).await;
    let report = World::with(place, &server).txt(pin, "1993").greeted(place).await;
    assert_eq!(report.verdict, Ok(()));
}
