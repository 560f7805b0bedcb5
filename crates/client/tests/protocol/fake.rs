//! A server that behaves, until a test tells it not to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use jose::base64url;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    csr::CertificateRequest,
    extension::{authority_key_identifier, subject_alternative_names},
    key::{KeyPair, SubjectPublicKey},
    name::{DistinguishedName, GeneralName},
    pem,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    /// Path and query, as they stood in the request line.
    pub target: String,
    pub headers: HeaderMap,
    /// Of the JWS.
    pub protected: Value,
    /// Decoded; empty for a POST-as-GET.
    pub payload: Vec<u8>,
    /// The members of the JWS as they were sent.
    pub jws: Value,
}

impl Seen {
    pub fn is(&self, path: &str) -> bool {
        self.target == path
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_default()
    }

    pub fn nonce(&self) -> String {
        self.protected["nonce"].as_str().unwrap_or_default().to_owned()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// `None` gives a fresh one.
    pub nonce: Option<String>,
    /// The connection is closed instead.
    pub is_lost: bool,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub fn text(status: u16, media_type: &str, body: &str) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self {
            status,
            headers,
            body: body.as_bytes().to_vec(),
            nonce: None,
            is_lost: false,
        }
    }

    pub fn problem(status: u16, kind: &str, detail: &str) -> Self {
        let body = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status});
        Self::text(status, "application/problem+json", &body.to_string())
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub fn lost() -> Self {
        Self {
            is_lost: true,
            ..Self::json(500, &json!({}))
        }
    }
}

type Script = Box<dyn FnMut(&Seen, &mut World) -> Option<Reply> + Send>;

/// What the server knows. A script may change any of it.
pub struct World {
    pub base: String,
    pub meta: Option<Value>,
    pub nonces: u64,
    /// Key (as text) to account URL.
    pub accounts: HashMap<String, String>,
    pub orders: Vec<Order>,
    pub issuer: KeyPair,
    pub certificates: Vec<String>,
    pub revoked: Vec<Value>,
    pub token: String,
    pub seen: Vec<Seen>,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub identifiers: Vec<Value>,
    /// Whether each authorization is valid.
    pub proven: Vec<bool>,
    pub status: &'static str,
    pub certificate: Option<usize>,
    /// Members of the request that it shows.
    pub members: Vec<(&'static str, Value)>,
}

pub struct Fake {
    pub base: String,
    world: Arc<Mutex<World>>,
    script: Arc<Mutex<Script>>,
    _task: Abort,
}

struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World {
            base: base.clone(),
            ..World::for_certificates()
        }));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(|_, _| None)));
        let task = tokio::spawn(serve(listener, Arc::clone(&world), Arc::clone(&script)));
        Self {
            base,
            world,
            script,
            _task: Abort(task),
        }
    }

    pub fn directory(&self) -> String {
        format!("{}/dir", self.base)
    }

    /// Asked first at each request; `None` leaves the answer to the server.
    pub fn script(&self, script: impl FnMut(&Seen, &mut World) -> Option<Reply> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().unwrap())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.change(|world| world.seen.clone())
    }

    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.is(path)).count()
    }
}

