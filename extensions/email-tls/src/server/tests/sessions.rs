//! Servers that behave.

use authority::model::Observation;

use super::world::{HOST, PLACES, Server, Step, World, capability_of, honest, word};

// ETLS-P-3, ETLS-P-4, ETLS-P-5
#[tokio::test]
async fn the_word_in_the_greeting_of_every_service_proves_the_host() {
    for place in PLACES {
        let server = Server::start(honest(place, &word(place), "OTHER")).await;
        let report = World::with(place, &server).greeted(place).await;
        assert_eq!(report.verdict, Ok(()), "{place}");
        let Some(Observation::Mail {
            tls_version,
            certificate,
            transcript,
            found,
            ..
        }) = report.evidence.observations.last()
        else {
            panic!("{place}: no session was recorded");
        };
        assert_eq!(tls_version.as_deref(), Some("1.3"));
        assert_eq!(
            (certificate.as_ref().unwrap().len(), transcript.len(), found.len()),
            (64, 64, 1)
        );
    }
}

// ETLS-P-3, ETLS-P-4
#[tokio::test]
async fn a_capability_under_tls_proves_it_too() {
    for place in PLACES {
        let server = Server::start(honest(place, "ready", &capability_of(place))).await;
        let report = World::with(place, &server).greeted(place).await;
        assert_eq!(report.verdict, Ok(()), "{place}");
    }
}

// ETLS-P-6: a probe that could be made to say something would be a way to send mail.
#[tokio::test]
async fn the_probe_says_the_same_to_everybody() {
    for (place, said) in [
        (
            "submission:587",
            &["EHLO probe.ca.test", "STARTTLS", "EHLO probe.ca.test", "QUIT"][..],
        ),
        (
            "lmtp:24",
            &["LHLO probe.ca.test", "STARTTLS", "LHLO probe.ca.test", "QUIT"],
        ),
        ("imap:143", &["a CAPABILITY", "b STARTTLS", "a CAPABILITY", "z LOGOUT"]),
        ("imaps:993", &["a CAPABILITY", "z LOGOUT"]),
        ("pop3:110", &["CAPA", "STLS", "CAPA", "QUIT"]),
        ("sieve:4190", &["STARTTLS", "LOGOUT"]),
    ] {
        let server = Server::start(honest(place, &word(place), "OTHER")).await;
        let report = World::with(place, &server).greeted(place).await;
        assert_eq!(
            (report.verdict, server.heard()),
            (Ok(()), said.iter().map(ToString::to_string).collect())
        );
    }
}

#[tokio::test]
async fn a_reply_in_single_octets_is_a_reply() {
    let fragmented = honest("imap:143", &word("imap:143"), "OTHER")
        .into_iter()
        .map(|step| match step {
            Step::Send(text) => Step::Drip(text),
            other => other,
        });
    let server = Server::start(fragmented.collect()).await;
    let report = World::with("imap:143", &server).greeted("imap:143").await;
    assert_eq!(report.verdict, Ok(()));
}

// ETLS-4-1, A7
#[tokio::test]
async fn every_service_that_the_response_names_has_to_show_its_own_word() {
    let both = format!("{} {}", word("imap:143"), word("imaps:993"));
    let plain = Server::start(honest("imap:143", &both, "OTHER")).await;
    let implicit = Server::start(honest("imaps:993", &both, "OTHER")).await;
    let named = ["imap:143", "imaps:993"];
    let world = || World {
        moved: vec![("imap:143", plain.port), ("imaps:993", implicit.port)],
        ..World::new()
    };
    let asked = ("dns", HOST);
    let report = world().validate("mail-greeting-01", asked, &named).await;
    assert_eq!(report.verdict, Ok(()));
    let silent = Server::start(honest("imaps:993", "ready", "OTHER")).await;
    let mut world = world();
    world.moved[1].1 = silent.port;
    let problem = world
        .validate("mail-greeting-01", asked, &named)
        .await
        .verdict
        .unwrap_err();
    assert!(
        problem.detail.starts_with("imaps:993 of mail.alpha.test"),
        "{}",
        problem.detail
    );
}
