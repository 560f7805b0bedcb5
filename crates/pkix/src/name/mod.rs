//! Names: who a certificate speaks of (RFC 5280 §4.1.2.6 and §4.2.1.6).

mod distinguished;
mod general;
mod onion;

pub use distinguished::DistinguishedName;
pub use general::GeneralName;
pub use onion::{OnionAddress, OnionError};

use crate::DerError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name is not DER: {0}")]
    Der(#[from] DerError),
    #[error("a name holds a relative name without attributes")]
    EmptyRelativeName,
    /// Older string types are read differently by different parsers (RFC 5280 §4.1.2.4 keeps two for new names).
    #[error("a common name is neither a UTF8String nor a PrintableString but a {0}")]
    StringType(String),
    /// ub-common-name and ub-organization-name (RFC 5280 A.1).
    #[error("{0:?} has more than 64 characters")]
    TooLong(String),
    #[error("{0:?} has characters outside of ASCII")]
    NotAscii(String),
    #[error("an iPAddress has {0} octets, neither 4 nor 16")]
    AddressLength(usize),
    #[error("{0:?} is no object identifier")]
    ObjectIdentifier(String),
    #[error("a list of alternative names is empty")]
    NoNames,
}

impl From<der::Error> for NameError {
    fn from(error: der::Error) -> Self {
        NameError::Der(DerError::Malformed(error))
    }
}
