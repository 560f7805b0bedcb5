//! One server: its directory, its nonces, and requests that are signed and repeated as they must be
//! (RFC 8555 §6.2–§6.6, §7.1.1, §7.2).

use std::{sync::Arc, time::Duration};

use acme::{Problem, ProblemType};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jose::{KeyRef, SigningKey};
use tokio::sync::Mutex;

use crate::{
    clock::Clock,
    error::{Error, Refusal},
    nonce::{Nonce, NoncePool},
    printable::printable,
    retry::{RetryPolicy, retry_after},
    transport::{Answer, Transport, TransportError},
    wire,
};

/// A server, known by the URL of its directory. Cheap to clone; all clones share one pool of nonces.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    transport: Transport,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    nonces: NoncePool,
    resources: Mutex<Option<(Timestamp, acme::Directory)>>,
}

impl Directory {
    /// Nothing is fetched before it is needed.
    pub fn new(url: impl Into<String>, transport: Transport, policy: RetryPolicy, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            url: url.into(),
            transport,
            policy,
            clock,
            nonces: NoncePool::default(),
            resources: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub fn url(&self) -> &str {
        &self.shared.url
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.shared.policy
    }

    /// Where everything is. Read again when it is old, since a server may move things (RFC 8555 §7.1.1).
    pub async fn resources(&self) -> Result<acme::Directory, Error> {
        let mut known = self.shared.resources.lock().await;
        let now = self.clock().now();
        if let Some((since, resources)) = &*known
            && now.duration_since(*since) < RESOURCES_ARE_FRESH
        {
            return Ok(resources.clone());
        }
        let answer = self.fetch(Method::GET, self.url(), "the directory").await?;
        let resources: acme::Directory =
            wire::object(&answer.body).map_err(|what| Error::protocol(self.url(), what))?;
        *known = Some((now, resources.clone()));
        Ok(resources)
    }

    /// What anybody may read.
    pub(crate) async fn read(&self, url: &str, asked: &str) -> Result<Answer, Error> {
        self.fetch(Method::GET, url, asked).await
    }

    /// Whether a new order must bring its request: authorities that begin with it say so in their directory.
    pub async fn wants_csr_first(&self) -> Result<bool, Error> {
        let flag = self.resources().await?.meta.members.get("newOrderCsrRequired").cloned();
        Ok(flag == Some(serde_json::Value::Bool(true)))
    }

    /// A request that is not signed.
    async fn fetch(&self, method: Method, url: &str, asked: &str) -> Result<Answer, Error> {
        let mut failures = Failures::default();
        loop {
            let outcome = self.shared.transport.send(method.clone(), url, ANYTHING, None).await;
            let error = match outcome {
                Ok(answer) => {
                    self.keep_nonce(&answer);
                    if answer.status.is_success() {
                        return Ok(answer);
                    }
                    Outcome::Refused(self.refusal(&answer, asked))
                }
                Err(error) => Outcome::NoAnswer(error),
            };
            failures.pause_or_give_up(self, error).await?;
        }
    }

    /// A signed request (RFC 8555 §6.2). An empty payload is a POST-as-GET (§6.3).
    ///
    /// `url` is sent and signed exactly as the server wrote it (§6.4).
    pub(crate) async fn post(
        &self,
        signer: Signer<'_>,
        url: &str,
        payload: &[u8],
        asked: &str,
    ) -> Result<Answer, Error> {
        self.post_accepting(signer, url, payload, asked, ANYTHING).await
    }

    pub(crate) async fn post_accepting(
        &self,
        signer: Signer<'_>,
        url: &str,
        payload: &[u8],
        asked: &str,
        accept: &str,
    ) -> Result<Answer, Error> {
        let mut failures = Failures::default();
        let mut refused_nonces = 0;
        let mut given = None;
        loop {
            let nonce = match given.take() {
                Some(nonce) => nonce,
                None => self.nonce().await?,
            };
            let body = jose::sign_flattened(signer.key, signer.reference(), Some(nonce.as_str()), url, payload);
            let answer = match self.shared.transport.send(Method::POST, url, accept, Some(body)).await {
                Ok(answer) => answer,
                Err(error) => {
                    failures.pause_or_give_up(self, Outcome::NoAnswer(error)).await?;
                    continue;
                }
            };
            if answer.status.is_success() {
                self.keep_nonce(&answer);
                return Ok(answer);
            }
            let refusal = self.refusal(&answer, asked);
            let is_bad_nonce = refusal
                .problem
                .as_ref()
                .is_some_and(|problem| problem.kind == ProblemType::BadNonce);
            if is_bad_nonce && refused_nonces < self.shared.policy.bad_nonces {
                refused_nonces += 1;
                tracing::debug!(url, refused_nonces, "nonce refused");
                // RFC 8555 §6.5: the retry must use the nonce of this very answer.
                given = Nonce::from_headers(&answer.headers);
                continue;
            }
            self.keep_nonce(&answer);
            failures.pause_or_give_up(self, Outcome::Refused(refusal)).await?;
        }
    }

    async fn nonce(&self) -> Result<Nonce, Error> {
        if let Some(nonce) = self.shared.nonces.take(self.clock().now()) {
            return Ok(nonce);
        }
        let url = self.resources().await?.new_nonce;
        // The directory's answer may have carried one, and others may have brought some back meanwhile.
        if let Some(nonce) = self.shared.nonces.take(self.clock().now()) {
            return Ok(nonce);
        }
        let mut failures = Failures::default();
        loop {
            let outcome = match self.shared.transport.send(Method::HEAD, &url, ANYTHING, None).await {
                Ok(answer) if answer.status.is_success() => {
                    return Nonce::from_headers(&answer.headers)
                        .ok_or_else(|| Error::protocol(&url, "newNonce has no Replay-Nonce that is base64url"));
                }
                Ok(answer) => Outcome::Refused(self.refusal(&answer, "a nonce")),
                Err(error) => Outcome::NoAnswer(error),
            };
            failures.pause_or_give_up(self, outcome).await?;
        }
    }

    fn keep_nonce(&self, answer: &Answer) {
        if let Some(nonce) = Nonce::from_headers(&answer.headers) {
            self.shared.nonces.put(nonce, self.clock().now());
        }
    }

    fn refusal(&self, answer: &Answer, asked: &str) -> Box<Refusal> {
        let problem: Option<Problem> = wire::problem(&answer.body);
        let body = match &problem {
            Some(_) => String::new(),
            None => excerpt(&answer.body),
        };
        Box::new(Refusal {
            asked: asked.to_owned(),
            url: answer.url.clone(),
            status: answer.status.as_u16(),
            problem,
            body,
            retry_after: retry_after(&answer.headers, self.clock().now()),
            terms: answer.links("terms-of-service").into_iter().next(),
            help: answer.links("help").into_iter().next(),
        })
    }

    /// Waits as long as the server asks for within bounds, or a little longer each time.
    ///
    /// `started` bounds the whole of it (REQUIREMENTS 8555-C-1).
    pub(crate) async fn pause_before_poll(
        &self,
        poll: u32,
        answer: &Answer,
        started: Timestamp,
        what: &'static str,
    ) -> Result<(), Error> {
        let now = self.clock().now();
        let waited = Duration::try_from(now.duration_since(started)).unwrap_or_default();
        let pause = self
            .policy()
            .pause_before_poll(poll, retry_after(&answer.headers, now), self.clock().jitter());
        if waited + pause > self.policy().patience {
            return Err(Error::TimedOut {
                what,
                url: answer.url.clone(),
                waited,
            });
        }
        self.clock().sleep(pause).await;
        Ok(())
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("url", &self.shared.url)
            .finish_non_exhaustive()
    }
}

/// Who signs a request, and how it says so.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a SigningKey,
    /// Without an account the key itself is sent (RFC 8555 §6.2).
    pub(crate) account: Option<&'a str>,
}

