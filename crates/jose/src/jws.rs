//! A signed message in the flattened JSON serialization (RFC 7515 §7.2.2, RFC 8555 §6.2).

use std::{borrow::Cow, str};

use crate::{
    JwkError, KeyReference, ProtectedHeader, Verifier, VerifyError, base64url,
    json::{self, ObjectError, Value},
};

/// The longest message that is read, in bytes.
///
/// The largest thing ACME sends is a CSR with a hundred names of 253 bytes, which is 45 KiB after two rounds of base64.
pub const MAX_BODY: usize = 128 * 1024;

/// A message that was read, and not verified: nothing is known of who wrote it.
///
/// The payload cannot be had from it without [`Jws::verify`].
#[derive(Clone, Debug)]
pub struct Jws {
    header: ProtectedHeader,
    payload: Vec<u8>,
    /// `protected` "." `payload`, as received (RFC 7515 §5.2): never written anew, since JSON has many spellings.
    signing_input: String,
    signature: Vec<u8>,
}

impl Jws {
    /// Reads a message. Each form but the flattened one, and each way to leave something unsigned, is an error.
    pub fn parse(body: &[u8]) -> Result<Jws, JwsError> {
        if body.len() > MAX_BODY {
            return Err(JwsError::TooLarge);
        }
        let body = str::from_utf8(body).map_err(|_| JwsError::NotJson)?;
        if is_compact(body) {
            return Err(JwsError::NotFlattened(Serialization::Compact));
        }
        let [protected, payload, signature, header, signatures] =
            json::members(body, &["protected", "payload", "signature", "header", "signatures"])
                .map_err(JwsError::in_body)?;
        if signatures.is_some() {
            return Err(JwsError::NotFlattened(Serialization::General));
        }
        if header.is_some() {
            return Err(JwsError::UnprotectedHeader);
        }
        let protected = string("protected", protected)?;
        let payload = string("payload", payload)?;
        let signature = string("signature", signature)?;
        let header = String::from_utf8(decode("protected", &protected)?).map_err(|_| JwsError::HeaderNotJson)?;
        Ok(Jws {
            header: ProtectedHeader::parse(&header)?,
            payload: decode("payload", &payload)?,
            signature: decode("signature", &signature)?,
            signing_input: [&*protected, &*payload].join("."),
        })
    }

    /// What the message says of itself.
    pub fn header(&self) -> &ProtectedHeader {
        &self.header
    }

    pub fn into_header(self) -> ProtectedHeader {
        self.header
    }

    /// Checks that the key signed the message, with the algorithm the header names.
    pub fn verify(&self, verifier: &Verifier) -> Result<Payload, VerifyError> {
        let (header, key) = (self.header.algorithm(), verifier.algorithm());
        // The header must not choose what is done with a key (RFC 8725 §3.1).
        if header != key {
            return Err(VerifyError::AlgorithmMismatch { header, key });
        }
        verifier.verify(self.signing_input.as_bytes(), &self.signature)?;
        Ok(Payload(self.payload.clone()))
    }

    /// Checks the message against the key that came with it, if one did: that its holder wrote it, whoever that is.
    pub fn verify_self_signed(&self) -> Option<Result<Payload, VerifyError>> {
        match &self.header.key {
            KeyReference::Jwk(jwk) => Some(self.verify(&jwk.verifier())),
            KeyReference::Kid(_) => None,
        }
    }
}

/// The payload of a message whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// Whether the request is a POST-as-GET (RFC 8555 §6.3).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Why a message is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("the body has more than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the JSON is nested too deeply")]
    TooDeep,
    #[error("an object has too many members")]
    TooManyMembers,
    #[error("the body is not a JSON object")]
    NotJson,
    #[error("the protected header is not a JSON object")]
    HeaderNotJson,
    #[error("the body is a JWS in the {0} serialization; the flattened JSON serialization is needed")]
    NotFlattened(Serialization),
    #[error("the JWS has an unprotected header")]
    UnprotectedHeader,
    #[error("the member {0:?} is missing")]
    MissingMember(&'static str),
    #[error("the member {0:?} occurs twice")]
    DuplicateMember(String),
    #[error("the member {member:?} is of the wrong type")]
    WrongType { member: &'static str },
    #[error("the member {member:?} is not base64url without padding")]
    BadBase64 { member: &'static str },
    #[error("the algorithm {0:?} is not supported")]
    UnsupportedAlgorithm(String),
    #[error("the protected header has \"crit\", and no extension is supported")]
    Crit,
    #[error("the protected header has \"b64\"; payloads are always encoded")]
    B64,
    #[error("{0}")]
    KeyReference(KeyReferenceFault),
    #[error("{0}")]
    BadJwk(#[source] JwkError),
}

impl JwsError {
    pub(crate) fn in_body(error: ObjectError) -> Self {
        match error {
            ObjectError::NotAnObject => Self::NotJson,
            ObjectError::TooDeep => Self::TooDeep,
            ObjectError::TooManyMembers => Self::TooManyMembers,
            ObjectError::DuplicateMember(name) => Self::DuplicateMember(name),
        }
    }

    pub(crate) fn in_header(error: ObjectError) -> Self {
        match error {
            ObjectError::NotAnObject => Self::HeaderNotJson,
            other => Self::in_body(other),
        }
    }
}

/// A serialization that ACME does not use (RFC 8555 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serialization {
    /// RFC 7515 §7.1.
    Compact,
    /// RFC 7515 §7.2.1.
    General,
}

impl std::fmt::Display for Serialization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Compact => "compact",
            Self::General => "general JSON",
        })
    }
}

/// How a header fails to have exactly one of `jwk` and `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyReferenceFault {
    #[error("the protected header has both \"jwk\" and \"kid\"")]
    Both,
    #[error("the protected header has neither \"jwk\" nor \"kid\"")]
    None,
}

pub(crate) fn string<'a>(member: &'static str, value: Option<Value<'a>>) -> Result<Cow<'a, str>, JwsError> {
    value
        .ok_or(JwsError::MissingMember(member))?
        .as_string()
        .ok_or(JwsError::WrongType { member })
}

pub(crate) fn decode(member: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    base64url::decode(text).map_err(|_| JwsError::BadBase64 { member })
}

/// Looks at the alphabet alone: splitting at dots is work that a sender can ask for by the kilobyte.
fn is_compact(body: &str) -> bool {
    let body = body.trim_ascii();
    body.contains('.')
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