async fn serve(listener: TcpListener, world: Arc<Mutex<World>>, script: Arc<Mutex<Script>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (world, script) = (Arc::clone(&world), Arc::clone(&script));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (world, script) = (Arc::clone(&world), Arc::clone(&script));
                async move {
                    let seen = read(request).await;
                    let reply = answer(&seen, &mut world.lock().unwrap(), &mut script.lock().unwrap());
                    // An error of the service closes the connection without an answer.
                    reply.ok_or("lost")
                }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn read(request: Request<Incoming>) -> Seen {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let jws: Value = serde_json::from_slice(&body).unwrap_or_default();
    let part = |member: &str| base64url::decode(jws[member].as_str().unwrap_or_default()).unwrap();
    Seen {
        method: parts.method,
        target: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers,
        protected: serde_json::from_slice(&part("protected")).unwrap_or_default(),
        payload: part("payload"),
        jws,
    }
}

fn answer(seen: &Seen, world: &mut World, script: &mut Script) -> Option<Response<Full<Bytes>>> {
    world.seen.push(seen.clone());
    let reply = script(seen, world).unwrap_or_else(|| world.answer(seen));
    if reply.is_lost {
        return None;
    }
    let nonce = reply.nonce.unwrap_or_else(|| world.nonce());
    let mut response = Response::builder().status(reply.status).header("replay-nonce", nonce);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Some(response.body(Full::from(reply.body)).unwrap())
}

impl World {
    /// A world without a server.
    pub fn for_certificates() -> Self {
        Self {
            base: String::new(),
            meta: Some(json!({})),
            nonces: 0,
            accounts: HashMap::new(),
            orders: Vec::new(),
            issuer: KeyPair::generate_p256(),
            certificates: Vec::new(),
            revoked: Vec::new(),
            token: "DGyRejmCefe7v4NfDGDKfA".to_owned(),
            seen: Vec::new(),
        }
    }

    pub fn nonce(&mut self) -> String {
        self.nonces += 1;
        format!("nonce-{}", self.nonces)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What a server that behaves would say.
    pub fn answer(&mut self, seen: &Seen) -> Reply {
        let path = seen.target.clone();
        let mut parts = path.trim_start_matches('/').split('/');
        let (resource, number) = (
            parts.next().unwrap_or_default(),
            parts.next().and_then(|number| number.parse::<usize>().ok()),
        );
        let second = parts.next().and_then(|number| number.parse::<usize>().ok());
        match (resource, number, second) {
            ("dir", None, None) => Reply::json(200, &self.directory()),
            ("nonce", None, None) => Reply::text(200, "text/plain", ""),
            ("new-account", None, None) => self.new_account(seen),
            ("account", Some(_), None) => Reply::json(
                200,
                &json!({"status": seen.json().get("status").unwrap_or(&json!("valid"))}),
            ),
            ("new-order", None, None) => self.new_order(seen),
            ("order", Some(order), None) => Reply::json(200, &self.order(order)),
            ("authz", Some(order), Some(index)) => Reply::json(200, &self.authorization(order, index)),
            ("challenge", Some(order), Some(index)) => {
                self.orders[order].proven[index] = true;
                Reply::json(200, &self.challenge(order, index))
            }
            ("finalize", Some(order), None) => self.finalize(order, &seen.json()),
            ("certificate", Some(certificate), None) => Reply::text(
                200,
                "application/pem-certificate-chain",
                &self.certificates[certificate],
            ),
            ("revoke", None, None) => {
                self.revoked.push(seen.json());
                Reply::text(200, "text/plain", "")
            }
            ("key-change", None, None) => self.key_change(seen),
            _ => Reply::problem(404, "malformed", "no such resource"),
        }
    }

    pub fn directory(&self) -> Value {
        let mut directory = json!({
            "newNonce": self.url("/nonce"),
            "newAccount": self.url("/new-account"),
            "newOrder": self.url("/new-order"),
            "revokeCert": self.url("/revoke"),
            "keyChange": self.url("/key-change"),
        });
        if let Some(meta) = &self.meta {
            directory["meta"] = meta.clone();
        }
        directory
    }

    fn new_account(&mut self, seen: &Seen) -> Reply {
        let key = seen.protected["jwk"].to_string();
        let status = if self.accounts.contains_key(&key) { 200 } else { 201 };
        if status == 201 && seen.json()["onlyReturnExisting"] == true {
            return Reply::problem(400, "accountDoesNotExist", "no account has this key");
        }
        let fresh = self.url(&format!("/account/{}", self.accounts.len()));
        let url = self.accounts.entry(key).or_insert(fresh).clone();
        Reply::json(status, &json!({"status": "valid"})).with("location", url)
    }

    fn key_change(&mut self, seen: &Seen) -> Reply {
        let inner: Value = seen.json();
        let protected = base64url::decode(inner["protected"].as_str().unwrap()).unwrap();
        let protected: Value = serde_json::from_slice(&protected).unwrap();
        let url = seen.protected["kid"].as_str().unwrap().to_owned();
        self.accounts.retain(|_, account| *account != url);
        self.accounts.insert(protected["jwk"].to_string(), url);
        Reply::json(200, &json!({"status": "valid"}))
    }

    fn new_order(&mut self, seen: &Seen) -> Reply {
        let identifiers = seen.json()["identifiers"].as_array().unwrap().clone();
        let proven = vec![false; identifiers.len()];
        self.orders.push(Order {
            identifiers,
            proven,
            status: "pending",
            certificate: None,
            members: ["profile", "replaces"]
                .into_iter()
                .filter_map(|member| Some((member, seen.json().get(member)?.clone())))
                .collect(),
        });
        let number = self.orders.len() - 1;
        Reply::json(201, &self.order(number)).with("location", self.url(&format!("/order/{number}")))
    }

    pub fn order(&self, number: usize) -> Value {
        let order = &self.orders[number];
        let status = match order.status {
            "pending" if order.proven.iter().all(|proven| *proven) => "ready",
            other => other,
        };
        let authorizations = (0..order.identifiers.len()).map(|index| self.url(&format!("/authz/{number}/{index}")));
        let mut object = json!({
            "status": status,
            "expires": "2049-01-01T00:00:00Z",
            "identifiers": order.identifiers,
            "authorizations": authorizations.collect::<Vec<_>>(),
            "finalize": self.url(&format!("/finalize/{number}")),
        });
        for (member, value) in &order.members {
            object[member] = value.clone();
        }
        if let Some(certificate) = order.certificate {
            object["certificate"] = self.url(&format!("/certificate/{certificate}")).into();
        }
        object
    }

    pub fn authorization(&self, number: usize, index: usize) -> Value {
        let order = &self.orders[number];
        let value = order.identifiers[index]["value"].as_str().unwrap();
        let status = if order.proven[index] { "valid" } else { "pending" };
        let mut object = json!({
            "identifier": {"type": order.identifiers[index]["type"], "value": value.trim_start_matches("*.")},
            "status": status,
            "challenges": [self.challenge(number, index)],
        });
        if value.starts_with("*.") {
            object["wildcard"] = true.into();
        }
        object
    }

    pub fn challenge(&self, number: usize, index: usize) -> Value {
        let status = if self.orders[number].proven[index] {
            "valid"
        } else {
            "pending"
        };
        json!({"type": "http-01", "url": self.url(&format!("/challenge/{number}/{index}")), "status": status, "token": self.token})
    }

    fn finalize(&mut self, number: usize, request: &Value) -> Reply {
        if self.order(number)["status"] != "ready" {
            return Reply::problem(403, "orderNotReady", "the order is not ready");
        }
        let csr = base64url::decode(request["csr"].as_str().unwrap()).unwrap();
        let csr = CertificateRequest::parse(&csr).unwrap();
        let chain = self.issue(csr.public_key().clone(), csr.subject_alternative_names(), "Test CA");
        self.certificates.push(chain);
        let certificate = self.certificates.len() - 1;
        self.orders[number].status = "valid";
        self.orders[number].certificate = Some(certificate);
        Reply::json(200, &self.order(number)).with("location", self.url(&format!("/order/{number}")))
    }

    /// A leaf and its issuer.
    pub fn issue(&self, key: SubjectPublicKey, names: &[GeneralName], issuer: &str) -> String {
        let issuer_name = DistinguishedName::with_common_name(issuer).unwrap();
        let certificate = |subject: DistinguishedName, public_key: SubjectPublicKey, names: Option<&[GeneralName]>| {
            let of_leaf = |names| {
                [
                    authority_key_identifier(&KEY_IDENTIFIER),
                    subject_alternative_names(names, true).unwrap(),
                ]
            };
            let extensions = names.map(of_leaf).into_iter().flatten().collect();
            let tbs = TbsCertificate {
                serial: Serial::from_random([u8::try_from(self.certificates.len()).unwrap(); 16]),
                signature_algorithm: self.issuer.algorithm(),
                issuer: issuer_name.clone(),
                not_before: now() - SignedDuration::from_hours(1),
                not_after: now() + SignedDuration::from_hours(24 * 90),
                subject,
                public_key,
                extensions,
            }
            .to_der();
            pem::encode_certificate(&assemble(&tbs, self.issuer.algorithm(), &self.issuer.sign(&tbs)))
        };
        let leaf = certificate(DistinguishedName::empty(), key, Some(names));
        leaf + &certificate(issuer_name.clone(), self.issuer.public_key().clone(), None)
    }
}

/// Of the issuer.
pub const KEY_IDENTIFIER: [u8; 20] = [7; 20];

fn now() -> Timestamp {
    client::Clock::now(&client::SystemClock)
}
