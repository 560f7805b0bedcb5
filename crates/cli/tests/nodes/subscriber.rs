//! Requests whose URL is the directory's and whose way leads to a node of the test's choice.

use client::{Csr, Identifier, KeyType, Proof, Token};
use conformance::{answer::Answer, speaker::Speaker, test::Outcome};
use http::{Method, Request, header};
use jose::{Algorithm, KeyRef, SigningKey, base64url, sign_flattened};
use serde_json::{Value, json};

use crate::world::{Node, World};

/// A key, and soon an account.
pub struct Subscriber<'w> {
    world: &'w World,
    speaker: Speaker,
    key: SigningKey,
    url: Option<String>,
}

/// An order as its maker saw it.
pub struct Order {
    pub url: String,
    pub finalize: String,
    identifier: Identifier,
}

impl<'w> Subscriber<'w> {
    /// Without an account.
    pub fn new(world: &'w World) -> Self {
        Self {
            world,
            speaker: Speaker::new(&world.root()).unwrap(),
            key: SigningKey::generate(Algorithm::Es256).unwrap(),
            url: None,
        }
    }

    /// With an account that was made at `node`.
    pub async fn at(node: &Node, world: &'w World) -> Self {
        let mut subscriber = Self::new(world);
        let answer = subscriber.new_account(node).await.expect(201).unwrap();
        subscriber.url = Some(answer.location().unwrap());
        subscriber
    }

    pub async fn new_account(&self, node: &Node) -> Answer {
        let nonce = self.nonce(node).await;
        let request = self.sign(&nonce, &self.resource("new-account"), b"{}");
        self.send(node, &request).await.unwrap()
    }

    /// The account's URL.
    pub fn url(&self) -> &str {
        self.url.as_deref().expect("an account was made")
    }

    /// A fresh nonce of a node.
    pub async fn nonce(&self, node: &Node) -> String {
        let url = self.at_node(node, &self.resource("new-nonce"));
        let request = Request::builder().method(Method::HEAD).uri(url);
        let answer = self.speaker.send(request.body(Default::default()).unwrap()).await;
        answer.unwrap().nonce().unwrap().to_owned()
    }

    /// A request that can be sent to any node.
    pub fn sign(&self, nonce: &str, url: &str, payload: &[u8]) -> Signed {
        let reference = self.url.as_deref().map_or(KeyRef::Jwk, KeyRef::Kid);
        Signed {
            url: url.to_owned(),
            body: sign_flattened(&self.key, reference, Some(nonce), url, payload),
        }
    }

    pub async fn send(&self, node: &Node, request: &Signed) -> Outcome<Answer> {
        let origin = self.world.origin();
        let http = Request::post(self.at_node(node, &request.url))
            .header(header::HOST, origin.trim_start_matches("https://"))
            .header(header::CONTENT_TYPE, acme::JOSE_JSON)
            .body(request.body.clone().into())?;
        self.speaker.send(http).await
    }

    pub async fn post(&self, node: &Node, url: &str, payload: &Value) -> Answer {
        let nonce = self.nonce(node).await;
        let request = self.sign(&nonce, url, payload.to_string().as_bytes());
        self.send(node, &request).await.unwrap()
    }

    /// POST-as-GET.
    pub async fn read(&self, node: &Node, url: &str) -> Answer {
        let nonce = self.nonce(node).await;
        self.send(node, &self.sign(&nonce, url, b"")).await.unwrap()
    }

    /// Reads until `settled`: the server itself holds an answer back while it works.
    pub async fn read_until(&self, node: &Node, url: &str, settled: &[&str]) -> Value {
        let mut seen = Value::Null;
        for _ in 0..MOST_READS {
            seen = self.read(node, url).await.expect(200).unwrap().json().unwrap();
            if settled.iter().any(|status| seen["status"] == *status) {
                return seen;
            }
        }
        panic!("{url} never became {settled:?}: {seen}");
    }

    pub async fn new_order(&self, node: &Node, name: &str) -> Order {
        let identifier = acme::Identifier::dns(name);
        let request = json!({ "identifiers": [identifier] });
        let answer = self.post(node, &self.resource("new-order"), &request).await;
        let answer = answer.expect(201).unwrap();
        Order {
            url: answer.location().unwrap(),
            finalize: text(&answer.json().unwrap()["finalize"]),
            identifier: Identifier::from_wire(&identifier).unwrap(),
        }
    }

    /// Answers the order's challenge and waits until the order is ready.
    pub async fn authorize(&self, node: &Node, order: &Order) {
        let seen = self.read_until(node, &order.url, &["pending"]).await;
        let authorization = text(&seen["authorizations"][0]);
        let seen = self.read_until(node, &authorization, &["pending"]).await;
        let challenges = seen["challenges"].as_array().unwrap();
        let challenge = challenges.iter().find(|challenge| challenge["type"] == "http-01");
        let challenge = challenge.expect("http-01 is offered");
        let token = Token::new(&text(&challenge["token"])).unwrap();
        let proof = Proof::new(order.identifier.clone(), token, &self.key.jwk().thumbprint());
        let _shown = self.world.solver.present(&proof).await.unwrap();
        let answer = self.post(node, &text(&challenge["url"]), &json!({})).await;
        answer.expect(200).unwrap();
        self.read_until(node, &authorization, &["valid"]).await;
        self.read_until(node, &order.url, &["ready"]).await;
    }

    /// An order that can be finalized.
    pub async fn ready_order(&self, node: &Node, name: &str) -> Order {
        let order = self.new_order(node, name).await;
        self.authorize(node, &order).await;
        order
    }

    fn resource(&self, name: &str) -> String {
        format!("{}/acme/{name}", self.world.origin())
    }

    fn at_node(&self, node: &Node, url: &str) -> String {
        let path = url.strip_prefix(&self.world.origin()).expect("a URL of the directory");
        format!("https://{}{path}", node.address)
    }
}

impl Order {
    /// A CSR with a key of its own.
    pub fn csr(&self) -> Csr {
        let names = std::slice::from_ref(&self.identifier);
        Csr::new(&KeyType::default().generate(), names).unwrap()
    }
}

/// A signed request, which can be replayed.
pub struct Signed {
    url: String,
    body: String,
}

pub fn finalize(csr: &Csr) -> Value {
    json!({ "csr": base64url::encode(csr.der()) })
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Each waits for up to a second at the server.
const MOST_READS: usize = 60;
