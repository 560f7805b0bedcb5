//! Nonces across nodes: the process that issued a nonce decides about it, whoever was asked (INCIDENTS T33).
//!
//! One node asks another with `POST /nonce` over plain HTTP on a private address. Question and answer carry a MAC under
//! a key that only nodes of the same database have: nobody else can use nonces up, or say that one was good. No answer
//! in time means no: exactly once goes before never refuse.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use authority::ports::BoxFuture;
use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::Instant;

use crate::{listener::AsyncHandler, nonce::NonceError, nonce::Nonces};

/// Knows where other processes answer. The answer may be old by a moment.
pub trait PeerBook: Send + Sync {
    /// `host:port`, `None` for a process that never said.
    fn address_of(&self, process: u32) -> BoxFuture<'_, Option<String>>;
}

/// The asking side.
pub struct Peers {
    key: hmac::Key,
    book: Arc<dyn PeerBook>,
    own: Arc<Nonces>,
    http: Client<HttpConnector, Full<Bytes>>,
    known: Mutex<HashMap<u32, (Option<String>, Instant)>>,
}

impl Peers {
    pub fn new(secret: &[u8; 32], book: Arc<dyn PeerBook>, own: Arc<Nonces>) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            book,
            own,
            http: Client::builder(TokioExecutor::new()).build_http(),
            known: Mutex::default(),
        }
    }

    /// Has another process use one of its nonces up.
    pub async fn take(&self, process: u32, nonce: &str) -> Result<(), NonceError> {
        match tokio::time::timeout(PATIENCE, self.ask(process, nonce)).await {
            Ok(Some(true)) => Ok(()),
            Ok(Some(false)) => Err(NonceError::Used),
            Ok(None) | Err(_) => Err(NonceError::Elsewhere),
        }
    }

    async fn ask(&self, process: u32, nonce: &str) -> Option<bool> {
        let address = self.address_of(process).await?;
        // A value never seen before, which the answer's MAC covers: an old answer fits no new question.
        let asked = format!("{nonce} {}", self.own.issue());
        let body = format!("{asked} {}", tag(&self.key, QUESTION, &asked));
        let request = Request::post(format!("http://{address}/nonce"))
            .body(Full::from(body))
            .ok()?;
        let response = self.http.request(request).await.ok()?;
        let answer = Limited::new(response.into_body(), LONGEST)
            .collect()
            .await
            .ok()?
            .to_bytes();
        let answer = std::str::from_utf8(&answer).ok()?;
        if holds(&self.key, TAKEN, &asked, answer) {
            return Some(true);
        }
        holds(&self.key, REFUSED, &asked, answer).then_some(false)
    }

    async fn address_of(&self, process: u32) -> Option<String> {
        let now = Instant::now();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((address, until)) = known.get(&process)
                && *until > now
            {
                return address.clone();
            }
        }
        let address = self.book.address_of(process).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        let keep = if address.is_some() { KEEP_KNOWN } else { KEEP_UNKNOWN };
        known.insert(process, (address.clone(), now + keep));
        address
    }
}

/// The answering side.
#[derive(Clone)]
pub struct PeerDesk {
    key: hmac::Key,
    nonces: Arc<Nonces>,
}

impl PeerDesk {
    pub fn new(secret: &[u8; 32], nonces: Arc<Nonces>) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            nonces,
        }
    }

    /// The answer's body, `None` for a question that is not from one of us.
    fn answer(&self, question: &str) -> Option<String> {
        let (asked, mac) = question.rsplit_once(' ')?;
        let (nonce, _) = asked.split_once(' ')?;
        if !holds(&self.key, QUESTION, asked, mac) {
            return None;
        }
        let answer = if self.nonces.take(nonce).is_ok() {
            TAKEN
        } else {
            REFUSED
        };
        Some(tag(&self.key, answer, asked))
    }
}

impl AsyncHandler for PeerDesk {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        if request.method() == Method::POST
            && request.uri().path() == "/nonce"
            && let Ok(body) = Limited::new(request.into_body(), LONGEST).collect().await
            && let Ok(question) = std::str::from_utf8(&body.to_bytes())
            && let Some(answer) = self.answer(question)
        {
            *response.status_mut() = StatusCode::OK;
            *response.body_mut() = Full::from(answer);
        }
        response
    }
}

fn tag(key: &hmac::Key, what: &str, nonce: &str) -> String {
    jose::base64url::encode(hmac::sign(key, format!("{what} {nonce}").as_bytes()))
}

fn holds(key: &hmac::Key, what: &str, nonce: &str, mac: &str) -> bool {
    let Ok(mac) = jose::base64url::decode(mac) else {
        return false;
    };
    hmac::verify(key, format!("{what} {nonce}").as_bytes(), &mac).is_ok()
}

const QUESTION: &str = "take";
const TAKEN: &str = "taken";
const REFUSED: &str = "refused";
/// Two nonces and a MAC have 89 characters; anything much longer is not ours.
const LONGEST: usize = 256;
const PATIENCE: Duration = Duration::from_millis(250);
const KEEP_KNOWN: Duration = Duration::from_secs(60);
/// A node that has just started may say where it is a moment after its first nonce.
const KEEP_UNKNOWN: Duration = Duration::from_secs(1);
const MOST_KNOWN: usize = 1000;

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::{Listener, Seal};

    struct Book(String);

    impl PeerBook for Book {
        fn address_of(&self, process: u32) -> BoxFuture<'_, Option<String>> {
            Box::pin(async move { (process == 1).then(|| self.0.clone()) })
        }
    }

    async fn node() -> (Arc<Nonces>, Peers, watch::Sender<bool>) {
        let nonces = Arc::new(Nonces::new(Seal::new(&[3; 32]), 1));
        let listener = Listener::http(([127, 0, 0, 1], 0).into()).await.unwrap();
        let book = Arc::new(Book(listener.address().unwrap().to_string()));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.serve(PeerDesk::new(&[4; 32], nonces.clone()), stopped));
        (
            nonces,
            Peers::new(&[4; 32], book, Arc::new(Nonces::new(Seal::new(&[3; 32]), 2))),
            stop,
        )
    }

    // t33, 8555-6.5-8
    #[tokio::test]
    async fn t33_of_64_replays_at_another_node_and_at_its_own_one_wins() {
        let (nonces, peers, _stop) = node().await;
        let peers = Arc::new(peers);
        let nonce = nonces.issue();
        let tasks: Vec<_> = (0..64)
            .map(|turn| {
                let (nonces, peers, nonce) = (nonces.clone(), peers.clone(), nonce.clone());
                tokio::spawn(async move {
                    if turn % 2 == 0 {
                        nonces.take(&nonce).is_ok()
                    } else {
                        peers.take(1, &nonce).await.is_ok()
                    }
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += usize::from(task.await.unwrap());
        }
        assert_eq!(won, 1);
    }

    #[tokio::test]
    async fn who_does_not_know_the_key_uses_nothing_up() {
        let (nonces, peers, _stop) = node().await;
        let nonce = nonces.issue();
        let stranger = Peers {
            key: hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]),
            ..peers
        };
        assert_eq!(stranger.take(1, &nonce).await, Err(NonceError::Elsewhere));
        assert_eq!(nonces.take(&nonce), Ok(()));
        assert_eq!(stranger.take(2, &nonce).await, Err(NonceError::Elsewhere));
    }
}
