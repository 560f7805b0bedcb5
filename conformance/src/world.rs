//! What a test has: a directory, a speaker, and the subscriber's side of validation.

mod binding;
mod course;
mod subscriber;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::Value;

pub use self::binding::ExternalKey;
pub use self::course::{Challenge, Issued, Order, find_challenge, poll};
pub use self::subscriber::{Account, Signer, new_key};

use crate::{
    answer::Answer,
    dns::DnsControl,
    fail,
    responder::{HttpResponder, TlsResponder},
    speaker::Speaker,
    test::{Outcome, Verdict},
};

/// What the suite is told.
#[derive(Clone, Debug)]
pub struct Options {
    pub directory: String,
    /// PEM of the roots that the directory's TLS is verified with.
    pub ca_bundle: PathBuf,
    /// Where validations of http-01 arrive.
    pub http_port: Option<u16>,
    pub tls_port: Option<u16>,
    /// The address the responders listen on.
    pub responder: IpAddr,
    pub challtestsrv: Option<String>,
    /// Every name that is ordered ends in this one.
    pub domain: String,
    /// Where every issued chain is written.
    pub certificates: Option<PathBuf>,
    pub parallel: usize,
    /// How soon after a request its effect is looked for.
    pub pause: Duration,
    /// Sentences of tests that are left out, for servers that they bring down.
    pub skip: Vec<String>,
    /// What the operator handed out for binding accounts.
    pub external_key: Option<ExternalKey>,
    /// PKCS#8 PEM: the key of an account that agreed to terms which have changed since.
    pub outdated_account: Option<PathBuf>,
}

impl Options {
    /// No more than every server has.
    pub fn new(directory: impl Into<String>, ca_bundle: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            ca_bundle: ca_bundle.into(),
            http_port: None,
            tls_port: None,
            responder: Ipv4Addr::LOCALHOST.into(),
            challtestsrv: None,
            domain: "conformance.example".into(),
            certificates: None,
            parallel: 8,
            pause: Duration::ZERO,
            skip: Vec::new(),
            external_key: None,
            outdated_account: None,
        }
    }
}

pub struct World {
    pub options: Options,
    pub speaker: Speaker,
    /// The directory object.
    pub directory: Value,
    http: Option<HttpResponder>,
    tls: Option<TlsResponder>,
    dns: Option<DnsControl>,
    nonces: Mutex<Vec<String>>,
    counter: AtomicU64,
    seed: String,
}

impl World {
    pub async fn open(options: Options) -> Outcome<Self> {
        let speaker = Speaker::new(&options.ca_bundle)?;
        let http = match options.http_port {
            Some(port) => Some(HttpResponder::start(SocketAddr::new(options.responder, port)).await?),
            None => None,
        };
        let tls = match options.tls_port {
            Some(port) => Some(TlsResponder::start(SocketAddr::new(options.responder, port)).await?),
            None => None,
        };
        let request = Request::get(&options.directory).body(Bytes::new())?;
        let directory = speaker.send(request).await?.expect(200)?.json()?;
        // Names must differ between runs against one server: some remember authorizations.
        let key = jose::SigningKey::generate(jose::Algorithm::Es256)?;
        let thumbprint = key.jwk().thumbprint();
        let seed = thumbprint.as_bytes()[..4].iter().map(|byte| format!("{byte:02x}"));
        Ok(Self {
            seed: seed.collect(),
            dns: options.challtestsrv.as_deref().map(DnsControl::new),
            options,
            speaker,
            directory,
            http,
            tls,
            nonces: Mutex::default(),
            counter: AtomicU64::new(1),
        })
    }

    /// A name nobody ordered before.
    pub fn name(&self, label: &str) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        format!("{label}-{number}-{}.{}", self.seed, self.options.domain)
    }

    pub fn http(&self) -> Outcome<&HttpResponder> {
        self.http.as_ref().ok_or_else(|| missing("--http-port"))
    }

    pub fn tls(&self) -> Outcome<&TlsResponder> {
        self.tls.as_ref().ok_or_else(|| missing("--tls-port"))
    }

    pub fn dns(&self) -> Outcome<&DnsControl> {
        self.dns.as_ref().ok_or_else(|| missing("--challtestsrv"))
    }

    /// A URL of the directory.
    pub fn resource(&self, key: &str) -> Outcome<String> {
        match self.directory[key].as_str() {
            Some(url) => Ok(url.to_owned()),
            None => fail!("the directory has no {key:?}"),
        }
    }

    /// A GET, or another unsigned request without a body.
    pub async fn get(&self, method: Method, url: &str) -> Outcome<Answer> {
        let request = Request::builder().method(method).uri(url).body(Bytes::new())?;
        self.speaker.send(request).await
    }

    /// A POST of anything, with the right content type.
    pub async fn send(&self, url: &str, body: impl Into<Bytes>) -> Outcome<Answer> {
        let answer = self.send_apart(url, body).await?;
        self.keep_nonce(&answer);
        Ok(answer)
    }

    /// The same; the nonce of the answer is the caller's alone.
    pub async fn send_apart(&self, url: &str, body: impl Into<Bytes>) -> Outcome<Answer> {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, acme::JOSE_JSON)
            .body(body.into())?;
        self.speaker.send(request).await
    }

    /// A nonce that nobody used.
    pub async fn nonce(&self) -> Outcome<String> {
        if let Some(nonce) = self.nonces.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(nonce);
        }
        self.fresh_nonce().await
    }

    /// One straight from newNonce.
    pub async fn fresh_nonce(&self) -> Outcome<String> {
        let answer = self.get(Method::HEAD, &self.resource("newNonce")?).await?;
        match answer.nonce() {
            Some(nonce) => Ok(nonce.to_owned()),
            None => fail!("{}: no Replay-Nonce", answer.url),
        }
    }

    fn keep_nonce(&self, answer: &Answer) {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nonce) = answer.nonce()
            && nonces.len() < 64
        {
            nonces.push(nonce.to_owned());
        }
    }
}

fn missing(option: &str) -> Verdict {
    Verdict::NotApplicable(format!("{option} is needed"))
}
