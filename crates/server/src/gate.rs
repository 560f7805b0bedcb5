//! The one gate for signed requests (RFC 8555 §6.2–§6.5).
//!
//! Checks stand in a fixed sequence, cheap before dear, and nothing but this file makes a [`Signed`]: media type, size,
//! JSON and header shape, algorithm, kind of key, URL, key, nonce, signature, account state. A nonce is used up when it is looked
//! at, also if the signature then fails, so that a recorded request is worth nothing.

use std::{sync::Arc, time::Duration};

use authority::model::Account;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body;
use jose::{Jwk, Jws, KeyReference, Payload};
use serde::de::DeserializeOwned;

use crate::{Front, Resource, problem::Rejection};

/// A request whose signature, nonce and URL are right.
pub struct Signed<Signer> {
    pub signer: Signer,
    payload: Payload,
}

/// Who signed.
pub enum Signer {
    Account(Arc<Account>),
    Key(Jwk),
}

/// Which keys a resource takes (RFC 8555 §6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Account,
    Jwk,
    /// revokeCert.
    Either,
}

impl Front {
    pub(crate) async fn admit(&self, resource: Resource, keys: Keys, body: Bytes) -> Result<Signed<Signer>, Rejection> {
        let jws = Jws::parse(&body).map_err(Rejection::Jws)?;
        let header = jws.header();
        match (&header.key, keys) {
            (KeyReference::Jwk(_), Keys::Account) => return Err(Rejection::NeedsKeyId),
            (KeyReference::Kid(_), Keys::Jwk) => return Err(Rejection::NeedsJwk),
            _ => {}
        }
        let expected = self.links.url(resource);
        if header.url != expected {
            return Err(Rejection::Url {
                seen: excerpt(&header.url),
                expected,
            });
        }
        let (signer, verifier) = match &header.key {
            KeyReference::Jwk(jwk) => (Signer::Key(jwk.clone()), jwk.verifier()),
            KeyReference::Kid(kid) => {
                let account = self.account_of(kid).await?;
                let verifier = account.key.verifier();
                (Signer::Account(account), verifier)
            }
        };
        let nonce = header.nonce.as_deref().ok_or(Rejection::NonceMissing)?;
        self.take_nonce(nonce).await?;
        let payload = jws.verify(&verifier).map_err(Rejection::Signature)?;
        if let Signer::Account(account) = &signer {
            account.require_active()?;
        }
        Ok(Signed { signer, payload })
    }

    async fn account_of(&self, kid: &str) -> Result<Arc<Account>, Rejection> {
        match self.links.read_url(kid) {
            Some(Resource::Account(id)) => Ok(self.authority.account(id).await?),
            _ => Err(Rejection::KeyId { seen: excerpt(kid) }),
        }
    }
}

impl Signed<Signer> {
    /// For resources that take account keys only.
    pub fn by_account(self) -> Result<Signed<Arc<Account>>, Rejection> {
        match self.signer {
            Signer::Account(account) => Ok(Signed {
                signer: account,
                payload: self.payload,
            }),
            Signer::Key(_) => Err(Rejection::NeedsKeyId),
        }
    }

    pub fn by_key(self) -> Result<Signed<Jwk>, Rejection> {
        match self.signer {
            Signer::Key(key) => Ok(Signed {
                signer: key,
                payload: self.payload,
            }),
            Signer::Account(_) => Err(Rejection::NeedsJwk),
        }
    }
}

impl<Signer> Signed<Signer> {
    pub fn payload(&self) -> &[u8] {
        self.payload.as_bytes()
    }

    /// POST-as-GET: the payload is the empty string, which `{}` is not (RFC 8555 §6.3).
    pub fn is_read(&self) -> bool {
        self.payload.is_empty()
    }

    /// For resources that can only be read.
    pub fn require_read(&self) -> Result<(), Rejection> {
        if self.is_read() {
            return Ok(());
        }
        Err(Rejection::Payload(
            "this resource is read with POST-as-GET: the payload must be the empty string".into(),
        ))
    }

    /// The payload as a JSON object; members that the resource does not know are ignored.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        object(self.payload.as_bytes()).map_err(|why| Rejection::Payload(format!("the payload {why}")))
    }
}

/// JSON that is an object; what serde derives would read an array as well.
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err("is not a JSON object".into());
    }
    serde_json::from_slice(bytes).map_err(|error| format!("is not what this resource takes: {error}"))
}

/// RFC 8555 §6.2; parameters are tolerated.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Rejection> {
    let seen = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .unwrap_or_default();
    let essence = seen.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(acme::JOSE_JSON) {
        Ok(())
    } else {
        Err(Rejection::ContentType { seen: excerpt(&seen) })
    }
}

/// Reads a body up to the limit, within a time that the slowest honest client keeps.
pub async fn read_body<B: Body<Data = Bytes>>(body: B) -> Result<Bytes, Rejection> {
    tokio::time::timeout(BODY_TIME, read_to_end(body))
        .await
        .unwrap_or(Err(Rejection::Unreadable))
}

/// A body that is too long is read on for a while and thrown away, so that its sender sees the answer instead of a
/// reset connection.
async fn read_to_end<B: Body<Data = Bytes>>(body: B) -> Result<Bytes, Rejection> {
    let mut body = std::pin::pin!(body);
    let mut kept = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Rejection::Unreadable)?.into_data() else {
            continue;
        };
        seen += data.len();
        if seen > PATIENCE {
            return Err(Rejection::TooLarge);
        }
        if seen <= jose::MAX_BODY {
            kept.extend_from_slice(&data);
        }
    }
    if seen > jose::MAX_BODY {
        Err(Rejection::TooLarge)
    } else {
        Ok(kept.freeze())
    }
}

/// The beginning of a text from outside, for a problem's detail.
pub fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}

/// 128 KiB at 35 kbit/s.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read before the connection is given up.
const PATIENCE: usize = 4 * 1024 * 1024;
