//! One client: its account, its connection, its nonce, and the way of one certificate.

use std::{sync::Arc, time::Duration};

use acme::Directory;
use http::Method;
use jose::{KeyRef, SigningKey, sign_flattened};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    connection::{Answer, Connection, Endpoint, NoAnswer},
    measure::{Failure, Kind, Recorder},
    prepare::PreparedOrder,
    run::Polling,
    wire::{AuthorizationView, ChallengeView, OrderView, ProblemView},
};
use crate::responder::Answers;

pub(super) struct Account {
    pub(super) key: SigningKey,
    pub(super) url: String,
}

/// What all clients of one run share.
pub(super) struct World {
    pub(super) endpoint: Endpoint,
    pub(super) directory_url: String,
    pub(super) directory: Directory,
    pub(super) polling: Polling,
    pub(super) answers: Arc<Answers>,
    /// Whether the responder must be told each key authorization, since there are many accounts.
    pub(super) answer_each: bool,
}

pub(super) struct Subscriber {
    world: Arc<World>,
    connection: Option<Connection>,
    nonce: Option<String>,
    pub(super) recorder: Recorder,
}

impl Subscriber {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            connection: None,
            nonce: None,
            recorder: Recorder::default(),
        }
    }

    /// The way of one certificate (RFC 8555 §7.4, §7.5).
    pub(super) async fn issue(&mut self, account: &Account, prepared: &PreparedOrder) -> Result<(), Failure> {
        let world = self.world.clone();
        let answer = self
            .post(
                Kind::NewOrder,
                account,
                &world.directory.new_order,
                prepared.new_order(),
            )
            .await?;
        let order_url = answer
            .header("location")
            .ok_or_else(|| unreadable(Kind::NewOrder, "no Location"))?
            .to_owned();
        let order: OrderView<'_> = read(Kind::NewOrder, &answer)?;
        for url in &order.authorizations {
            self.authorize(account, url).await?;
        }
        let answer = self
            .post(Kind::Finalize, account, &order.finalize, prepared.finalize())
            .await?;
        let certificate = self.await_certificate(account, &order_url, answer).await?;
        let answer = self.post(Kind::Certificate, account, &certificate, b"").await?;
        if answer.body.starts_with(b"-----BEGIN CERTIFICATE-----") {
            Ok(())
        } else {
            Err(unreadable(Kind::Certificate, "not PEM"))
        }
    }

    async fn authorize(&mut self, account: &Account, url: &str) -> Result<(), Failure> {
        let answer = self.post(Kind::Authorization, account, url, b"").await?;
        let authorization: AuthorizationView<'_> = read(Kind::Authorization, &answer)?;
        if authorization.status == "valid" {
            return Ok(());
        }
        let (challenge, token) = http_01(&authorization)
            .ok_or_else(|| unreadable(Kind::Authorization, "no http-01 challenge with a token"))?;
        let world = self.world.clone();
        if world.answer_each {
            let thumbprint = account.key.jwk().thumbprint();
            world
                .answers
                .insert(token, acme::KeyAuthorization::new(token, &thumbprint).as_str());
        }
        let concluded = self.respond(account, url, challenge).await;
        if world.answer_each {
            world.answers.remove(token);
        }
        concluded
    }

    async fn respond(&mut self, account: &Account, url: &str, challenge: &ChallengeView<'_>) -> Result<(), Failure> {
        let answer = self.post(Kind::Challenge, account, &challenge.url, b"{}").await?;
        let view: ChallengeView<'_> = read(Kind::Challenge, &answer)?;
        let polite = self.world.polling.polite;
        if polite && view.status == "valid" {
            return Ok(());
        }
        let mut wait = if polite { self.wait(&answer) } else { Duration::ZERO };
        let until = Instant::now() + CONCLUSION;
        loop {
            sleep(wait).await;
            let answer = self.post(Kind::PollAuthorization, account, url, b"").await?;
            let view: AuthorizationView<'_> = read(Kind::PollAuthorization, &answer)?;
            match &*view.status {
                "valid" => return Ok(()),
                "pending" if Instant::now() < until => wait = self.wait(&answer),
                "pending" => return Err(stuck(Kind::PollAuthorization)),
                other => {
                    let error = view.challenges.iter().find_map(|challenge| challenge.error.as_ref());
                    return Err(refused("authorization", other, error));
                }
            }
        }
    }

    async fn await_certificate(
        &mut self,
        account: &Account,
        order_url: &str,
        mut answer: Answer,
    ) -> Result<String, Failure> {
        let polite = self.world.polling.polite;
        let mut kind = Kind::Finalize;
        let until = Instant::now() + CONCLUSION;
        loop {
            let order: OrderView<'_> = read(kind, &answer)?;
            let wait = match &*order.status {
                "valid" if polite || kind == Kind::PollOrder => {
                    let url = order
                        .certificate
                        .ok_or_else(|| unreadable(kind, "valid without a certificate"))?;
                    return Ok(url.into_owned());
                }
                "valid" => Duration::ZERO,
                "processing" | "ready" if Instant::now() >= until => return Err(stuck(kind)),
                "processing" | "ready" if polite || kind == Kind::PollOrder => self.wait(&answer),
                "processing" | "ready" => Duration::ZERO,
                other => return Err(refused("order", other, order.error.as_ref())),
            };
            sleep(wait).await;
            kind = Kind::PollOrder;
            answer = self.post(kind, account, order_url, b"").await?;
        }
    }

    fn wait(&self, answer: &Answer) -> Duration {
        let polling = self.world.polling;
        let hint = answer
            .header("retry-after")
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        hint.filter(|_| polling.respect_retry_after).unwrap_or(polling.interval)
    }

    /// A request in an account's name.
    async fn post(&mut self, kind: Kind, account: &Account, url: &str, payload: &[u8]) -> Result<Answer, Failure> {
        self.signed(kind, &account.key, KeyRef::Kid(&account.url), url, payload)
            .await
    }

    /// Makes an account of a key.
    pub(super) async fn register(&mut self, key: SigningKey) -> Result<Account, Failure> {
        let url = self.new_account(&key).await?;
        Ok(Account { key, url })
    }

    /// The URL of a new account (RFC 8555 §7.3).
    pub(super) async fn new_account(&mut self, key: &SigningKey) -> Result<String, Failure> {
        let url = self.world.directory.new_account.clone();
        let payload = br#"{"termsOfServiceAgreed":true}"#;
        let answer = self.signed(Kind::NewAccount, key, KeyRef::Jwk, &url, payload).await?;
        Ok(answer
            .header("location")
            .ok_or_else(|| unreadable(Kind::NewAccount, "no Location"))?
            .to_owned())
    }

    async fn signed(
        &mut self,
        kind: Kind,
        key: &SigningKey,
        reference: KeyRef<'_>,
        url: &str,
        payload: &[u8],
    ) -> Result<Answer, Failure> {
        let mut attempts = 0;
        loop {
            let nonce = match self.nonce.take() {
                Some(nonce) => nonce,
                None => self.fetch_nonce().await?,
            };
            let body = sign_flattened(key, reference, Some(&nonce), url, payload);
            let answer = self.send(kind, Method::POST, url, Some(body)).await?;
            if answer.status < 300 {
                return Ok(answer);
            }
            let problem: ProblemView<'_> = serde_json::from_slice(&answer.body)
                .map_err(|_| failure(format!("HTTP {} ({})", answer.status, kind.name()), ""))?;
            attempts += 1;
            if problem.name() != "badNonce" || attempts > MAX_NONCE_RETRIES {
                return Err(failure(
                    format!("{} ({})", problem.name(), kind.name()),
                    &problem.detail,
                ));
            }
            self.recorder.nonce_retries += 1;
        }
    }

    pub(super) async fn fetch_nonce(&mut self) -> Result<String, Failure> {
        let url = self.world.directory.new_nonce.clone();
        self.send(Kind::NewNonce, Method::HEAD, &url, None).await?;
        self.nonce
            .take()
            .ok_or_else(|| unreadable(Kind::NewNonce, "no Replay-Nonce"))
    }

    /// A connection and a nonce, before the clock runs.
    pub(super) async fn warm(&mut self) -> Result<(), Failure> {
        self.nonce = Some(self.fetch_nonce().await?);
        Ok(())
    }

    pub(super) async fn fetch_directory(&mut self) -> Result<(), Failure> {
        let url = self.world.directory_url.clone();
        let answer = self.send(Kind::Directory, Method::GET, &url, None).await?;
        read::<Directory>(Kind::Directory, &answer).map(drop)
    }

    /// The next request begins on a new connection and without a nonce.
    pub(super) fn forget(&mut self) {
        self.connection = None;
        self.nonce = None;
    }

    async fn connect(&mut self) -> Result<&mut Connection, Failure> {
        if self.connection.is_none() {
            let connection = self.world.endpoint.connect().await;
            let connection = connection.map_err(|error| Failure {
                hang: error.kind() == std::io::ErrorKind::TimedOut,
                ..failure("no connection".into(), &error.to_string())
            })?;
            return Ok(self.connection.insert(connection));
        }
        Ok(self
            .connection
            .as_mut()
            .expect("invariant: it was just seen to be there"))
    }

    async fn send(&mut self, kind: Kind, method: Method, url: &str, body: Option<String>) -> Result<Answer, Failure> {
        let world = self.world.clone();
        let connection = self.connect().await?;
        let start = Instant::now();
        let answer = connection.request(&world.endpoint, method, url, body).await;
        self.recorder.request(kind, start.elapsed());
        match answer {
            Ok(answer) => {
                if let Some(nonce) = answer.header("replay-nonce") {
                    self.nonce = Some(nonce.to_owned());
                }
                if answer.header("connection") == Some("close") {
                    self.connection = None;
                }
                Ok(answer)
            }
            Err(no_answer) => {
                self.forget();
                Err(match no_answer {
                    NoAnswer::Timeout => Failure {
                        hang: true,
                        ..failure(format!("timeout ({})", kind.name()), url)
                    },
                    NoAnswer::Broken(why) => failure(format!("broken connection ({})", kind.name()), &why),
                })
            }
        }
    }
}

