//! Extensions of certificates (RFC 5280 §4.2): each is written by a function of its name and read by `read_…`.
//!
//! Whether an extension is critical is decided where it is written, by its document, so that no caller has to know.

mod identifiers;
mod names;
mod pointers;
mod usage;
mod validation;

pub use identifiers::{
    authority_key_identifier, read_authority_key_identifier, read_subject_key_identifier, subject_key_identifier,
};
pub use names::{read_subject_alternative_names, subject_alternative_names};
pub use pointers::{
    AuthorityInfoAccess, authority_info_access, certificate_policies, crl_distribution_points, no_rev_avail,
    read_authority_info_access, read_certificate_policies, read_crl_distribution_points, read_no_rev_avail,
};
pub(crate) use pointers::{encoded_uri, uri};
pub use usage::{
    BasicConstraints, KeyUsage, basic_constraints, extended_key_usage, key_usage, read_basic_constraints,
    read_extended_key_usage, read_key_usage,
};
pub use validation::{acme_identifier, read_acme_identifier};

use der::Sequence;
use der::asn1::OctetStringRef;

use crate::name::NameError;
use crate::{DerError, ObjectIdentifier, encoding};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    pub oid: ObjectIdentifier,
    pub critical: bool,
    /// The DER inside the OCTET STRING.
    pub value: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    #[error("the extension is not DER: {0}")]
    Der(#[from] DerError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the extension's list is empty")]
    Empty,
    #[error("the digest has {0} octets, not 32")]
    DigestLength(usize),
    /// RFC 5280 §4.2: a certificate must not include more than one instance of an extension.
    #[error("the extension {0} is there twice")]
    Duplicate(ObjectIdentifier),
}

/// Extension as it is encoded (RFC 5280 §4.1).
#[derive(Clone, Debug, Sequence)]
pub(crate) struct EncodedExtension<'a> {
    pub oid: ObjectIdentifier,
    #[asn1(default = "bool::default")]
    pub critical: bool,
    pub value: &'a OctetStringRef,
}

impl Extension {
    pub(crate) fn as_encoded(&self) -> EncodedExtension<'_> {
        let value = OctetStringRef::new(&self.value).expect("invariant: extensions are far below 256 MiB");
        EncodedExtension {
            oid: self.oid,
            critical: self.critical,
            value,
        }
    }
}

/// The extensions of one certificate or request, each once.
pub(crate) fn each_once(encoded: &[EncodedExtension<'_>]) -> Result<Vec<Extension>, ExtensionError> {
    let mut extensions: Vec<Extension> = Vec::with_capacity(encoded.len());
    for EncodedExtension { oid, critical, value } in encoded {
        if find(&extensions, oid).is_some() {
            return Err(ExtensionError::Duplicate(*oid));
        }
        extensions.push(Extension {
            oid: *oid,
            critical: *critical,
            value: value.as_bytes().to_vec(),
        });
    }
    Ok(extensions)
}

pub(crate) fn find<'a>(extensions: &'a [Extension], oid: &ObjectIdentifier) -> Option<&'a Extension> {
    extensions.iter().find(|extension| extension.oid == *oid)
}

/// Reads a SEQUENCE SIZE (1..MAX) OF.
fn read_list<'a, T>(value: &'a [u8]) -> Result<Vec<T>, ExtensionError>
where
    T: der::Decode<'a, Error = der::Error> + der::Encode,
{
    let list: Vec<T> = encoding::decode(value)?;
    match list.is_empty() {
        true => Err(ExtensionError::Empty),
        false => Ok(list),
    }
}
