//! `email-reply-00` (RFC 8823): both halves of the proof, and everything that is not one. A mail server of the test takes
//! the challenge mails; replies are signed and delivered as a mailbox's own host does it.

mod by_hand;
#[path = "../served/mod.rs"]
mod served;
mod site;

use std::net::SocketAddr;

use email_reply::server::transport::sender::Sent;
use mail::{
    dkim::{Algorithm, Signer, SigningKey},
    message::{Message, domain::Domain},
};
use pkix::{csr::build_csr, key::KeyPair, name::GeneralName};
use serde_json::json;

use site::{Site, signer};

fn pair(status: &str, challenge: &str) -> (String, String) {
    (status.to_owned(), challenge.to_owned())
}

// 8823-3-3, 8823-3-4, 8823-3.1-3, 8823-3-8, 8823-3-10, 8823-M-1
#[tokio::test(flavor = "multi_thread")]
async fn only_who_reads_the_challenge_and_answers_it_by_the_mailbox_gets_a_certificate_and_both_proofs_are_on_record() {
    let mut site = Site::start().await;

    // Read, but the answer is somebody else's.
    let read = site.ask("alice@alpha.test").await;
    assert_eq!(site.answer_challenge(&read).await["status"], "processing");
    let reply = site.reply(&read);
    let unsigned = site.refused(&read, reply.as_bytes()).await;
    assert!(unsigned.contains("it has no DKIM signature"), "{unsigned}");
    let evil = signer("evil.test");
    site.dns.handle.add_txt(&evil.key_name(), &evil.record()).unwrap();
    let forged = site.refused(&read, &site.signed(&evil, &reply)).await;
    assert!(forged.contains("is not that of From, which is alpha.test"), "{forged}");
    assert_eq!(site.status(&read).await, pair("pending", "processing"));

    // Answered by the mailbox, but without having read.
    let mut blind = site.ask("alice@alpha.test").await;
    site.answer_challenge(&blind).await;
    blind.received.token_part1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".to_owned();
    let guessed = site.signed(&site.alpha, &site.reply(&blind));
    let guessed = site.refused(&blind, &guessed).await;
    assert!(
        guessed.contains("the token in its Subject is not this challenge"),
        "{guessed}"
    );
    assert_eq!(site.status(&blind).await, pair("pending", "processing"));

    // Both.
    let both = site.ask("alice@alpha.test").await;
    site.answer_challenge(&both).await;
    let octets = site.signed(&site.alpha, &site.reply(&both));
    let to = both.received.from.to_string();
    let sent = site.deliver("alice@alpha.test", &to, &octets).await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    assert_eq!(site.status(&both).await, pair("valid", "valid"));
    let authorization = site.world.read_json(&site.account, &both.authorization).await.unwrap();
    let [received, sent] = authorization["evidence"].as_array().unwrap().as_slice() else {
        panic!("{authorization}");
    };
    assert_eq!(
        (&received["saw"], &received["at"]),
        (&json!("received"), &json!("alice@alpha.test"))
    );
    assert_eq!(
        (&sent["saw"], &sent["from"]),
        (&json!("sent"), &json!("alice@alpha.test"))
    );
    assert_eq!((&sent["dmarc"], &sent["spf"]), (&json!("pass"), &json!("pass")));
    assert!(
        sent["dkim"][0]
            .as_str()
            .unwrap()
            .contains("signature of alpha.test (selector s1) passes")
    );

    // The reply again, and a second one: nobody waits for them.
    let again = site.refused(&both, &octets).await;
    assert!(again.contains("no challenge waits for an answer"), "{again}");

    let key = KeyPair::generate_p256();
    let csr = build_csr(&key, None, &[GeneralName::Email("alice@alpha.test".to_owned())]).unwrap();
    let issued = site.world.complete(&site.account, both.order, key, csr).await.unwrap();
    assert!(!issued.chain.is_empty());
}