fn http_01<'v>(authorization: &'v AuthorizationView<'_>) -> Option<(&'v ChallengeView<'v>, &'v str)> {
    let challenge = authorization
        .challenges
        .iter()
        .find(|challenge| challenge.kind == "http-01")?;
    Some((challenge, challenge.token.as_deref()?))
}

fn read<'a, T: Deserialize<'a>>(kind: Kind, answer: &'a Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(kind, &error.to_string()))
}

fn failure(label: String, detail: &str) -> Failure {
    Failure {
        label,
        detail: detail.to_owned(),
        hang: false,
    }
}

fn unreadable(kind: Kind, why: &str) -> Failure {
    failure(format!("unreadable answer ({})", kind.name()), why)
}

fn stuck(kind: Kind) -> Failure {
    Failure {
        hang: true,
        ..failure(format!("no conclusion ({})", kind.name()), "")
    }
}

fn refused(what: &str, status: &str, error: Option<&ProblemView<'_>>) -> Failure {
    match error {
        Some(problem) => failure(format!("{} ({what} {status})", problem.name()), &problem.detail),
        None => failure(format!("{what} {status}"), ""),
    }
}

/// An authorization or order that is polled for this long counts as a hang.
const CONCLUSION: Duration = Duration::from_secs(30);
/// Pebble refuses fresh nonces on purpose, one in twenty by default.
const MAX_NONCE_RETRIES: u32 = 8;
