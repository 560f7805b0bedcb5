//! `email-reply-00` (RFC 8823): both halves of the proof, and everything that is not one. A mail server of the test takes
//! the challenge mails; replies are signed and delivered as a mailbox's own host does it.

mod served;

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use authority::ports::BoxFuture;
use conformance::{
    Options, World,
    world::{Account, Challenge, Order},
};
use email_reply::server::transport::{
    listener::{self, Acceptance, Delivery, Desk, Listener, Protocol, Taken},
    sender::{Route, Sender, Sent, Tls},
};
use mail::{
    answer::Answer,
    challenge::{Received, Unverified},
    dkim::{Algorithm, Signer, SigningKey, coverage},
    dns::{Answers, Step, Txt},
    message::{Message, address::Mailbox, domain::Domain},
    message_id::MessageId,
    reply,
};
use pkix::{csr::build_csr, key::KeyPair, name::GeneralName};
use serde_json::{Value, json};
use testbed::dns::{Dns, Running};
use tokio::sync::mpsc;

use served::Served;

/// The mail server of alpha.test: it knows alice and bob.
struct Postman(mpsc::UnboundedSender<Delivery>);

impl Desk for Postman {
    fn accepts<'a>(&'a self, recipient: &'a str) -> BoxFuture<'a, Acceptance> {
        let known = recipient.starts_with("alice") || recipient.starts_with("bob");
        let acceptance = match known {
            true => Acceptance::Yes,
            false => Acceptance::No("nobody of that name lives here".to_owned()),
        };
        Box::pin(std::future::ready(acceptance))
    }

    fn take<'a>(&'a self, delivery: Delivery) -> BoxFuture<'a, Taken> {
        self.0.send(delivery).unwrap();
        Box::pin(std::future::ready(Taken::Done))
    }
}

struct Site {
    dns: Running,
    _served: Served,
    world: World,
    account: Account,
    delivered: mpsc::UnboundedReceiver<Delivery>,
    /// Where replies go.
    inbox: SocketAddr,
    /// Of the challenge mails.
    authority: Signer,
    /// Of the host that alice's and bob's mail leaves by.
    alpha: Signer,
}

/// A challenge of alice's or bob's, and its mail.
struct Asked {
    order: Order,
    authorization: String,
    challenge: Challenge,
    received: Received,
}

impl Site {
    async fn start() -> Self {
        Self::start_with("").await
    }

    async fn start_with(more: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let dns = Dns::start(any, Some(any)).await.unwrap();
        let (postman, delivered) = mpsc::unbounded_channel();
        let post_office = Listener::bind(any, settings("mail.alpha.test")).await.unwrap();
        let relay = post_office.address().unwrap();
        tokio::spawn(post_office.serve(Arc::new(Postman(postman))));

        let alpha = signer("alpha.test");
        dns.handle.add_txt(&alpha.key_name(), &alpha.record()).unwrap();
        dns.handle.add_txt("alpha.test", "v=spf1 ip4:127.0.0.1 -all").unwrap();
        dns.handle.add_txt("_dmarc.alpha.test", "v=DMARC1; p=reject").unwrap();

        let keys = tempfile::tempdir().unwrap();
        let key_file = keys.path().join("dkim.pem");
        write_key(&key_file);
        let authority = Signer::new(Domain::parse("ca.test").unwrap(), "file", read_key(&key_file)).unwrap();
        dns.handle.add_txt(&authority.key_name(), &authority.record()).unwrap();
        let inbox = Mutex::new(any);
        let served = Served::start(|config| {
            // Another one where the server did not start, because somebody took the port.
            let address = TcpListener::bind(any).unwrap().local_addr().unwrap();
            *inbox.lock().unwrap() = address;
            let table: toml::Table = format!(
                "validation = {{ resolvers = [\"{}\"] }}\n\
                 [extensions.email-reply]\nenabled = true\ndomain = \"ca.test\"\nlisten = \"{address}\"\n\
                 relay = \"{relay}\"\nrelay_tls = \"never\"\nhost = \"mail.ca.test\"\nname = \"CA of test\"\n\
                 dkim = {{ file = {:?} }}\n{more}",
                dns.dns_addr,
                key_file.display().to_string(),
            )
            .parse()
            .unwrap();
            config.extend(table);
            let profiles = config["profile"].as_table_mut().unwrap();
            let mut smime = profiles["default"].clone();
            smime.as_table_mut().unwrap().insert("purpose".into(), "email".into());
            profiles.insert("smime".into(), smime);
        });
        let options = Options::new(served.directory(), served.folder.path().join("root.pem"));
        let world = World::open(options).await.unwrap();
        let account = world.account().await.unwrap();
        let inbox = inbox.into_inner().unwrap();
        Self {
            dns,
            _served: served,
            world,
            account,
            delivered,
            inbox,
            authority,
            alpha,
        }
    }