// 8823-3-10
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_before_the_response_counts_and_a_wrong_digest_is_final() {
    let mut site = Site::start().await;
    let early = site.ask("alice@alpha.test").await;
    let octets = site.signed(&site.alpha, &site.reply(&early));
    let sent = site
        .deliver("alice@alpha.test", &early.received.from.to_string(), &octets)
        .await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    assert_eq!(site.status(&early).await, pair("pending", "pending"));
    assert_eq!(site.answer_challenge(&early).await["status"], "valid");

    // 8823-3.2-9
    let wrong = site.ask("alice@alpha.test").await;
    site.answer_challenge(&wrong).await;
    let right = site.answer(&wrong).digest().to_owned();
    let text = site.reply(&wrong).replace(&right, &"A".repeat(43));
    let to = wrong.received.from.to_string();
    let sent = site
        .deliver("alice@alpha.test", &to, &site.signed(&site.alpha, &text))
        .await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    assert_eq!(site.status(&wrong).await, pair("invalid", "invalid"));
    let shown = site.world.read_json(&site.account, &wrong.challenge.url).await.unwrap();
    assert!(
        shown["error"]["detail"]
            .as_str()
            .unwrap()
            .contains("its digest is not that of this challenge")
    );
    let octets = site.signed(&site.alpha, &site.reply(&wrong));
    let late = site.refused(&wrong, &octets).await;
    assert!(late.contains("no challenge waits"), "{late}");
}

// 8823-3-13, 8823-3-12, 8823-3.2-5, 8823-3.2-6, 8823-3.2-8, 8823-M-2, 8823-M-4
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_of_the_mailbox_is_refused_with_its_reason_and_the_challenge_goes_on() {
    let mut site = Site::start_with("per_mailbox = 100\n").await;
    let alice = site.ask("alice@alpha.test").await;
    let bob = site.ask("bob@alpha.test").await;
    site.answer_challenge(&alice).await;
    let text = site.reply(&alice);
    let digest = site.answer(&alice).digest().to_owned();
    let with = |field: &str| format!("{field}\r\n{text}");
    let cases = [
        (text.replace("From: alice@", "From: bob@"), "an alias cannot answer it"),
        (
            text.replace("From: alice@alpha.test", "From: alice@alpha.test, bob@alpha.test"),
            "From cannot be used",
        ),
        (with("From: alice@alpha.test"), "From"),
        (with("Subject: Re: ACME: x"), "Subject"),
        (with("List-Id: <people.alpha.test>"), "it came through a mailing list"),
        // JL's attack: a post that the list signs with its own domain is addressed to the list.
        (
            text.replace("To: acme-challenge", "To: people@alpha.test, acme-challenge"),
            "its To is not",
        ),
        (with("Cc: people@alpha.test"), "it has a field Cc"),
        (with("Sender: people-bounces@alpha.test"), "it has a field Sender"),
        (with("Reply-To: mallory@evil.test"), "it has a field Reply-To"),
        (with("Precedence: bulk"), "it is bulk mail"),
        (with("Resent-From: bob@alpha.test"), "somebody passed it on"),
        (
            text.replace("auto-replied; type=acme", "auto-generated"),
            "it was sent by a robot",
        ),
        (text.replace(&digest, "nothing"), "no SHA-256 digest"),
        (text.replace("text/plain", "text/html"), "the message is HTML alone"),
    ];
    for (case, reason) in cases {
        let words = match Message::parse(case.as_bytes()) {
            Ok(_) => site.refused(&alice, &site.signed(&site.alpha, &case)).await,
            Err(_) => site.refused(&alice, case.as_bytes()).await,
        };
        assert!(words.contains(reason), "{reason}: {words}");
    }
    // An Authentication-Results field is worth nothing.
    let claimed = with("Authentication-Results: mail.ca.test; dkim=pass header.d=alpha.test");
    let words = site.refused(&alice, claimed.as_bytes()).await;
    assert!(words.contains("it has no DKIM signature"), "{words}");
    // A subdomain's key is not the domain's.
    let below = signer("www.alpha.test");
    site.dns.handle.add_txt(&below.key_name(), &below.record()).unwrap();
    let words = site.refused(&alice, &site.signed(&below, &text)).await;
    assert!(words.contains("is not that of From"), "{words}");
    // Nor one that is only being tried.
    let testing = Signer::new(
        Domain::parse("alpha.test").unwrap(),
        "testing",
        SigningKey::generate(Algorithm::Ed25519Sha256).unwrap(),
    )
    .unwrap();
    let record = testing.record().replace("v=DKIM1;", "v=DKIM1; t=y;");
    site.dns.handle.add_txt(&testing.key_name(), &record).unwrap();
    let words = site.refused(&alice, &site.signed(&testing, &text)).await;
    assert!(words.contains("test"), "{words}");
    // Crossed: alice's answer at bob's address.
    let crossed = site.signed(&site.alpha, &text);
    let words = site.refused(&bob, &crossed).await;
    assert!(words.contains("an alias cannot answer it"), "{words}");
    assert_eq!(site.status(&alice).await, pair("pending", "processing"));

    // A resolver that does not answer is no reason to refuse.
    let silent = Signer::new(
        Domain::parse("alpha.test").unwrap(),
        "silent",
        SigningKey::generate(Algorithm::Ed25519Sha256).unwrap(),
    )
    .unwrap();
    site.dns.handle.set_servfail(&silent.key_name()).unwrap();
    let octets = site.signed(&silent, &text);
    let to = alice.received.from.to_string();
    let later = site.deliver("alice@alpha.test", &to, &octets).await;
    assert!(matches!(&later, Sent::Later(_)), "{later:?}");

    let sent = site.deliver("alice@alpha.test", &to, &crossed).await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    assert_eq!(site.status(&alice).await, pair("valid", "valid"));
}

