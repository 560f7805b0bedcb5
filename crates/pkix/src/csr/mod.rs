//! Certificate requests (PKCS#10, RFC 2986).

mod build;
mod parse;

pub use crate::extension::Extension as RequestedExtension;
pub use build::{build_csr, build_csr_with_attributes, build_csr_with_extensions};
pub use parse::CertificateRequest;

use der::asn1::{AnyRef, SetOfVec};
use der::{Sequence, ValueOrd};

use crate::encoding::Raw;
use crate::extension::ExtensionError;
use crate::key::{KeyError, SignatureError};
use crate::name::NameError;
use crate::{DerError, ObjectIdentifier};

/// Longer requests are not looked at. A hundred names of full length and a key of RSA 4096 take 28 KiB.
pub const LONGEST_REQUEST: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    #[error("the request has {0} octets; {LONGEST_REQUEST} are read")]
    TooLong(usize),
    #[error("the request is not DER: {0}")]
    Der(#[from] DerError),
    /// RFC 2986 §4.1: the version of requests is v1, and there is no other.
    #[error("the request's version field is {0}, not 0")]
    Version(u8),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the request asks for extensions in more than one attribute or value")]
    SeveralExtensionRequests,
    #[error("the requested extension {0}: {1}")]
    Extension(ObjectIdentifier, ExtensionError),
    #[error("the requested extensions: {0}")]
    Extensions(#[from] ExtensionError),
    #[error("the attribute {0} is there more than once, or is not one OCTET STRING")]
    Attribute(ObjectIdentifier),
    #[error("the signature is not a whole number of octets")]
    SignatureBits,
    #[error("the request's own signature does not verify: {0}")]
    Signature(#[from] SignatureError),
}

/// CertificationRequestInfo as it is encoded (RFC 2986 §4.1).
#[derive(Sequence)]
struct EncodedInfo<'a> {
    version: u8,
    subject: Raw<'a>,
    public_key: Raw<'a>,
    /// Some clients leave the field out where it is empty.
    #[asn1(
        context_specific = "0",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    attributes: Option<SetOfVec<Attribute<'a>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence, ValueOrd)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    values: SetOfVec<AnyRef<'a>>,
}
