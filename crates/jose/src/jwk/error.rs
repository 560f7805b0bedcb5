#[cfg(doc)]
use crate::Jwk;
use crate::base64url::Base64UrlError;

/// Why a key is not a [`Jwk`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// It is not written as a key at all.
    #[error("the key is malformed: {0}")]
    Malformed(#[from] MalformedJwk),
    /// A private or secret key was sent (RFC 7517 §9.2).
    #[error("the key has the member {0:?}, which only a private or secret key has")]
    PrivateMember(&'static str),
    #[error("keys of the type {0:?} are not supported")]
    UnsupportedKeyType(String),
    #[error("the curve {0:?} is not supported")]
    UnsupportedCurve(String),
    #[error("the key is not a point on its curve")]
    NotOnCurve,
    /// A key for which anybody can make signatures (RFC 8032 §8.9 leaves refusing it to the application).
    #[error("the key is a point of small order")]
    SmallOrder,
    #[error("the RSA key has {bits} bits, outside of the range that is accepted")]
    RsaSize { bits: usize },
    #[error("the RSA modulus is even")]
    RsaModulus,
    #[error("the RSA exponent is not an odd number of at least 3 and at most 32 bits")]
    RsaExponent,
}

impl JwkError {
    /// Whether the text is at fault (ACME's `malformed`), and not the key in it (`badPublicKey`).
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}

/// What is wrong with how a key is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedJwk {
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("its JSON is nested too deeply")]
    TooDeep,
    #[error("it has too many members")]
    TooManyMembers,
    #[error("it has the member {0:?} twice")]
    DuplicateMember(String),
    #[error("the member {0:?} is missing")]
    MissingMember(&'static str),
    #[error("the member {0:?} is not a string")]
    WrongType(&'static str),
    #[error("the member {member:?} is not base64url: {error}")]
    BadBase64 {
        member: &'static str,
        error: Base64UrlError,
    },
    /// RFC 7518 §6.2.1.2 and §6.2.1.3, RFC 8037 §2.
    #[error("the member {member:?} has {actual} bytes, its curve needs {expected}")]
    Length {
        member: &'static str,
        expected: usize,
        actual: usize,
    },
    /// RFC 7518 §6.3.1.1: "the minimum number of octets".
    #[error("the member {0:?} is not a number without leading zero bytes")]
    LeadingZero(&'static str),
    #[error("it is not the DER of a SubjectPublicKeyInfo")]
    Spki,
}