    async fn order(&self, mailbox: &str) -> Result<Order, String> {
        let request = json!({ "identifiers": [{ "type": "email", "value": mailbox }], "profile": "smime" });
        let url = self.world.resource("newOrder").unwrap();
        let answer = self.world.post(&self.account, &url, &request).await.unwrap();
        match answer.status {
            201 => Ok(Order {
                url: answer.location().unwrap(),
                body: answer.json().unwrap(),
            }),
            _ => Err(answer.json().unwrap()["detail"].as_str().unwrap().to_owned()),
        }
    }

    /// An order and the mail that comes of it.
    async fn ask(&mut self, mailbox: &str) -> Asked {
        let order = self.order(mailbox).await.unwrap();
        let delivery = self.delivered.recv().await.unwrap();
        assert_eq!(delivery.recipient, mailbox);
        let authorization = order.authorizations().remove(0);
        let challenge = self
            .world
            .challenge(&self.account, &authorization, "email-reply-00")
            .await;
        let challenge = challenge.unwrap();
        let shown = self.world.read_json(&self.account, &challenge.url).await.unwrap();
        let from = Mailbox::parse(shown["from"].as_str().unwrap()).unwrap();
        assert_eq!(delivery.return_path.as_deref(), Some(from.to_string().as_str()));
        let received = self.read(&delivery.octets, &from, mailbox);
        Asked {
            order,
            authorization,
            challenge,
            received,
        }
    }

    /// As a client reads it: signed by the authority's domain, or not at all.
    fn read(&self, mail: &[u8], from: &Mailbox, to: &str) -> Received {
        let to = Mailbox::parse(to).unwrap();
        let unverified = Unverified::read(mail, from, &to).unwrap();
        let mut answers = Answers::default();
        loop {
            match unverified.judge(&Default::default(), now(), &answers) {
                Step::Done(received) => return received.unwrap(),
                Step::Ask(names) => {
                    for name in names {
                        assert_eq!(name, self.authority.key_name());
                        answers.insert(name, Txt::of(vec![self.authority.record()]));
                    }
                }
            }
        }
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let thumbprint = self.account.key_authorization("");
        Answer::new(&asked.received.token_part1, &asked.challenge.token, &thumbprint[1..])
    }

    /// The right reply, not yet signed.
    fn reply(&self, asked: &Asked) -> String {
        let id = MessageId::new("1", &Domain::parse("alpha.test").unwrap()).unwrap();
        let octets = reply::compose(&asked.received, self.answer(asked).digest(), &id, now());
        String::from_utf8(octets).unwrap()
    }

    fn signed(&self, signer: &Signer, text: &str) -> Vec<u8> {
        let names: Vec<&str> = coverage::REQUIRED.into_iter().chain(coverage::LISTS).collect();
        let message = Message::parse(text.as_bytes()).unwrap();
        let mut octets = signer.sign(&message, &names, now()).into_bytes();
        octets.extend_from_slice(text.as_bytes());
        octets
    }

    async fn deliver(&self, from: &str, to: &str, octets: &[u8]) -> Sent {
        let route = Route::Relay {
            host: self.inbox.ip().to_string(),
            port: self.inbox.port(),
            tls: Tls::Never,
            credentials: None,
        };
        Sender::new(route, "mail.alpha.test".to_owned())
            .send(from, to, octets)
            .await
    }

