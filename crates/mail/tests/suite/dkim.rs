//! DKIM: the documents' own messages, and every way of not being signed.

use mail::{
    dkim::{Fault, Limits, Signature, SigningKey, signatures},
    dns::Txt,
    message::{Message, with_crlf},
};

use crate::{NOW, ed25519, rsa, signer};

const ED25519_RECORD: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA_RECORD: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
    iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
    DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
    Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
const BRISBANE: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ\
    KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
    IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v\
    /RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi\
    tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

fn limits() -> Limits {
    Limits {
        now: *NOW,
        least_rsa_bits: 1024,
    }
}

fn txt(record: &str) -> Txt {
    Txt::Records(vec![record.to_owned()])
}

fn message_of_8463() -> Vec<u8> {
    with_crlf(include_bytes!("../data/rfc8463.eml"))
}

fn only<'a>(message: &Message<'a>) -> Signature<'a> {
    let mut all = signatures(message);
    assert_eq!(all.len(), 1);
    all.remove(0).unwrap_or_else(|unreadable| panic!("{unreadable:?}"))
}

/// What becomes of the first signature of a message.
fn verdict(octets: &[u8], key: &Txt) -> Result<(), Fault> {
    let message = Message::parse(octets).unwrap();
    match signatures(&message).remove(0) {
        Ok(signature) => signature.verify(&message, key, &limits()),
        Err(unreadable) => Err(unreadable.fault),
    }
}

// RFC 8463 §A.3
#[test]
fn both_signatures_of_rfc_8463_pass_with_their_own_keys_only() {
    let octets = message_of_8463();
    let message = Message::parse(&octets).unwrap();
    let found: Vec<Signature<'_>> = signatures(&message).into_iter().map(Result::unwrap).collect();
    let [ed25519, rsa] = found.try_into().unwrap();
    assert_eq!(ed25519.key_name(), "brisbane._domainkey.football.example.com");
    assert_eq!(rsa.key_name(), "test._domainkey.football.example.com");
    assert_eq!(ed25519.verify(&message, &txt(ED25519_RECORD), &limits()), Ok(()));
    assert_eq!(rsa.verify(&message, &txt(RSA_RECORD), &limits()), Ok(()));
    assert_eq!(
        ed25519.verify(&message, &txt(RSA_RECORD), &limits()),
        Err(Fault::KeyType)
    );
    assert_eq!(rsa.verify(&message, &txt(BRISBANE), &limits()), Err(Fault::Signature));
    let strict = Limits {
        least_rsa_bits: 2048,
        ..limits()
    };
    let small = Fault::KeyTooSmall {
        bits: 1024,
        least: 2048,
    };
    assert_eq!(rsa.verify(&message, &txt(RSA_RECORD), &strict), Err(small));
}

// RFC 6376 §A.3
#[test]
fn the_signature_of_rfc_6376_passes_in_simple_form() {
    let octets = with_crlf(include_bytes!("../data/rfc6376.eml"));
    assert_eq!(verdict(&octets, &txt(BRISBANE)), Ok(()));
    let folded = String::from_utf8(octets)
        .unwrap()
        .replace("Subject: Is", "Subject:  Is");
    assert_eq!(verdict(folded.as_bytes(), &txt(BRISBANE)), Err(Fault::Signature));
}

#[test]
fn whatever_was_signed_cannot_be_changed() {
    let text = String::from_utf8(message_of_8463()).unwrap();
    for (from, to, fault) in [
        ("Suzie Q", "Suzie  Q", None),
        ("Subject: Is", "SUBJECT:\r\n\tIs", None),
        ("Joe.\r\n", "Joe. \r\n\r\n \r\n", None),
        ("We lost", "We won", Some(Fault::Body)),
        ("\r\n\r\nHi.", "\r\n\r\n\r\nHi.", Some(Fault::Body)),
        ("Suzie Q", "Suzie R", Some(Fault::Signature)),
        ("h=from : to", "h=from:to", Some(Fault::Signature)),
        ("i=@football", "i=@x.football", Some(Fault::Signature)),
        ("t=1528637909", "t=1528637908", Some(Fault::Signature)),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(
            verdict(changed.as_bytes(), &txt(ED25519_RECORD)).err(),
            fault,
            "{from} -> {to}"
        );
    }
}

