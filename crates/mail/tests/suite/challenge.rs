//! The challenge mail, as the authority sends and the client believes it (RFC 8823 §3.1).

use mail::{
    authentication::{Judged, Policy},
    challenge::{Challenge, ChallengeFault, Received, Unverified},
    dkim::coverage::{self, Coverage},
    message::Message,
    message_id::MessageId,
};

use crate::{NOW, ed25519, mailbox, rsa, settled, signer};

const TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const FROM: &str = "acme-challenge+5f3c@ca.test";
const TO: &str = "alice@alpha.test";

fn sent() -> String {
    sent_to(TO)
}

fn sent_to(to: &str) -> String {
    let (from, to) = (mailbox(FROM), mailbox(to));
    let message_id = MessageId::new("5f3c.1", from.domain()).unwrap();
    let challenge = Challenge {
        from: &from,
        to: &to,
        token_part1: TOKEN,
        message_id: &message_id,
        date: *NOW,
        authority: "Vidimus of test",
    };
    let signers = [&signer("ca.test", "rsa", rsa()), &signer("ca.test", "ed", ed25519())];
    String::from_utf8(challenge.signed(&signers).unwrap()).unwrap()
}

fn judged(text: &str, zone: &[(&str, &str)]) -> Result<Received, ChallengeFault> {
    let unverified = Unverified::read(text.as_bytes(), &mailbox(FROM), &mailbox(TO))?;
    let policy = Policy {
        coverage: Coverage::Strict,
        least_rsa_bits: 2048,
    };
    settled(zone, |answers| unverified.judge(&policy, *NOW, answers))
}

fn zone() -> [(String, String); 2] {
    [
        ("rsa._domainkey.ca.test".to_owned(), rsa().record()),
        ("ed._domainkey.ca.test".to_owned(), ed25519().record()),
    ]
}

fn believed(text: &str) -> Result<Received, ChallengeFault> {
    let zone = zone();
    let zone: Vec<(&str, &str)> = zone.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    judged(text, &zone)
}

// 8823-3.1-1, 8823-3.1-2, 8823-3.1-3, 8823-3.1-4
#[test]
fn a_challenge_has_the_fields_of_the_document_and_signatures_over_all_of_them() {
    let text = sent();
    for line in [
        "From: acme-challenge+5f3c@ca.test",
        "To: alice@alpha.test",
        "Subject: ACME: AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "Auto-Submitted: auto-generated; type=acme",
        "Date: Tue, 24 Nov 2026 10:00:00 +0000",
        "Message-ID: <5f3c.1@ca.test>",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}\n{text}");
    }
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(body.contains(TO) && body.contains(TOKEN) && !body.contains("-----"));
    assert!(text.split("\r\n").all(|line| line.len() <= 78));
    assert_eq!(header.matches("DKIM-Signature:").count(), 2);
    let message = Message::parse(text.as_bytes()).unwrap();
    for signature in mail::dkim::signatures(&message) {
        let signature = signature.unwrap();
        for name in coverage::REQUIRED
            .iter()
            .chain(&coverage::RESENT)
            .chain(&coverage::LISTS)
        {
            assert!(signature.covers(&name.to_lowercase()), "{name}");
        }
    }
}

#[test]
fn a_client_believes_what_the_authority_sent() {
    let received = believed(&sent()).unwrap();
    assert_eq!((received.token_part1.as_str(), received.reply_to), (TOKEN, None));
    assert_eq!(received.message_id.unwrap().to_string(), "<5f3c.1@ca.test>");
}

#[test]
fn an_address_of_another_script_is_written_as_it_is() {
    let text = sent_to("\u{7528}\u{6237}@b\u{fc}cher.example");
    assert!(text.contains("\r\nTo: \u{7528}\u{6237}@xn--bcher-kva.example\r\n") && text.contains("Encoding: 8bit"));
}

// 8823-3-6
#[test]
fn what_is_not_the_expected_challenge_is_left_alone_with_a_reason() {
    let text = sent();
    for (from, to, begins) in [
        (
            "From: acme-challenge+5f3c@",
            "From: acme-challenge+0000@",
            "it comes from",
        ),
        ("To: alice@alpha.test", "To: bob@alpha.test", "it is for bob@alpha.test"),
        (
            "To: alice@alpha.test",
            "To: alice@alpha.test, bob@alpha.test",
            "its To cannot be used",
        ),
        (
            "Auto-Submitted: auto-generated",
            "Auto-Submitted: auto-replied",
            "it is not Auto-Submitted",
        ),
        (
            "Auto-Submitted: auto-generated; type=acme\r\n",
            "",
            "it is not Auto-Submitted",
        ),
        ("Subject: ACME", "Subject: Re: ACME", "it is a reply"),
        ("Subject: ACME:", "Subject: ", "its Subject cannot be used"),
        ("ACME: AAECAwQFBgcICQoL", "ACME: AAEC", "its token"),
        (
            "Date: Tue",
            "Date: Wed",
            "nobody vouches for it: signature of ca.test (selector rsa): header fields",
        ),
        (
            "you need",
            "you need not",
            "nobody vouches for it: signature of ca.test (selector rsa): the body",
        ),
        ("From: ", "Sender: a@ca.test\r\nFrom: ", "nobody vouches for it"),
        ("From: ", "List-Id: <a>\r\nFrom: ", "nobody vouches for it"),
        (
            "From: ",
            "From: a@b\r\nFrom: ",
            "it is no message: the header field From stands more than once",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let fault = believed(&changed).unwrap_err();
        assert!(fault.to_string().starts_with(begins), "{fault}");
        assert!(!fault.is_temporary());
    }
    let (_, bare) = text.split_once("\r\nFrom: ").unwrap();
    let fault = believed(&format!("From: {bare}")).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "nobody vouches for it: it has no DKIM signature; sign it with the domain of From"
    );
}

#[test]
fn one_of_two_keys_is_enough_and_silence_is_no_refusal() {
    let [(name, _), (other, record)] = zone();
    assert!(judged(&sent(), &[(&other, &record)]).is_ok());
    let fault = judged(&sent(), &[(&name, "?")]).unwrap_err();
    assert!(fault.is_temporary(), "{fault}");
    let ChallengeFault::Unsigned(unsigned) = fault else {
        panic!()
    };
    assert!(unsigned.0.iter().all(|judged: &Judged| judged.result.is_err()));
}