impl<'a> Signer<'a> {
    fn reference(self) -> KeyRef<'a> {
        self.account.map_or(KeyRef::Jwk, KeyRef::Kid)
    }
}

enum Outcome {
    Refused(Box<Refusal>),
    NoAnswer(TransportError),
}

/// How often one request has failed in a way that may pass.
#[derive(Default)]
struct Failures(u32);

impl Failures {
    async fn pause_or_give_up(&mut self, directory: &Directory, outcome: Outcome) -> Result<(), Error> {
        let (may_pass, asked) = match &outcome {
            Outcome::Refused(refusal) => (is_transient(refusal), refusal.retry_after),
            Outcome::NoAnswer(error) => (error.is_transient(), None),
        };
        let pause = directory
            .policy()
            .pause_after_failure(self.0, asked, directory.clock().jitter());
        let error = match outcome {
            Outcome::Refused(refusal) => classified(refusal),
            Outcome::NoAnswer(error) => error.into(),
        };
        let Some(pause) = pause.filter(|_| may_pass) else {
            return Err(error);
        };
        tracing::warn!(%error, pause_ms = pause.as_millis(), "trying again");
        self.0 += 1;
        directory.clock().sleep(pause).await;
        Ok(())
    }
}

/// A rate limit passes only if the server said when (RFC 8555 §6.6).
fn is_transient(refusal: &Refusal) -> bool {
    let is_unavailable = refusal.status >= 500 && refusal.status != StatusCode::NOT_IMPLEMENTED;
    is_unavailable || (is_rate_limit(refusal) && refusal.retry_after.is_some())
}

fn is_rate_limit(refusal: &Refusal) -> bool {
    let is_named = refusal
        .problem
        .as_ref()
        .is_some_and(|problem| problem.kind == ProblemType::RateLimited);
    is_named || refusal.status == StatusCode::TOO_MANY_REQUESTS.as_u16()
}

fn classified(refusal: Box<Refusal>) -> Error {
    let kind = refusal.problem.as_ref().map(|problem| &problem.kind);
    match kind {
        Some(ProblemType::UserActionRequired) => Error::ActionRequired(refusal),
        _ if is_rate_limit(&refusal) => Error::RateLimited(refusal),
        _ => Error::Refused(refusal),
    }
}

/// What a body that is no problem document begins with, fit to be shown (8555-6.7-3).
fn excerpt(body: &[u8]) -> String {
    let text = printable(&String::from_utf8_lossy(&body[..body.len().min(LONGEST_EXCERPT)]));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const ANYTHING: &str = "application/json, application/problem+json, */*;q=0.5";
const LONGEST_EXCERPT: usize = 300;
const RESOURCES_ARE_FRESH: SignedDuration = SignedDuration::from_hours(1);