// 8823-3.2-6
#[test]
fn what_a_signature_must_not_say_is_refused_by_its_own_reason() {
    let text = String::from_utf8(message_of_8463()).unwrap();
    for (from, to, fault) in [
        ("a=ed25519-sha256", "a=rsa-sha1", Fault::Algorithm("rsa-sha1".into())),
        ("c=relaxed/relaxed", "c=relaxed/nofws", Fault::Tag("c")),
        ("v=1;", "v=2;", Fault::Tag("v")),
        ("d=football.example.com", "d=foot_ball", Fault::Tag("d")),
        ("i=@football.example.com", "i=@example.com", Fault::Identity),
        ("i=@football.example.com", "i=football.example.com", Fault::Tag("i")),
        ("q=dns/txt", "l=10", Fault::PartialBody),
        ("q=dns/txt", "q=http", Fault::Tag("q")),
        ("s=brisbane", "s=a b", Fault::Tag("s")),
        ("t=1528637909", "t=4528637909", Fault::Future),
        ("t=1528637909", "t=soon", Fault::Tag("t")),
        ("t=1528637909", "x=1528637909", Fault::Expired),
        ("t=1528637909", "t=9; x=8", Fault::Tag("x")),
        (
            "h=from : to :\r\n subject : date : message-id : from :",
            "h=to : subject : date :",
            Fault::FromUnsigned,
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(
            verdict(changed.as_bytes(), &txt(ED25519_RECORD)),
            Err(fault),
            "{from} -> {to}"
        );
    }
    let dup = text.replacen("t=1528637909;", "t=1528637909; t=1;", 1);
    assert!(matches!(
        verdict(dup.as_bytes(), &txt(ED25519_RECORD)),
        Err(Fault::Tags(_))
    ));
}

#[test]
fn the_state_of_the_key_is_told_apart() {
    let octets = message_of_8463();
    for (key, fault) in [
        (Txt::Absent, Fault::NoKey),
        (Txt::Unavailable, Fault::KeyUnavailable),
        (txt(&format!("{ED25519_RECORD}; t=y")), Fault::KeyTesting),
        (txt("v=DKIM1; k=ed25519; p="), Fault::KeyRevoked),
    ] {
        assert_eq!(verdict(&octets, &key), Err(fault.clone()));
        assert_eq!(fault.is_temporary(), fault == Fault::KeyUnavailable);
    }
    // t=s: the identity of the message is the domain itself, which is what it wants.
    assert_eq!(verdict(&octets, &txt(&format!("{ED25519_RECORD}; t=s"))), Ok(()));
    let strict = signed("x.alpha.test").replacen("d=x.alpha.test", "d=alpha.test; i=@x.alpha.test", 1);
    let key = txt(&format!("{}; t=s", ed25519().record()));
    assert_eq!(verdict(strict.as_bytes(), &key), Err(Fault::Identity));
}

fn signed(domain: &str) -> String {
    let text = "From: a@alpha.test\r\nX-A: first\r\nx-a: second\r\nSubject: hi\r\n\r\nbody\r\n";
    let message = Message::parse(text.as_bytes()).unwrap();
    signer(domain, "s1", ed25519()).sign(&message, &["From", "X-A", "Subject"], *NOW) + text
}

#[test]
fn what_is_signed_here_passes_here() {
    for key in [ed25519 as fn() -> SigningKey, rsa] {
        let text = "From: a@alpha.test\r\nSubject: \u{fc}ber\r\n\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        let signer = signer("alpha.test", "S1", key());
        let names = [
            "from",
            "to",
            "subject",
            "list-unsubscribe-post",
            "content-transfer-encoding",
            "message-id",
            "references",
        ];
        let field = signer.sign(&message, &names, *NOW);
        assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
        let octets = field + text;
        let message = Message::parse(octets.as_bytes()).unwrap();
        let signature = only(&message);
        assert_eq!(
            (signature.key_name(), signature.domain.as_str()),
            (signer.key_name(), "alpha.test")
        );
        assert_eq!(signature.names.iter().filter(|name| *name == "from").count(), 2);
        assert_eq!(signature.verify(&message, &txt(&signer.record()), &limits()), Ok(()));
        // The same key, read from what it was written to.
        let again = SigningKey::from_pkcs8_der(&key().to_pkcs8_der()).unwrap();
        assert_eq!(again.record(), signer.record());
    }
}

#[test]
fn fields_are_counted_from_the_bottom_and_none_can_be_added() {
    let text = signed("alpha.test");
    let key = txt(&ed25519().record());
    assert_eq!(verdict(text.as_bytes(), &key), Ok(()));
    let swapped = text.replace("X-A: first\r\nx-a: second", "X-A: second\r\nx-a: first");
    assert_eq!(verdict(swapped.as_bytes(), &key), Err(Fault::Signature));
    for added in ["X-A: third\r\n", "x-a : \r\n"] {
        let more = format!("{added}{text}");
        match Message::parse(more.as_bytes()) {
            Ok(_) => assert_eq!(verdict(more.as_bytes(), &key), Err(Fault::Signature)),
            Err(_) => assert!(added.contains(" :")),
        }
    }
    // A field that is in no list may come and go.
    assert_eq!(verdict(format!("Received: x\r\n{text}").as_bytes(), &key), Ok(()));
}

#[test]
fn many_signatures_are_not_looked_at() {
    let text = "DKIM-Signature: v=1\r\n".repeat(40) + "From: a@b.test\r\n\r\n";
    let message = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(signatures(&message).len(), mail::dkim::MAX_SIGNATURES);
}

#[test]
fn what_is_no_key_cannot_sign() {
    assert!(SigningKey::from_pkcs8_der(b"no key").is_err());
    assert!(
        mail::dkim::Signer::new(
            mail::message::domain::Domain::parse("a.test").unwrap(),
            "a b",
            ed25519()
        )
        .is_none()
    );
}
