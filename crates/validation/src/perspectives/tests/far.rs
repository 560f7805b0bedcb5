//! Perspectives as tests want them, and what they are asked to corroborate.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use acme::{Problem, ProblemType};
use authority::{
    identifier::Name,
    model::{Evidence, Observation},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    double::World,
    perspectives::{
        Perspectives, PerspectivesError, Remote,
        quorum::{Region, Rule},
    },
};

/// What a perspective does with a question.
#[derive(Clone)]
pub enum Reply {
    /// HTTP with this body.
    Json(Value),
    Status(&'static str),
    Octets(Vec<u8>),
    /// The one, and then more of the same for as long as somebody reads.
    Endless(Vec<u8>),
    Silence,
    HangUp,
}

/// A perspective on loopback, by plain HTTP.
pub struct Far {
    pub url: String,
    pub asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Far {
    pub async fn that(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, reply) = (Arc::new(AtomicUsize::new(0)), Arc::new(reply));
        let seen = asked.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, reply) = (seen.clone(), reply.clone());
                tokio::spawn(async move { attend(stream, &seen, &*reply).await });
            }
        });
        Self { url, asked, server }
    }

    pub async fn agreeing() -> Self {
        Self::that(|question| Reply::Json(agreement(question))).await
    }

    pub async fn refusing(detail: &'static str, transient: bool) -> Self {
        Self::that(move |question| {
            let problem = Problem::new(ProblemType::Unauthorized, detail);
            Reply::Json(refusal(question, &problem, transient))
        })
        .await
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn attend(
    mut stream: TcpStream,
    asked: &AtomicUsize,
    reply: &(dyn Fn(&Value) -> Reply + Send + Sync),
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)?
        .split('\r')
        .next()?
        .parse()
        .ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    asked.fetch_add(1, Ordering::SeqCst);
    let question = serde_json::from_slice(&body).ok()?;
    let octets = match reply(&question) {
        Reply::Json(body) => http("200 OK", &body.to_string()),
        Reply::Status(status) => http(status, "why not"),
        Reply::Octets(octets) => octets,
        Reply::Endless(octets) => {
            while stream.write_all(&octets).await.is_ok() {}
            return None;
        }
        Reply::Silence => {
            // Until the primary gives up.
            let _ = stream.read_u8().await;
            return None;
        }
        Reply::HangUp => return None,
    };
    stream.write_all(&octets).await.ok()?;
    stream.shutdown().await.ok()
}

pub fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn agreement(question: &Value) -> Value {
    json!({
        "perspective": question["perspective"],
        "nonce": question["nonce"],
        "verdict": "corroborated",
        "observations": [{ "saw": "failed", "what": "nothing failed" }],
    })
}

pub fn refusal(question: &Value, problem: &Problem, transient: bool) -> Value {
    let mut answer = agreement(question);
    answer["verdict"] = json!({ "refused": { "problem": problem, "transient": transient } });
    answer
}

/// Each in a region of its own, as far as there are regions.
pub fn perspectives(urls: &[&str], regions_at_least: usize) -> Result<Perspectives, PerspectivesError> {
    const REGIONS: [Region; 5] = [
        Region::Afrinic,
        Region::Apnic,
        Region::Arin,
        Region::Lacnic,
        Region::Ripe,
    ];
    let remotes = urls.iter().enumerate().map(|(at, url)| {
        let name = format!("p{at}");
        Remote::new(&name, REGIONS[at % REGIONS.len()], url, None, None).unwrap()
    });
    compose(remotes.collect(), regions_at_least)
}

pub fn compose(remotes: Vec<Remote>, regions_at_least: usize) -> Result<Perspectives, PerspectivesError> {
    let rule = Rule {
        remotes_at_least: 2,
        regions_at_least,
        time_limit: TIME_LIMIT,
    };
    let number = AtomicUsize::new(1);
    let random = move |bytes: &mut [u8]| {
        let number = number.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        bytes[..8].copy_from_slice(&number);
    };
    Perspectives::new(
        remotes,
        rule,
        Arc::new(|account| format!("https://ca.example/account/{account}")),
        Arc::new(|| Timestamp::UNIX_EPOCH),
        Arc::new(random),
    )
}

/// Long enough for any answer that comes, and as long as tests of silence last.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A method that has seen what a test says.
pub struct Seen {
    pub verdict: Result<(), Problem>,
    pub probe: bool,
    pub requests: Mutex<Vec<ValidationRequest>>,
}

impl Seen {
    pub fn control() -> Arc<Self> {
        Arc::new(Self {
            verdict: Ok(()),
            probe: true,
            requests: Mutex::default(),
        })
    }
}

/// Every answer differs from what a method says that does not say anything.
impl ValidationMethod for Seen {
    fn name(&self) -> &'static str {
        "seen-01"
    }

    fn offered_for(&self, name: &Name) -> bool {
        name.identifier().value == "example.org"
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        profile == "served"
    }

    fn has_token(&self) -> bool {
        false
    }

    fn members(&self, _name: &Name, _token: &str) -> Map<String, Value> {
        Map::from_iter([("member".to_owned(), json!(1))])
    }

    fn instead_of_token(&self, token: &str) -> Option<(&'static str, Value)> {
        Some(("instead", token.into()))
    }

    fn take_response(&self, _payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        Err("taken".to_owned())
    }

    fn reusable(&self) -> bool {
        false
    }

    fn is_probe(&self) -> bool {
        self.probe
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        self.requests.lock().unwrap().push(request);
        let report = Report {
            evidence: Evidence {
                method: self.name().to_owned(),
                perspective: "local".to_owned(),
                started: Timestamp::UNIX_EPOCH,
                finished: Timestamp::UNIX_EPOCH,
                observations: vec![Observation::Failed {
                    what: "primary".to_owned(),
                }],
            },
            verdict: self.verdict.clone(),
            transient: false,
        };
        Box::pin(std::future::ready(report))
    }
}

pub fn request() -> ValidationRequest {
    World::request_for(World::name("example.org"))
}
