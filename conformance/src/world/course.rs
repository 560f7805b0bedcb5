//! The way of one certificate, in steps that tests put together.

use std::{fs, time::Duration};

use jose::base64url;
use pkix::key::KeyPair;
use serde_json::{Value, json};

use super::{Account, World};
use crate::{
    answer::Answer,
    craft, ensure, fail,
    responder::{Manner, Page},
    test::{Outcome, Verdict},
};

#[derive(Clone, Debug)]
pub struct Order {
    pub url: String,
    pub body: Value,
}

#[derive(Clone, Debug)]
pub struct Challenge {
    pub url: String,
    pub token: String,
    pub authorization: String,
    /// The name or address, as the authorization has it.
    pub value: String,
}

/// A certificate, and all that led to it.
pub struct Issued {
    pub order: Order,
    pub csr: Vec<u8>,
    pub key: KeyPair,
    pub url: String,
    /// DER, the end entity's first.
    pub chain: Vec<Vec<u8>>,
}

impl Order {
    pub fn status(&self) -> &str {
        self.body["status"].as_str().unwrap_or_default()
    }

    pub fn authorizations(&self) -> Vec<String> {
        let urls = self.body["authorizations"].as_array().cloned().unwrap_or_default();
        urls.iter().filter_map(|url| url.as_str().map(str::to_owned)).collect()
    }

    /// The URL to finalize at.
    pub fn finalize(&self) -> Outcome<&str> {
        match self.body["finalize"].as_str() {
            Some(url) => Ok(url),
            None => fail!("the order {} has no \"finalize\"", self.url),
        }
    }
}

impl Challenge {
    pub fn path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
    }

    /// Where dns-01 looks.
    pub fn txt_name(&self) -> String {
        format!("_acme-challenge.{}", self.value)
    }

    /// The SHA-256 of the key authorization.
    pub fn digest(&self, account: &Account) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            account.key_authorization(&self.token).as_bytes(),
        );
        digest.as_ref().try_into().expect("invariant: SHA-256 has 32 octets")
    }
}

impl World {
    /// Orders dns names.
    pub async fn order(&self, account: &Account, names: &[&str]) -> Outcome<Order> {
        let identifiers: Vec<_> = names
            .iter()
            .map(|name| json!({ "type": "dns", "value": name }))
            .collect();
        self.order_identifiers(account, identifiers.into()).await
    }

    pub async fn order_identifiers(&self, account: &Account, identifiers: Value) -> Outcome<Order> {
        let request = json!({ "identifiers": identifiers });
        let answer = self
            .post(account, &self.resource("newOrder")?, &request)
            .await?
            .expect(201)?;
        Ok(Order {
            url: answer.location()?,
            body: answer.json()?,
        })
    }

    pub async fn reread(&self, account: &Account, order: &Order) -> Outcome<Order> {
        Ok(Order {
            url: order.url.clone(),
            body: self.read_json(account, &order.url).await?,
        })
    }

    /// The challenge of a type, if the authorization offers it.
    pub async fn challenge(&self, account: &Account, authorization: &str, kind: &str) -> Outcome<Challenge> {
        let object = self.read_json(account, authorization).await?;
        match find_challenge(&object, kind) {
            Some(challenge) => Ok(Challenge {
                url: challenge["url"].as_str().unwrap_or_default().to_owned(),
                token: challenge["token"].as_str().unwrap_or_default().to_owned(),
                authorization: authorization.to_owned(),
                value: object["identifier"]["value"].as_str().unwrap_or_default().to_owned(),
            }),
            None => Err(Verdict::NotApplicable(format!(
                "{kind} is not offered for {}",
                object["identifier"]
            ))),
        }
    }

    /// A new order for one new name, and its challenge.
    pub async fn challenged(&self, account: &Account, kind: &str) -> Outcome<(Order, Challenge)> {
        let name = self.name(kind);
        let order = self.order(account, &[&name]).await?;
        let Some(authorization) = order.authorizations().pop() else {
            fail!("the order has no authorizations: {}", order.body);
        };
        let challenge = self.challenge(account, &authorization, kind).await?;
        Ok((order, challenge))
    }

    /// Says that a challenge can be validated.
    pub async fn respond(&self, account: &Account, challenge: &Challenge) -> Outcome<Answer> {
        let answer = self.post(account, &challenge.url, &json!({})).await;
        tokio::time::sleep(self.options.pause).await;
        answer
    }

    /// Responds and waits for the end.
    pub async fn conclude(&self, account: &Account, challenge: &Challenge) -> Outcome<Value> {
        self.respond(account, challenge).await?.expect(200)?;
        self.settled(account, &challenge.authorization).await
    }

    /// The authorization once it is not pending any more.
    pub async fn settled(&self, account: &Account, authorization: &str) -> Outcome<Value> {
        let read = async || self.read_json(account, authorization).await;
        poll(read, |object| object["status"] != "pending").await
    }

    /// Provisions http-01 in the right way.
    pub fn provision_http(&self, account: &Account, challenge: &Challenge) -> Outcome {
        let page = Page::ok(account.key_authorization(&challenge.token));
        self.http()?.serve(&challenge.path(), page);
        Ok(())
    }

    pub async fn provision_dns(&self, account: &Account, challenge: &Challenge) -> Outcome {
        let value = base64url::encode(challenge.digest(account));
        self.dns()?.add_txt(&challenge.txt_name(), &value).await
    }

