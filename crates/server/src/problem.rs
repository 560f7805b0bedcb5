//! The one place that turns refusals into problem documents (RFC 8555 §6.7, RFC 9457).

use acme::{Problem, ProblemType as Kind};
use authority::{Failure, Refusal};
use jose::{Algorithm, JwsError, VerifyError};

use crate::nonce::NonceError;

/// Everything a request can be refused for, here or further in.
#[derive(Debug)]
pub enum Rejection {
    NoSuchResource,
    Method {
        allowed: &'static str,
    },
    ContentType {
        seen: String,
    },
    TooLarge,
    Unreadable,
    Jws(JwsError),
    /// Of keyChange.
    InnerJws(JwsError),
    Signature(VerifyError),
    NonceMissing,
    Nonce(NonceError),
    Url {
        seen: String,
        expected: String,
    },
    NeedsKeyId,
    NeedsJwk,
    KeyId {
        seen: String,
    },
    /// The payload is not what the resource takes.
    Payload(String),
    /// An account's URL used by another account.
    NotYours,
    Authority(Failure),
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Self::Authority(failure)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Authority(Failure::Refused(refusal))
    }
}

impl From<NonceError> for Rejection {
    fn from(error: NonceError) -> Self {
        Self::Nonce(error)
    }
}

impl Rejection {
    /// The document with its HTTP status.
    pub fn document(self) -> Problem {
        let (status, mut problem) = match self {
            Self::NoSuchResource => (404, Problem::new(Kind::Malformed, "no such resource")),
            Self::Method { allowed } => {
                let detail = format!("this resource takes {allowed}; everything else is read with POST-as-GET");
                (405, Problem::new(Kind::Malformed, detail))
            }
            Self::ContentType { seen } => {
                let detail = format!("the content type is {seen:?}; it must be {:?}", acme::JOSE_JSON);
                (415, Problem::new(Kind::Malformed, detail))
            }
            Self::TooLarge => (
                413,
                Problem::new(
                    Kind::Malformed,
                    format!("the body has more than {} bytes", jose::MAX_BODY),
                ),
            ),
            Self::Unreadable => (
                400,
                Problem::new(Kind::Malformed, "the body could not be read to its end"),
            ),
            Self::Jws(error) | Self::InnerJws(error) => (400, unreadable_jws(error)),
            Self::Signature(error) => (
                400,
                Problem::new(Kind::Malformed, format!("the request's signature: {error}")),
            ),
            Self::NonceMissing => (
                400,
                Problem::new(
                    Kind::BadNonce,
                    "the protected header has no \"nonce\"; one is in Replay-Nonce",
                ),
            ),
            Self::Nonce(error) => (
                400,
                Problem::new(Kind::BadNonce, format!("{error}; use the one in Replay-Nonce")),
            ),
            Self::Url { seen, expected } => {
                let detail = format!("the protected header's \"url\" is {seen:?}, the request went to {expected:?}");
                (403, Problem::new(Kind::Unauthorized, detail))
            }
            Self::NeedsKeyId => (
                400,
                Problem::new(
                    Kind::Malformed,
                    "sign this request with \"kid\", the account's URL, not with \"jwk\"",
                ),
            ),
            Self::NeedsJwk => (
                400,
                Problem::new(
                    Kind::Malformed,
                    "sign this request with \"jwk\", the key itself, not with \"kid\"",
                ),
            ),
            Self::KeyId { seen } => {
                let detail = format!("the \"kid\" {seen:?} is not the URL of an account here");
                (400, Problem::new(Kind::AccountDoesNotExist, detail))
            }
            Self::Payload(detail) => (400, Problem::new(Kind::Malformed, detail)),
            Self::NotYours => (
                403,
                Problem::new(
                    Kind::Unauthorized,
                    "this resource belongs to another account than the \"kid\"",
                ),
            ),
            Self::Authority(Failure::Refused(refusal)) => refused(refusal),
            Self::Authority(Failure::Unavailable(cause)) => {
                tracing::error!(%cause, "a request could not be served");
                let detail = "the server could not finish this request; nothing was lost, try again in a moment";
                (500, Problem::new(Kind::ServerInternal, detail))
            }
        };
        problem.status = Some(status);
        problem
    }
}

fn unreadable_jws(error: JwsError) -> Problem {
    match error {
        JwsError::UnsupportedAlgorithm(_) => {
            let mut problem = Problem::new(Kind::BadSignatureAlgorithm, format!("{error}; see \"algorithms\""));
            problem.algorithms = Algorithm::ALL
                .iter()
                .map(|algorithm| algorithm.as_str().to_owned())
                .collect();
            problem
        }
        JwsError::BadJwk(ref jwk) if !jwk.is_malformed() => Problem::new(
            Kind::BadPublicKey,
            format!("the key in \"jwk\" is not accepted: {error}"),
        ),
        error => Problem::new(
            Kind::Malformed,
            format!("the request is not a signed request of ACME: {error}"),
        ),
    }
}

fn refused(refusal: Refusal) -> (u16, Problem) {
    let text = refusal.to_string();
    match refusal {
        Refusal::AccountDoesNotExist => (400, Problem::new(Kind::AccountDoesNotExist, text)),
        Refusal::AccountInactive => (401, Problem::new(Kind::Unauthorized, text)),
        Refusal::AlreadyRevoked => (400, Problem::new(Kind::AlreadyRevoked, text)),
        Refusal::BadCsr(_) => (400, Problem::new(Kind::BadCsr, text)),
        Refusal::BadPublicKey(_) => (400, Problem::new(Kind::BadPublicKey, text)),
        Refusal::BadRevocationReason(_) => (400, Problem::new(Kind::BadRevocationReason, text)),
        Refusal::ExternalAccountRequired => (403, Problem::new(Kind::ExternalAccountRequired, text)),
        Refusal::KeyInUse(_) => (409, Problem::new(Kind::Malformed, text)),
        Refusal::Identifiers(problems) => identifiers(problems),
        Refusal::InvalidContact(_) => (400, Problem::new(Kind::InvalidContact, text)),
        Refusal::Malformed(_) => (400, Problem::new(Kind::Malformed, text)),
        Refusal::NotFound => (404, Problem::new(Kind::Malformed, text)),
        Refusal::Paused { .. } | Refusal::RateLimited { .. } => (429, Problem::new(Kind::RateLimited, text)),
        Refusal::OrderNotReady(_) => (403, Problem::new(Kind::OrderNotReady, text)),
        Refusal::PreIssuance(problem) => (problem.status.unwrap_or(403), problem),
        Refusal::Problem(problem) => (problem.status.unwrap_or(400), problem),
        Refusal::TermsChanged { .. } => (403, Problem::new(Kind::UserActionRequired, text)),
        Refusal::TermsOfService(_) => (403, Problem::new(Kind::UserActionRequired, text)),
        Refusal::Unauthorized(_) => (403, Problem::new(Kind::Unauthorized, text)),
        Refusal::UnsupportedContact(_) => (400, Problem::new(Kind::UnsupportedContact, text)),
    }
}

/// The identifiers stand in subproblems only (RFC 8555 §6.7.1).
fn identifiers(problems: Vec<Problem>) -> (u16, Problem) {
    let problem = Problem::of_several(problems, |count| {
        format!("{count} identifiers cannot be ordered; each has a subproblem")
    });
    let status = if problem.kind == Kind::RejectedIdentifier {
        403
    } else {
        400
    };
    (status, problem)
}
