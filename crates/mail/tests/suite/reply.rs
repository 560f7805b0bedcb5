//! Replies: proven, wrong, ignored, each with its reason (RFC 8823 §3.2).

use mail::{
    answer::{Answer, Joining},
    challenge::Received,
    dkim::coverage::{Coverage, LISTS, REQUIRED},
    dmarc,
    message::Message,
    message_id::MessageId,
    reply::{self, Envelope, Expected, Facts, Policy, Reply, Verdict},
    spf::{Outcome, SpfResult},
};

use crate::{NOW, ed25519, mailbox, settled, signer};

const TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const THUMBPRINT: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
const FROM: &str = "acme-challenge+5f3c@ca.test";
const TO: &str = "alice@alpha.test";

/// A mailbox's domain, and the authority that waits for a reply.
struct World {
    policy: Policy,
    envelope: Envelope,
    zone: Vec<(&'static str, String)>,
}

impl World {
    fn new() -> Self {
        let passed = Outcome {
            result: SpfResult::Pass,
            domain: Some(mailbox(TO).domain().clone()),
        };
        Self {
            policy: Policy::default(),
            envelope: Envelope {
                recipient: mailbox(FROM),
                has_null_return_path: false,
                spf: Some(passed),
            },
            zone: vec![
                ("s1._domainkey.alpha.test", ed25519().record()),
                ("_dmarc.alpha.test", "v=DMARC1; p=reject".to_owned()),
            ],
        }
    }

    fn verdict(&self, octets: &str) -> Result<Verdict, String> {
        let reply = Reply::read(octets.as_bytes(), &self.envelope).map_err(|reason| reason.to_string())?;
        let (to, from) = (mailbox(TO), mailbox(FROM));
        let expected = Expected {
            mailbox: &to,
            recipient: &from,
            token_part1: TOKEN,
        };
        let zone: Vec<(&str, &str)> = self.zone.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Ok(settled(&zone, |answers| {
            reply.judge(&expected, &self.policy, *NOW, answers)
        }))
    }

    fn proven(&self, octets: &str) -> Facts {
        match self.verdict(octets) {
            Ok(Verdict::Authentic(facts)) => *facts,
            other => panic!("{other:?}"),
        }
    }