    /// The words with which a reply to a challenge is refused.
    async fn refused(&self, asked: &Asked, octets: &[u8]) -> String {
        match self
            .deliver("alice@alpha.test", &asked.received.from.to_string(), octets)
            .await
        {
            Sent::Refused(words) => words,
            other => panic!("{other:?}"),
        }
    }

    async fn answer_challenge(&self, asked: &Asked) -> Value {
        let answer = self
            .world
            .post(&self.account, &asked.challenge.url, &json!({}))
            .await
            .unwrap();
        answer.expect(200).unwrap().json().unwrap()
    }

    async fn status(&self, asked: &Asked) -> (String, String) {
        let authorization = self.world.read_json(&self.account, &asked.authorization).await.unwrap();
        let challenge = self.world.read_json(&self.account, &asked.challenge.url).await.unwrap();
        let text = |value: &Value| value["status"].as_str().unwrap().to_owned();
        (text(&authorization), text(&challenge))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server of this test lives in the world's time"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn settings(host: &str) -> listener::Settings {
    listener::Settings {
        protocol: Protocol::Smtp,
        host: host.to_owned(),
        tls: None,
        connections: 10,
        per_address: 10,
        idle: Duration::from_secs(60),
        longest: Duration::from_secs(600),
    }
}

fn signer(domain: &str) -> Signer {
    let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
    Signer::new(Domain::parse(domain).unwrap(), "s1", key).unwrap()
}

fn write_key(file: &Path) {
    let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
    let pem = pem_rfc7468::encode_string("PRIVATE KEY", Default::default(), &key.to_pkcs8_der()).unwrap();
    std::fs::write(file, pem).unwrap();
}

fn read_key(file: &Path) -> SigningKey {
    let (_, der) = pem_rfc7468::decode_vec(&std::fs::read(file).unwrap()).unwrap();
    SigningKey::from_pkcs8_der(&der).unwrap()
}

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

/// What a person sees and types with `--paste`.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_enrols_by_hand_with_what_the_command_says() {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let mut site = Site::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut enroll = tokio::process::Command::new(env!("CARGO_BIN_EXE_vidimus"))
        .args([
            "smime",
            "enroll",
            "alice@alpha.test",
            "--paste",
            "--server",
            &site._served.directory(),
        ])
        .arg("--ca-bundle")
        .arg(site._served.folder.path().join("root.pem"))
        .arg("--dir")
        .arg(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut typed = enroll.stdin.take().unwrap();
    let mut said = BufReader::new(enroll.stderr.take().unwrap()).lines();
    let mail = site.delivered.recv().await.unwrap();
    let from = Mailbox::parse(mail.return_path.as_deref().unwrap()).unwrap();
    let received = site.read(&mail.octets, &from, "alice@alpha.test");
    typed
        .write_all(format!("ACME: {}\n", received.token_part1).as_bytes())
        .await
        .unwrap();

    let mut wanted = Vec::new();
    while !wanted.iter().any(|line: &String| line.contains("END ACME RESPONSE")) {
        wanted.push(said.next_line().await.unwrap().expect("it says what to send"));
    }
    let at = wanted
        .iter()
        .position(|line| line.contains("BEGIN ACME RESPONSE"))
        .unwrap();
    let digest = &wanted[at + 1];
    assert!(wanted.iter().any(|line| *line == format!("To: {from}")), "{wanted:?}");
    assert!(
        wanted
            .iter()
            .any(|line| *line == format!("Subject: Re: ACME: {}", received.token_part1))
    );

    let id = MessageId::new("by-hand", &Domain::parse("alpha.test").unwrap()).unwrap();
    let octets = String::from_utf8(reply::compose(&received, digest, &id, now())).unwrap();
    let sent = site
        .deliver(
            "alice@alpha.test",
            &from.to_string(),
            &site.signed(&site.alpha, &octets),
        )
        .await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
    typed.write_all(b"\n").await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    assert!(enroll.wait().await.unwrap().success());
    assert!(folder.path().join("certs/alice@alpha.test/fullchain.pem").is_file());
}