// 8823-3-5
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_not_there_fails_at_once_and_nobody_is_bombed() {
    let mut site = Site::start().await;
    let order = site.order("carol@alpha.test").await.unwrap();
    let authorization = order.authorizations().remove(0);
    let challenge = site
        .world
        .challenge(&site.account, &authorization, "email-reply-00")
        .await
        .unwrap();
    site.world
        .post(&site.account, &challenge.url, &json!({}))
        .await
        .unwrap();
    let settled = site.world.settled(&site.account, &authorization).await.unwrap();
    assert_eq!(settled["status"], "invalid");
    let shown = site.world.read_json(&site.account, &challenge.url).await.unwrap();
    let detail = shown["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("nobody of that name lives here"), "{detail}");

    // Word of it may also come by mail.
    let bounced = site.ask("alice@alpha.test").await;
    site.answer_challenge(&bounced).await;
    let report = "From: MAILER-DAEMON@alpha.test\r\nTo: x@ca.test\r\nSubject: undelivered\r\n\
                  Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
                  Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n\
                  Diagnostic-Code: smtp; 550 5.2.2 mailbox full\r\n--b--\r\n";
    let to = bounced.received.from.to_string();
    let taken = deliver_null(site.inbox, &to, report).await;
    assert!(taken.starts_with("250"), "{taken}");
    assert_eq!(site.status(&bounced).await, pair("invalid", "invalid"));

    for _ in 0..2 {
        site.ask("alice@alpha.test").await;
    }
    let refused = site.order("Alice@alpha.test").await.unwrap_err();
    assert!(
        refused.contains("too many challenge mails to alice@alpha.test: 3 in 1 h"),
        "{refused}"
    );
    assert!(site.delivered.try_recv().is_err());
    site.ask("bob@alpha.test").await;

    // Nobody learns here who has ordered what.
    let words = site
        .deliver("a@alpha.test", "acme-challenge@ca.test", b"a: b\r\n\r\n")
        .await;
    assert!(matches!(words, Sent::Refused(_)), "{words:?}");
}

/// The last reply of a session with the null return path.
async fn deliver_null(inbox: SocketAddr, to: &str, message: &str) -> String {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let stream = tokio::net::TcpStream::connect(inbox).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut last = String::new();
    let ends = format!("{message}.");
    for line in [
        "",
        "HELO mail.alpha.test",
        "MAIL FROM:<>",
        &format!("RCPT TO:<{to}>"),
        "DATA",
        &ends,
    ] {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        }
        last.clear();
        stream.read_line(&mut last).await.unwrap();
    }
    last
}
