//! Certificates (RFC 5280 §4.1): what will be signed, and what was.

mod parsed;
mod peer;
mod serial;
mod tbs;
mod time;

pub use parsed::Certificate;
pub use peer::PeerCertificate;
pub use serial::{Serial, SerialError};
pub use tbs::{TbsCertificate, assemble};
pub use time::NO_EXPIRATION;

pub(crate) use tbs::{EncodedTbs, V3};
pub(crate) use time::{encoded, timestamp};

use crate::extension::ExtensionError;
use crate::key::KeyError;
use crate::name::NameError;
use crate::{DerError, ObjectIdentifier};

/// Longer certificates are not looked at. A hundred names of full length take 26 KiB.
pub const LONGEST_CERTIFICATE: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate has {0} octets; {LONGEST_CERTIFICATE} are read")]
    TooLong(usize),
    #[error("the certificate is not DER: {0}")]
    Der(#[from] DerError),
    #[error("the version is {0}, not v3")]
    Version(u8),
    #[error(transparent)]
    Serial(#[from] SerialError),
    #[error("the signature algorithms inside and outside of the signed part differ")]
    AlgorithmsDiffer,
    #[error("the signature algorithm is not one that is accepted")]
    UnknownAlgorithm,
    #[error("the signature is not a whole number of octets")]
    SignatureBits,
    #[error("a date is beyond what can be handled")]
    Date,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("extension {0}: {1}")]
    Extension(ObjectIdentifier, ExtensionError),
    #[error(transparent)]
    Extensions(#[from] ExtensionError),
}

impl From<der::Error> for CertificateError {
    fn from(error: der::Error) -> Self {
        CertificateError::Der(DerError::Malformed(error))
    }
}
