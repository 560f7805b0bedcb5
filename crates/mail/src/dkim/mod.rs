//! Signatures of domains on messages: RFC 6376 with RFC 8301 (no SHA-1, no short keys), RFC 8463 (Ed25519) and RFC 8616.
//!
//! Verifying has two steps, so that nothing here asks the DNS: [`signatures`] says which there are, each names its key
//! ([`Signature::key_name`]), and [`Signature::verify`] takes the answer. Where the document leaves a choice the stricter
//! reading is taken: a signature over a part of a body (`l=`) is none, a key under test is none, and one name has one key.

mod canonical;
pub mod coverage;
mod record;
mod sign;
mod signature;
pub(crate) mod tags;

pub use self::{
    canonical::Canonicalization,
    record::{KeyRecord, LEAST_RSA_BITS},
    sign::{Signer, SigningKey, SigningKeyError},
    signature::{Limits, MAX_SIGNATURES, Signature, Unreadable, signatures},
    tags::TagError,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::RsaSha256, Self::Ed25519Sha256]
            .into_iter()
            .find(|known| known.as_str() == text)
    }
}

/// Why a signature proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the DKIM-Signature field cannot be read: {0}")]
    Tags(#[from] TagError),
    #[error("the signature has no usable tag {0}=")]
    Tag(&'static str),
    #[error("the signature's algorithm is {0}; sign with rsa-sha256 or ed25519-sha256 (RFC 8301)")]
    Algorithm(String),
    #[error("the signature does not cover From")]
    FromUnsigned,
    #[error("the signature covers a part of the body only; sign without l=")]
    PartialBody,
    #[error("the identity i= is not within the domain d=")]
    Identity,
    #[error("the signature has expired")]
    Expired,
    #[error("the signature was made in the future; set the signer's clock")]
    Future,
    #[error("the DNS has no key under this name")]
    NoKey,
    #[error("the DNS gave no answer about the key")]
    KeyUnavailable,
    #[error("the key's name has several TXT records; publish one")]
    SeveralKeys,
    #[error("the key record cannot be read: {0}")]
    KeyRecord(&'static str),
    #[error("the key is revoked: its p= is empty")]
    KeyRevoked,
    #[error("the key is not for the signature's algorithm")]
    KeyType,
    #[error("the key is not for SHA-256")]
    KeyHash,
    #[error("the key is not for mail")]
    KeyService,
    #[error("the key is under test (t=y), so its signatures count as none")]
    KeyTesting,
    #[error("the key has {bits} bits; {least} is the least")]
    KeyTooSmall { bits: usize, least: usize },
    #[error("the body is not the one that was signed")]
    Body,
    #[error("header fields are not those that were signed, or the key is another")]
    Signature,
}

impl Fault {
    /// Whether the same message may pass later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::KeyUnavailable)
    }
}