    pub fn provision_tls(&self, account: &Account, challenge: &Challenge) -> Outcome {
        let presented = craft::Presented::right(craft::dns(&challenge.value), &challenge.digest(account));
        self.present(&challenge.value, &presented)
    }

    /// Presents a certificate where ALPN is understood.
    pub fn present(&self, server_name: &str, presented: &craft::Presented) -> Outcome {
        let key = KeyPair::generate_p256();
        let manner = Manner::Handshake {
            chain: vec![presented.sign(&key)],
            key,
            alpn: Some("acme-tls/1"),
        };
        self.tls()?.serve(server_name, manner);
        Ok(())
    }

    /// Proves control of whatever the authorization is for, in the first way that is offered and possible.
    pub async fn prove(&self, account: &Account, authorization: &str) -> Outcome<Value> {
        let object = self.read_json(account, authorization).await?;
        if object["status"] == "valid" {
            return Ok(object);
        }
        let offered = |kind| find_challenge(&object, kind).is_some();
        let kind = match () {
            () if self.http.is_some() && offered("http-01") => "http-01",
            () if self.dns.is_some() && offered("dns-01") => "dns-01",
            () if self.tls.is_some() && offered("tls-alpn-01") => "tls-alpn-01",
            () => {
                return Err(Verdict::NotApplicable(
                    "no challenge that is offered can be answered".into(),
                ));
            }
        };
        let challenge = self.challenge(account, authorization, kind).await?;
        match kind {
            "http-01" => self.provision_http(account, &challenge)?,
            "dns-01" => self.provision_dns(account, &challenge).await?,
            _ => self.provision_tls(account, &challenge)?,
        }
        let object = self.conclude(account, &challenge).await?;
        ensure!(
            object["status"] == "valid",
            "a right answer to {kind} for {} does not validate: {object}",
            challenge.value
        );
        Ok(object)
    }

    /// An order whose every authorization is valid.
    pub async fn ready(&self, account: &Account, names: &[&str]) -> Outcome<Order> {
        let order = self.order(account, names).await?;
        self.make_ready(account, order).await
    }

    pub async fn make_ready(&self, account: &Account, order: Order) -> Outcome<Order> {
        for authorization in order.authorizations() {
            self.prove(account, &authorization).await?;
        }
        let order = poll(
            async || self.reread(account, &order).await,
            |order| order.status() != "pending",
        )
        .await?;
        ensure!(
            order.status() == "ready",
            "everything is proved, and the order is: {}",
            order.body
        );
        Ok(order)
    }

    /// POSTs a CSR.
    pub async fn finalize(&self, account: &Account, order: &Order, csr: &[u8]) -> Outcome<Answer> {
        let request = json!({ "csr": base64url::encode(csr) });
        self.post(account, order.finalize()?, &request).await
    }

    /// From a ready order to a certificate.
    pub async fn complete(&self, account: &Account, order: Order, key: KeyPair, csr: Vec<u8>) -> Outcome<Issued> {
        self.finalize(account, &order, &csr).await?.expect(200)?;
        tokio::time::sleep(self.options.pause).await;
        self.collect(account, order, key, csr).await
    }

    /// From an order that was finalized to its certificate.
    pub async fn collect(&self, account: &Account, order: Order, key: KeyPair, csr: Vec<u8>) -> Outcome<Issued> {
        let read = async || self.reread(account, &order).await;
        let order = poll(read, |order| !["processing", "ready"].contains(&order.status())).await?;
        ensure!(order.status() == "valid", "after finalize the order is: {}", order.body);
        let Some(url) = order.body["certificate"].as_str().map(str::to_owned) else {
            fail!("a valid order without \"certificate\": {}", order.body);
        };
        let answer = self.read(account, &url).await?.expect(200)?;
        let pem = String::from_utf8_lossy(&answer.body).into_owned();
        let chain = pkix::pem::parse_chain(&pem)?;
        ensure!(!chain.is_empty(), "an empty chain at {url}");
        if let Some(dir) = &self.options.certificates {
            let name = url.rsplit('/').next().unwrap_or("certificate");
            fs::create_dir_all(dir)?;
            fs::write(dir.join(format!("{name}.pem")), &pem)?;
        }
        Ok(Issued {
            order,
            csr,
            key,
            url,
            chain,
        })
    }

    /// A certificate for these dns names.
    pub async fn issue(&self, account: &Account, names: &[&str]) -> Outcome<Issued> {
        let order = self.ready(account, names).await?;
        let key = KeyPair::generate_p256();
        let csr = craft::csr_for(&key, names);
        self.complete(account, order, key, csr).await
    }
}

pub fn find_challenge<'a>(authorization: &'a Value, kind: &str) -> Option<&'a Value> {
    let challenges = authorization["challenges"].as_array()?;
    challenges.iter().find(|challenge| challenge["type"] == kind)
}

/// Looks again, a few times a second, until it holds or time is up; then what was seen last.
pub async fn poll<T>(mut look: impl AsyncFnMut() -> Outcome<T>, holds: impl Fn(&T) -> bool) -> Outcome<T> {
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(20);
    loop {
        let seen = look().await?;
        if holds(&seen) || tokio::time::Instant::now() > until {
            return Ok(seen);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Three attempts of a validation that is retried.
const PATIENCE: Duration = Duration::from_secs(60);
