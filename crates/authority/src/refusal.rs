//! Why something was not done, sorted by who has to act.

use acme::Problem;
use jiff::Timestamp;

use crate::{model::AccountId, ports::StoreError};

/// An operation's other outcome.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The subscriber has to act.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operator has to act, or it passes by itself. The cause is for the log, never for the wire.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// A refusal as facts; the server alone turns it into a problem document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no such account")]
    AccountDoesNotExist,
    /// Deactivated or revoked (RFC 8555 §7.3.6).
    #[error("the account of this key is no longer active; register a new key")]
    AccountInactive,
    #[error("this server binds accounts to keys of its operator; send \"externalAccountBinding\" (RFC 8555 §7.3.4)")]
    ExternalAccountRequired,
    /// RFC 8555 §7.3.5.
    #[error("the new key belongs to an account already; use that one, or roll over to a fresh key")]
    KeyInUse(AccountId),
    /// RFC 8555 §7.3.3.
    #[error("the terms of service have changed; read them at {terms} and agree at \"instance\"")]
    TermsChanged { terms: String, account: AccountId },
    #[error("the certificate is already revoked")]
    AlreadyRevoked,
    #[error("{0}")]
    BadCsr(String),
    #[error("{0}")]
    BadPublicKey(String),
    #[error("{0}")]
    BadRevocationReason(String),
    /// One subproblem for each identifier that was refused (RFC 8555 §6.7.1).
    #[error("{} of the identifiers cannot be ordered", .0.len())]
    Identifiers(Vec<Problem>),
    #[error("{0}")]
    InvalidContact(String),
    #[error("{0}")]
    Malformed(String),
    /// Absent, or somebody else's: the answer is the same.
    #[error("no such resource")]
    NotFound,
    #[error("{0}")]
    OrderNotReady(String),
    /// A check before issuance said no, in its own words.
    #[error("{0}")]
    PreIssuance(Problem),
    /// An extension said no, in its own words; the problem has its HTTP status.
    #[error("{0}")]
    Problem(Problem),
    #[error("agree to the terms of service at {0} by sending \"termsOfServiceAgreed\": true")]
    TermsOfService(String),
    /// RFC 8555 §6.6.
    #[error("{detail}")]
    RateLimited {
        detail: String,
        /// When every limit allows it again.
        until: Timestamp,
        help: Option<String>,
    },
    /// INCIDENTS T38: a page lets a person go on.
    #[error("{detail}")]
    Paused { detail: String, account: AccountId },
    #[error("{0}")]
    Unauthorized(String),
    #[error("{0}")]
    UnsupportedContact(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
