//! An authority that proves mailboxes by mail, and the mail server of alpha.test, which knows alice and bob.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use authority::ports::BoxFuture;
use conformance::{
    Options, World,
    world::{Account, Challenge, Order},
};
use email_reply::server::transport::{
    guests::Room,
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
use serde_json::{Value, json};
use testbed::dns::{Dns, Running};
use tokio::sync::mpsc;

use crate::served::Served;

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

pub struct Site {
    pub dns: Running,
    pub served: Served,
    pub world: World,
    pub account: Account,
    pub delivered: mpsc::UnboundedReceiver<Delivery>,
    /// Where replies go.
    pub inbox: SocketAddr,
    /// Of the challenge mails.
    authority: Signer,
    /// Of the host that alice's and bob's mail leaves by.
    pub alpha: Signer,
}

/// A challenge of alice's or bob's, and its mail.
pub struct Asked {
    pub order: Order,
    pub authorization: String,
    pub challenge: Challenge,
    pub received: Received,
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    pub async fn start_with(more: &str) -> Self {
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

        let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
        let keys = tempfile::tempdir().unwrap();
        let key_file = keys.path().join("dkim.pem");
        std::fs::write(&key_file, key.to_pem().as_bytes()).unwrap();
        let authority = Signer::new(Domain::parse("ca.test").unwrap(), "file", key).unwrap();
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
            served,
            world,
            account,
            delivered,
            inbox,
            authority,
            alpha,
        }
    }

    pub async fn order(&self, mailbox: &str) -> Result<Order, String> {
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
    pub async fn ask(&mut self, mailbox: &str) -> Asked {
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
    pub fn read(&self, mail: &[u8], from: &Mailbox, to: &str) -> Received {
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

    pub fn answer(&self, asked: &Asked) -> Answer {
        let thumbprint = self.account.key_authorization("");
        Answer::new(&asked.received.token_part1, &asked.challenge.token, &thumbprint[1..])
    }

    /// The right reply, not yet signed.
    pub fn reply(&self, asked: &Asked) -> String {
        let id = MessageId::new("1", &Domain::parse("alpha.test").unwrap()).unwrap();
        let octets = reply::compose(&asked.received, self.answer(asked).digest(), &id, now());
        String::from_utf8(octets).unwrap()
    }

    pub fn signed(&self, signer: &Signer, text: &str) -> Vec<u8> {
        let names: Vec<&str> = coverage::REQUIRED.into_iter().chain(coverage::LISTS).collect();
        let message = Message::parse(text.as_bytes()).unwrap();
        let mut octets = signer.sign(&message, &names, now()).into_bytes();
        octets.extend_from_slice(text.as_bytes());
        octets
    }

    pub async fn deliver(&self, from: &str, to: &str, octets: &[u8]) -> Sent {
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
    pub async fn refused(&self, asked: &Asked, octets: &[u8]) -> String {
        match self
            .deliver("alice@alpha.test", &asked.received.from.to_string(), octets)
            .await
        {
            Sent::Refused(words) => words,
            other => panic!("{other:?}"),
        }
    }

    pub async fn answer_challenge(&self, asked: &Asked) -> Value {
        let answer = self
            .world
            .post(&self.account, &asked.challenge.url, &json!({}))
            .await
            .unwrap();
        answer.expect(200).unwrap().json().unwrap()
    }

    pub async fn status(&self, asked: &Asked) -> (String, String) {
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
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn settings(host: &str) -> listener::Settings {
    listener::Settings {
        protocol: Protocol::Smtp,
        host: host.to_owned(),
        tls: None,
        room: Room {
            connections: 10,
            per_address: 10,
        },
        idle: Duration::from_secs(60),
        longest: Duration::from_secs(600),
    }
}

pub fn signer(domain: &str) -> Signer {
    let key = SigningKey::generate(Algorithm::Ed25519Sha256).unwrap();
    Signer::new(Domain::parse(domain).unwrap(), "s1", key).unwrap()
}
