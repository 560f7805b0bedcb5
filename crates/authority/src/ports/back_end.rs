//! The moment "back end": an issuer that is not ours, and may answer days later.

use std::time::Duration;

use acme::{Identifier, RevocationReason};
use jiff::Timestamp;

use super::BoxFuture;

/// An issuer that is asked. Every step may come again with the same key, after a crash or from another node, and is
/// then the same step: it has happened once.
pub trait BackEnd: Send + Sync {
    /// Tells of an order whose CSR came with it, before there is an order. A refusal means that there will be none.
    fn submit<'a>(&'a self, request: &'a BackEndRequest) -> BoxFuture<'a, Result<(), BackEndFailure>>;

    /// Asks for the certificate, for the first time or again. Only for an order that was finalized.
    fn issue<'a>(
        &'a self,
        request: &'a BackEndRequest,
        notes: &'a dyn Notes,
    ) -> BoxFuture<'a, Result<Answer, BackEndFailure>>;

    /// Nothing will be issued under this key any more.
    fn abandon<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>>;

    /// Only whoever issued a certificate can revoke it. `certificate` is DER.
    fn revoke<'a>(
        &'a self,
        key: &'a str,
        certificate: &'a [u8],
        reason: Option<RevocationReason>,
    ) -> BoxFuture<'a, Result<(), BackEndFailure>>;

    /// How long after finalize an answer may take.
    fn patience(&self) -> Duration;
}

/// What a back end wants to find again whenever it is asked under this key, also after a crash and on another node.
pub trait Notes: Send + Sync {
    fn read(&self) -> BoxFuture<'_, Result<Option<String>, BackEndFailure>>;
    /// Once: `Unavailable` when somebody else has written one.
    fn write<'a>(&'a self, note: &'a str) -> BoxFuture<'a, Result<(), BackEndFailure>>;
}

/// Everything a back end is told about one certificate.
#[derive(Clone, Debug)]
pub struct BackEndRequest {
    /// One for each certificate, also across databases.
    pub key: String,
    pub directory: String,
    pub profile: String,
    pub identifiers: Vec<Identifier>,
    /// DER. At `submit` the one that came with the order, at `issue` the one to issue from.
    pub csr: Vec<u8>,
    pub csr_sha256: [u8; 32],
    /// As the order asks for (RFC 8555 §7.4).
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// DER, the certificate first, each signed by the next. Nothing is believed of it before it was looked at.
    Chain(Vec<Vec<u8>>),
    /// Not before this time has passed.
    Later(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackEndFailure {
    /// For good, in words for the subscriber.
    #[error("{0}")]
    Refused(String),
    /// The operator has to act, or it passes by itself.
    #[error("{0}")]
    Unavailable(String),
}

/// A returned chain that fits its issuer and profile.
#[derive(Clone, Debug)]
pub struct Returned {
    pub leaf: pkix::certificate::Certificate,
    /// DER, nearest first, the root left out.
    pub above: Vec<Vec<u8>>,
}
