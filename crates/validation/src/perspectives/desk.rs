//! The remote side: a question in, a look, what was seen out. Nothing is kept.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use authority::{
    Registry,
    identifier::Name,
    model::{AccountId, Observation},
    ports::{AccountUrl, PreIssuance, Proven, ValidationRequest},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use jose::Thumbprint;
use tokio::{sync::Semaphore, time::timeout};

use super::wire::{Answer, LONGEST_QUESTION, Look, NamedProof, PATH, Question, Verdict};

/// Looks for those who may ask; who may is the listener's to say.
pub struct Desk {
    name: String,
    registry: Registry,
    accounts: Arc<Accounts>,
    places: Semaphore,
}

/// The accounts that are being asked for, each under a number of this process, for as long as a look lasts. The methods of
/// a [`Desk`] get their URLs here.
#[derive(Default)]
pub struct Accounts {
    urls: Mutex<HashMap<AccountId, String>>,
    last: AtomicU64,
}

/// Why nothing was looked at, for the log of the primary's operator.
struct Refused(StatusCode, String);

impl Accounts {
    pub fn url(self: &Arc<Self>) -> AccountUrl {
        let accounts = self.clone();
        Arc::new(move |account| accounts.lock().get(&account).cloned().unwrap_or_default())
    }

    fn seat(&self, url: String) -> Seat<'_> {
        let account = AccountId(self.last.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(account, url);
        Seat {
            accounts: self,
            account,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Seat<'a> {
    accounts: &'a Accounts,
    account: AccountId,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.accounts.lock().remove(&self.account);
    }
}

impl Desk {
    /// `registry` is made with the [`AccountUrl`] of `accounts`.
    pub fn new(name: String, registry: Registry, accounts: Arc<Accounts>, at_once: usize) -> Self {
        Self {
            name,
            registry,
            accounts,
            places: Semaphore::new(at_once.max(1)),
        }
    }

    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.answer(request).await {
            Ok(answer) => respond(StatusCode::OK, "application/json", answer),
            Err(Refused(status, text)) => {
                tracing::warn!(%status, text, "a question was refused");
                respond(status, "text/plain; charset=utf-8", text.into_bytes())
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>) -> Result<Vec<u8>, Refused>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.uri().path() != PATH {
            return Err(Refused(StatusCode::NOT_FOUND, format!("questions are asked at {PATH}")));
        }
        if request.method() != Method::POST {
            return Err(Refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "questions are POSTed".to_owned(),
            ));
        }
        // Whoever comes too many is told at once: waiting would only make the answer too late.
        let _place = self
            .places
            .try_acquire()
            .map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "too many questions at once".to_owned()))?;
        let body = timeout(READ, Limited::new(request.into_body(), LONGEST_QUESTION).collect()).await;
        let body = body
            .map_err(|_| Refused(StatusCode::REQUEST_TIMEOUT, "the question did not end".to_owned()))?
            .map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?
            .to_bytes();
        let question: Question = serde_json::from_slice(&body)
            .map_err(|error| Refused(StatusCode::BAD_REQUEST, format!("the question cannot be read: {error}")))?;
        if question.perspective != self.name {
            let text = format!("{:?} was asked, and this is {:?}", question.perspective, self.name);
            return Err(Refused(StatusCode::MISDIRECTED_REQUEST, text));
        }
        let seat = self.accounts.seat(question.account);
        let looked = timeout(LOOK, self.look(seat.account, question.look)).await;
        let (verdict, observations) =
            looked.map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "the look did not end".to_owned()))??;
        let answer = Answer {
            perspective: self.name.clone(),
            nonce: question.nonce,
            verdict,
            observations,
        };
        serde_json::to_vec(&answer).map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    async fn look(&self, account: AccountId, look: Look) -> Result<(Verdict, Vec<Observation>), Refused> {
        match look {
            Look::Validation {
                method,
                identifier,
                token,
                thumbprint,
                response,
            } => {
                let found = self.registry.method(&method).filter(|method| method.is_probe());
                let found = found.ok_or_else(|| unknown("method", &method))?;
                let name = self.admit(&identifier)?;
                if !found.offered_for(&name) {
                    return Err(unfit(format!("{method} is not for {identifier}")));
                }
                let request = ValidationRequest {
                    account,
                    name,
                    key_authorization: acme::KeyAuthorization::new(&token, &read_thumbprint(&thumbprint)?),
                    token,
                    response,
                    code: None,
                };
                let report = found.validate(request).await;
                let transient = report.transient;
                Ok((verdict(report.verdict, transient), report.evidence.observations))
            }
            Look::Check {
                check,
                profile,
                names,
                spki,
                members,
                now,
            } => {
                let found = self.registry.check(&check).filter(|check| check.is_probe());
                let found = found.ok_or_else(|| unknown("check", &check))?;
                let spki_der = jose::base64url::decode(&spki).map_err(|error| unfit(format!("spki: {error}")))?;
                let admitted = names
                    .iter()
                    .map(|name| self.admit(&name.identifier))
                    .collect::<Result<Vec<_>, _>>()?;
                let proven: Vec<_> = admitted.iter().zip(&names).map(proven).collect();
                let request = PreIssuance {
                    account,
                    profile: &profile,
                    names: &proven,
                    spki_der: &spki_der,
                    members: &members,
                    now,
                };
                Ok(match found.check(&request).await {
                    Ok(seen) => {
                        let observations = seen.into_iter().flat_map(|evidence| evidence.observations);
                        (Verdict::Corroborated, observations.collect())
                    }
                    Err(problem) => (verdict(Err(problem), true), Vec::new()),
                })
            }
        }
    }

    fn admit(&self, identifier: &acme::Identifier) -> Result<Name, Refused> {
        self.registry
            .admit(identifier)
            .map_err(|problem| unfit(problem.to_string()))
    }
}

fn proven<'a>((name, named): (&'a Name, &'a NamedProof)) -> Proven<'a> {
    Proven {
        name,
        method: &named.method,
        validated: named.validated,
    }
}

fn verdict(verdict: Result<(), acme::Problem>, transient: bool) -> Verdict {
    match verdict {
        Ok(()) => Verdict::Corroborated,
        Err(problem) => Verdict::Refused { problem, transient },
    }
}

fn read_thumbprint(text: &str) -> Result<Thumbprint, Refused> {
    let octets = jose::base64url::decode(text).map_err(|error| unfit(format!("thumbprint: {error}")))?;
    let octets: [u8; 32] = octets
        .try_into()
        .map_err(|_| unfit("thumbprint: it does not have 32 octets".to_owned()))?;
    Ok(Thumbprint::from(octets))
}

fn unknown(what: impl fmt::Display, name: &str) -> Refused {
    unfit(format!(
        "the {what} {name:?} is not known here; switch on what the authority has switched on"
    ))
}

fn unfit(text: String) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, text)
}

fn respond(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let value = HeaderValue::from_static(media_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

/// A question is a few kilobytes.
const READ: Duration = Duration::from_secs(5);
/// Methods and checks end within thirty seconds.
const LOOK: Duration = Duration::from_secs(40);
