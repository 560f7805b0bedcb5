//! An account that says what a test tells it to, and repeats what the server refuses by chance.

use client::{Csr, Identifier, KeyType};
use conformance::{answer::Answer, speaker::Speaker};
use http::{Method, Request, header};
use jose::{Algorithm, KeyRef, SigningKey, base64url, sign_flattened};
use pkix::certificate::Certificate;
use serde_json::{Value, json};

use crate::{certificates, world::World};

pub struct Subscriber<'w> {
    world: &'w World,
    speaker: Speaker,
    directory: Value,
    key: SigningKey,
    url: Option<String>,
}

pub struct Order {
    url: String,
    finalize: String,
    identifier: Identifier,
}

impl<'w> Subscriber<'w> {
    pub async fn new(world: &'w World) -> Self {
        let mut subscriber = Self::without_account(world).await;
        let answer = subscriber.post("newAccount", &world.new_account()).await;
        subscriber.url = Some(answer.expect(201).unwrap().location().unwrap());
        subscriber
    }

    pub async fn without_account(world: &'w World) -> Self {
        Self {
            world,
            speaker: world.speaker(),
            directory: world.directory().await,
            key: SigningKey::generate(Algorithm::Es256).unwrap(),
            url: None,
        }
    }

    /// To a member of the directory, or to a URL. The empty payload of POST-as-GET is `Value::Null`.
    pub async fn post(&self, to: &str, payload: &Value) -> Answer {
        let url = self.directory[to].as_str().unwrap_or(to);
        let nonces = Request::builder()
            .method(Method::HEAD)
            .uri(text(&self.directory["newNonce"]));
        let nonce = self
            .speaker
            .send(nonces.body(Default::default()).unwrap())
            .await
            .unwrap();
        let reference = self.url.as_deref().map_or(KeyRef::Jwk, KeyRef::Kid);
        let payload = if payload.is_null() {
            String::new()
        } else {
            payload.to_string()
        };
        let body = sign_flattened(&self.key, reference, nonce.nonce(), url, payload.as_bytes());
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, acme::JOSE_JSON)
            .body(body.into());
        self.speaker.send(request.unwrap()).await.unwrap()
    }

    pub async fn account(&self) -> Value {
        let url = self.url.as_deref().expect("an account was made");
        self.post(url, &Value::Null).await.expect(200).unwrap().json().unwrap()
    }

    /// The account's key, bound to an external account.
    pub fn binding(&self, kid: &str, mac_key: &str) -> Value {
        let key = base64url::decode(mac_key).unwrap();
        let jwk = serde_json::to_vec(&self.key.jwk()).unwrap();
        jose::mac_flattened(&key, kid, &text(&self.directory["newAccount"]), &jwk)
    }

    pub async fn new_order(&self, name: &str) -> Order {
        let identifier = acme::Identifier::dns(name);
        let answer = self.post("newOrder", &json!({ "identifiers": [identifier] })).await;
        let answer = answer.expect(201).unwrap();
        Order {
            url: answer.location().unwrap(),
            finalize: text(&answer.json().unwrap()["finalize"]),
            identifier: Identifier::from_wire(&identifier).unwrap(),
        }
    }

    /// Has the challenge server answer, says so, and waits until the order is ready.
    pub async fn prove(&self, order: &Order, kind: &str) {
        let challenge = self.challenge(order, kind).await;
        let thumbprint = self.key.jwk().thumbprint();
        let content = acme::KeyAuthorization::new(&text(&challenge["token"]), &thumbprint);
        let name = order.identifier.to_string();
        let (path, script) = match kind {
            "http-01" => (
                "/add-http01",
                json!({ "token": challenge["token"], "content": content.as_str() }),
            ),
            "dns-01" => {
                let host = format!("_acme-challenge.{name}.");
                ("/set-txt", json!({ "host": host, "value": content.dns_value() }))
            }
            _ => ("/add-tlsalpn01", json!({ "host": name, "content": content.as_str() })),
        };
        self.world.script(path, &script).await;
        self.respond(order, kind).await;
    }

    /// Says that the challenge is answered, and waits until the order is ready.
    pub async fn respond(&self, order: &Order, kind: &str) {
        let challenge = self.challenge(order, kind).await;
        let answer = self.post(&text(&challenge["url"]), &json!({})).await;
        answer.expect(200).unwrap();
        self.read_until(&order.url, "ready").await;
    }

    /// Finalizes a ready order.
    pub async fn issue(&self, order: &Order) -> Vec<Certificate> {
        certificates(&self.certificate(order).await.body)
    }

    /// Finalizes a ready order; the answer to the certificate's URL.
    pub async fn certificate(&self, order: &Order) -> Answer {
        let csr = Csr::new(&KeyType::default().generate(), std::slice::from_ref(&order.identifier)).unwrap();
        let csr = json!({ "csr": base64url::encode(csr.der()) });
        self.post(&order.finalize, &csr).await.expect(200).unwrap();
        let order = self.read_until(&order.url, "valid").await;
        let answer = self.post(&text(&order["certificate"]), &Value::Null).await;
        answer.expect(200).unwrap()
    }

    async fn challenge(&self, order: &Order, kind: &str) -> Value {
        let order = self.post(&order.url, &Value::Null).await.json().unwrap();
        let authorization = self.post(&text(&order["authorizations"][0]), &Value::Null).await;
        let authorization = authorization.json().unwrap();
        let challenges = authorization["challenges"].as_array().unwrap();
        let offered = challenges.iter().find(|challenge| challenge["type"] == kind);
        offered
            .unwrap_or_else(|| panic!("{kind} is not offered: {authorization}"))
            .clone()
    }

    /// The server itself holds an answer back while it works.
    async fn read_until(&self, url: &str, status: &str) -> Value {
        let mut seen = Value::Null;
        for _ in 0..MOST_READS {
            seen = self.post(url, &Value::Null).await.expect(200).unwrap().json().unwrap();
            if seen["status"] == status {
                return seen;
            }
            assert_ne!(seen["status"], "invalid", "{seen}");
        }
        panic!("{url} never became {status}: {seen}");
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// Each waits for up to a second at the server.
const MOST_READS: usize = 60;
