//! Certificate revocation lists (RFC 5280 §5): complete ones in version 2, for one distribution point of one issuer.
//!
//! Delta CRLs, indirect CRLs and lists for some reasons only are neither written nor read: they are marked by critical
//! extensions or flags, and whoever does not understand those must not use the list (RFC 5280 §5.2).

mod extension;
mod reason;
mod signed;
mod tbs;

pub use crate::certificate::assemble;
pub use extension::{crl_number, issuing_distribution_point, read_crl_number, read_issuing_distribution_point};
pub use reason::Reason;
pub use signed::Crl;
pub use tbs::TbsCrl;

use jiff::Timestamp;

use crate::certificate::{Serial, SerialError};
use crate::extension::ExtensionError;
use crate::name::NameError;
use crate::{DerError, ObjectIdentifier};

/// Longer lists are not looked at. 100 000 entries with reasons take 4.9 MB: this is room for more than a million.
pub const LONGEST_CRL: usize = 64 * 1024 * 1024;

/// A certificate that is no longer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    pub serial: Serial,
    pub revoked: Timestamp,
    /// Nothing where the reason is unspecified: the entry then has no reasonCode (RFC 5280 §5.3.1).
    pub reason: Option<Reason>,
}

/// Which of the issuer's certificates a list answers for: what issuingDistributionPoint says (RFC 5280 §5.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Those whose cRLDistributionPoints name this URI, octet by octet; without it, all of them.
    pub distribution_point: Option<String>,
    /// Those of end entities only.
    pub user_certificates_only: bool,
}

impl Scope {
    /// Every certificate of the issuer. Such a list has no issuingDistributionPoint: an empty one is forbidden.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    #[error("the CRL has {0} octets; {LONGEST_CRL} are read")]
    TooLong(usize),
    #[error("the CRL is not DER: {0}")]
    Der(#[from] DerError),
    /// RFC 5280 §5.1.2.1
    #[error("the CRL is not of version 2")]
    Version,
    #[error("the signature algorithms inside and outside of the signed part differ")]
    AlgorithmsDiffer,
    #[error("the signature algorithm is not one that is accepted")]
    UnknownAlgorithm,
    #[error("the signature is not a whole number of octets")]
    SignatureBits,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("a date is beyond what can be handled")]
    Date,
    /// RFC 5280 §5.1.2.5
    #[error("the CRL does not say when the next one comes")]
    NoNextUpdate,
    /// RFC 5280 §5.1.2.6
    #[error("the CRL has an empty list where none should be")]
    EmptyList,
    #[error("an entry: {0}")]
    Serial(#[from] SerialError),
    #[error("the serial number {0} is there twice")]
    ListedTwice(Serial),
    #[error("the entry of {0}: the reason is not one of a complete CRL")]
    Reason(Serial),
    #[error("the entry of {0}: {1}")]
    Entry(Serial, ExtensionError),
    #[error("extension {0}: {1}")]
    Extension(ObjectIdentifier, ExtensionError),
    #[error(transparent)]
    Extensions(#[from] ExtensionError),
    /// RFC 5280 §5.2.1, §5.2.3
    #[error("the CRL has no extension {0}")]
    Missing(ObjectIdentifier),
    /// RFC 5280 §5.2: such a list must not be used to determine a certificate's status.
    #[error("the critical extension {0} is not understood")]
    Critical(ObjectIdentifier),
}

impl From<der::Error> for CrlError {
    fn from(error: der::Error) -> Self {
        CrlError::Der(DerError::Malformed(error))
    }
}