    /// The sentence with which a reply is ignored.
    fn ignored(&self, octets: &str) -> String {
        match self.verdict(octets) {
            Err(reason) => reason,
            Ok(Verdict::Ignored(reason)) => reason.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn answer() -> Answer {
    Answer::new(TOKEN, "DGyRejmCefe7v4NfDGDKfA", THUMBPRINT)
}

/// As a client composes it.
fn composed() -> String {
    let (from, to) = (mailbox(FROM), mailbox(TO));
    let received = Received {
        message_id: MessageId::new("5f3c.1", from.domain()),
        from,
        reply_to: None,
        token_part1: TOKEN.to_owned(),
        to: to.clone(),
    };
    let message_id = MessageId::new("1", to.domain()).unwrap();
    String::from_utf8(reply::compose(&received, answer().digest(), &message_id, *NOW)).unwrap()
}

/// With the names in `h=` that OpenDKIM signs when nobody configured it, as far as they are there.
const STOCK: [&str; 7] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
];

fn signed(text: &str, names: &[&str]) -> String {
    signed_by("alpha.test", text, names)
}

fn signed_by(domain: &str, text: &str, names: &[&str]) -> String {
    let message = Message::parse(text.as_bytes()).unwrap();
    signer(domain, "s1", ed25519()).sign(&message, names, *NOW) + text
}

fn all_names() -> Vec<&'static str> {
    REQUIRED.into_iter().chain(LISTS).collect()
}

// 8823-3.2-1, 8823-3.2-3
#[test]
fn a_composed_reply_has_the_fields_of_the_document() {
    let text = composed();
    for line in [
        "To: acme-challenge+5f3c@ca.test",
        "Subject: Re: ACME: AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "In-Reply-To: <5f3c.1@ca.test>",
        "References: <5f3c.1@ca.test>",
        "Auto-Submitted: auto-replied; type=acme",
        "-----BEGIN ACME RESPONSE-----",
        answer().digest(),
        "-----END ACME RESPONSE-----",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}\n{text}");
    }
    assert!(text.starts_with("From: alice@alpha.test\r\n"));
}

#[test]
fn a_reply_as_it_should_be_proves_the_mailbox() {
    let facts = World::new().proven(&signed(&composed(), &all_names()));
    assert_eq!(facts.answers(&answer()), Some(Joining::Text));
    assert_eq!(facts.mailbox, mailbox(TO));
    assert_eq!(facts.dmarc.verdict, dmarc::Verdict::Pass);
    assert_eq!(facts.signature.domain.unwrap().as_str(), "alpha.test");
    assert!(facts.signature.covers_lists && facts.signatures.len() == 1);
}

// 8823-3.2-4
#[test]
fn a_person_who_pastes_into_a_mail_program_proves_it_too() {
    let digest = answer().digest().to_owned();
    let (head, tail) = digest.split_at(30);
    let world = World::new();
    for (kind, body) in [
        (
            "text/plain",
            format!(
                "-----BEGIN ACME RESPONSE-----\r\n{digest}\r\n-----END ACME RESPONSE-----\r\n\r\nOn Monday X wrote:\r\n> ACME\r\n"
            ),
        ),
        (
            "text/plain; format=flowed",
            format!("> -----BEGIN ACME RESPONSE----- \r\n> {head} \r\n> {tail} \r\n> -----END ACME RESPONSE-----\r\n"),
        ),
        (
            "multipart/alternative; boundary=x",
            format!(
                "--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                 Gr=FC=DFe\r\n-----BEGIN ACME RESPONSE-----\r\n{head}=\r\n{tail}\r\n-----END ACME RESPONSE-----\r\n\
                 --x\r\nContent-Type: text/html\r\n\r\n<p>\r\n--x--\r\n"
            ),
        ),
    ] {
        let text = format!(
            "Received: from x\r\nFrom: Alice <alice@ALPHA.test>\r\nTo: <{FROM}>\r\nSubject: =?utf-8?Q?AW=3A_ACME=3A?= {TOKEN}\r\n\
             Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nContent-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n{body}"
        );
        world.proven(&signed(
            &text,
            &["From", "To", "Subject", "Date", "Content-Type", "MIME-Version"],
        ));
    }
}

// 8823-3.2-9
#[test]
fn a_wrong_digest_is_the_only_mistake_that_ends_a_challenge() {
    let text = composed().replace(answer().digest(), &"A".repeat(43));
    let Ok(Verdict::Authentic(facts)) = World::new().verdict(&signed(&text, &all_names())) else {
        panic!()
    };
    assert_eq!(facts.answers(&answer()), None);
    assert_eq!(facts.token_part1, TOKEN);
    // Unsigned, anybody could end it.
    World::new().ignored(&text);
}

// 8823-3.2-2, 8823-3.2-5, 8823-3.2-8, 8823-3.2-9, 8823-3-12, 8823-3-13, 8823-M-4
#[test]
fn whatever_is_not_this_challenges_reply_is_ignored_with_a_reason() {
    let world = World::new();
    let text = composed();
    for (from, to, says) in [
        (
            "From: alice@",
            "From: Alice@",
            "it is from Alice@alpha.test; the challenge is for alice@alpha.test",
        ),
        (
            "From: alice@alpha.test",
            "From: alice@beta.test",
            "an alias cannot answer it",
        ),
        (
            "From: alice@alpha.test",
            "From: alice@alpha.test, bob@alpha.test",
            "its From cannot be used: it has several",
        ),
        (
            "From: alice@alpha.test",
            "From: x: alice@alpha.test;",
            "its From cannot be used: it is a group",
        ),
        ("From: alice@alpha.test\r\n", "", "it has no From"),
        ("From: ", "List-Id: x\r\nFrom: ", "mailing list"),
        ("From: ", "Precedence: bulk\r\nFrom: ", "bulk mail"),
        ("From: ", "X-Loop: acme-challenge+5f3c@ca.test\r\nFrom: ", "X-Loop"),
        ("auto-replied", "auto-generated", "robot"),
        ("Re: ACME: AAEC", "Re: ACME: AAED", "not this challenge's"),
        ("Re: ACME: ", "Re: ", "no \"ACME:\""),
        ("text/plain", "text/html", "HTML alone"),
        ("-----BEGIN", "-----START", "no line \"-----BEGIN ACME RESPONSE-----\""),
        ("-----END", "-----ENDE", "no SHA-256 digest"),
        ("7bit", "x-uu", "transfer encoding"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let said = world.ignored(&signed(&changed, &all_names()));
        assert!(said.contains(says), "{said}");
    }
    let mut elsewhere = World::new();
    elsewhere.envelope.recipient = mailbox("acme-challenge+9@ca.test");
    assert!(
        elsewhere
            .ignored(&signed(&text, &all_names()))
            .contains("was not delivered to acme-challenge+5f3c@ca.test")
    );
    let mut null = World::new();
    null.envelope.has_null_return_path = true;
    null.proven(&signed(&text, &all_names()));
    let person = text.replace("Auto-Submitted: auto-replied; type=acme\r\n", "");
    assert!(
        null.ignored(&signed(&person, &all_names()))
            .contains("null return path")
    );
}

// 8823-3.2-6
#[test]
fn a_reply_that_its_domain_did_not_sign_is_ignored() {
    let world = World::new();
    let text = composed();
    let good = signed(&text, &all_names());
    assert!(world.ignored(&text).contains("it has no DKIM signature"));
    assert!(
        world
            .ignored(&signed_by("mail.alpha.test", &text, &all_names()))
            .contains("its domain is not that of From")
    );
    assert!(
        world
            .ignored(&good.replace("BEGIN ACME RESPONSE-----\r\n", "BEGIN ACME RESPONSE-----\r\n\r\n"))
            .contains("the body")
    );
    assert!(
        world
            .ignored(&good.replacen("s=s1", "l=1; s=s1", 1))
            .contains("without l=")
    );
    assert!(
        world
            .ignored(&good.replacen("s=s1", "s=s2", 1))
            .contains("no key under this name")
    );
    assert!(world.ignored(&format!("List-Id: x\r\n{good}")).contains("List-Id"));
    // A foreign signature above does no harm, and a claim of somebody's own counts for nothing.
    world.proven(&signed_by("relay.test", &good, &["From"]));
    assert!(
        world
            .ignored(&format!("Authentication-Results: ca.test; dkim=pass\r\n{text}"))
            .contains("no DKIM")
    );
    let mut silent = World::new();
    silent.zone[0].1 = "?".to_owned();
    assert!(matches!(silent.verdict(&good), Ok(Verdict::Later(_))));
}

// 8823-3.2-7
#[test]
fn coverage_has_levels_and_a_refusal_names_what_is_missing() {
    let text = composed();
    let at = |coverage: Coverage, names: &[&str]| {
        let mut world = World::new();
        world.policy.signature.coverage = coverage;
        match world.verdict(&signed(&text, names)) {
            Ok(Verdict::Authentic(_)) => String::new(),
            _ => world.ignored(&signed(&text, names)),
        }
    };
    let all: Vec<&str> = REQUIRED.into_iter().filter(|name| *name != "Auto-Submitted").collect();
    let there: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| format!("\r\n{text}").contains(&format!("\r\n{name}: ")))
        .collect();
    assert_eq!(at(Coverage::Strict, &all), "");
    assert_eq!(at(Coverage::Present, &there), "");
    assert_eq!(at(Coverage::Essential, &STOCK), "");
    assert!(at(Coverage::Strict, &there).contains("does not cover Sender, Reply-To, Cc; with OpenDKIM add"));
    let refusal = at(Coverage::Present, &STOCK);
    assert_eq!(
        refusal,
        "nobody vouches for it: signature of alpha.test (selector s1) does not cover Content-Type, Content-Transfer-Encoding; \
         with OpenDKIM add \"SignHeaders *,+Auto-Submitted,+Message-ID,+Sender,+Reply-To,+Cc,+Content-Type,\
         +Content-Transfer-Encoding\""
    );
    for name in ["From", "To", "Subject", "Date", "In-Reply-To"] {
        let without: Vec<&str> = STOCK.into_iter().filter(|known| *known != name).collect();
        let refusal = at(Coverage::Essential, &without);
        let says = if name == "From" {
            "does not cover From"
        } else {
            &format!("does not cover {name};")
        };
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[test]
fn a_list_could_have_taken_its_fields_away_unless_the_hop_is_the_domains_own() {
    let text = signed(&composed(), &REQUIRED);
    let with = |result: Option<SpfResult>, domain: &str, coverage, wants_direct_hop| {
        let mut world = World::new();
        world.policy.wants_direct_hop = wants_direct_hop;
        world.policy.signature.coverage = coverage;
        let domain = mail::message::domain::Domain::parse(domain);
        world.envelope.spf = result.map(|result| Outcome { result, domain });
        world.verdict(&text).unwrap()
    };
    let (present, strict) = (Coverage::Present, Coverage::Strict);
    assert!(matches!(
        with(Some(SpfResult::Pass), "alpha.test", present, true),
        Verdict::Authentic(_)
    ));
    for verdict in [
        with(Some(SpfResult::Pass), "lists.test", present, true),
        with(Some(SpfResult::SoftFail), "alpha.test", present, true),
        with(None, "alpha.test", present, true),
    ] {
        assert!(
            matches!(&verdict, Verdict::Ignored(reason) if reason.to_string().contains("over-sign List-*")),
            "{verdict:?}"
        );
    }
    assert!(matches!(
        with(Some(SpfResult::TempError), "alpha.test", present, true),
        Verdict::Later(_)
    ));
    assert!(matches!(
        with(None, "alpha.test", present, false),
        Verdict::Authentic(_)
    ));
    assert!(matches!(with(None, "alpha.test", strict, true), Verdict::Authentic(_)));
    let mut world = World::new();
    world.envelope.spf = None;
    world.proven(&signed(&composed(), &all_names()));
}

// 8823-3-14
#[test]
fn any_octet_that_is_changed_or_missing_leaves_no_proof_of_something_else() {
    let world = World::new();
    let good = signed(&composed(), &all_names());
    for at in 0..good.len() {
        let mut octets = good.clone().into_bytes();
        octets[at] = if octets[at] == b'x' { b'y' } else { b'x' };
        let (changed, cut) = (String::from_utf8_lossy(&octets).into_owned(), &good[..at]);
        for text in [&changed, cut] {
            // Letter case and spaces may change in relaxed form, and an unsigned field's name.
            if let Ok(Verdict::Authentic(facts)) = world.verdict(text) {
                assert!(
                    facts.answers(&answer()).is_some(),
                    "anybody could end the challenge: {text}"
                );
                assert_eq!(facts.mailbox, mailbox(TO));
            }
        }
    }
}

// JL's attack of the minutes: a member answers for the list, and the list signs what he wrote.
#[test]
fn what_was_written_to_a_list_is_refused_at_every_level_though_the_list_signs_it_and_its_own_fields_are_gone() {
    let text = composed();
    let to_list = text.replace(&format!("To: {FROM}"), &format!("To: {TO}"));
    let also_to_list = text.replace(&format!("To: {FROM}"), &format!("To: {FROM}, {TO}"));
    let copied = format!("Cc: {TO}\r\n{text}");
    let answered_elsewhere = format!("Reply-To: mallory@evil.test\r\n{text}");
    let passed_on = format!("Sender: list-bounces@alpha.test\r\n{text}");
    for level in [Coverage::Strict, Coverage::Present, Coverage::Essential] {
        let mut world = World::new();
        world.policy.signature.coverage = level;
        for (post, reason) in [
            (&to_list, "its To is not"),
            (&also_to_list, "its To is not"),
            (&copied, "it has a field Cc"),
            (&answered_elsewhere, "it has a field Reply-To"),
            (&passed_on, "it has a field Sender"),
        ] {
            let said = world.ignored(&signed(post, &all_names()));
            assert!(said.contains(reason), "{level:?}: {said}");
        }
    }
}
