//! Making a request.

use der::Decode;
use der::Tag;
use der::asn1::{AnyRef, BitStringRef, SetOfVec};

use super::{Attribute, EncodedInfo, RequestedExtension};
use crate::ObjectIdentifier;
use crate::encoding::{self, Raw, Signed};
use crate::extension::{Extension, subject_alternative_names};
use crate::key::{KeyPair, SubjectPublicKey};
use crate::name::{DistinguishedName, GeneralName, NameError};
use crate::oid;

/// A request for these names, signed by the key.
pub fn build_csr(key: &KeyPair, common_name: Option<&str>, names: &[GeneralName]) -> Result<Vec<u8>, NameError> {
    build_csr_with_extensions(key, common_name, names, &[])
}

/// As `build_csr`, asking for more than names: usages for S/MIME, telephone numbers, must-staple.
pub fn build_csr_with_extensions(
    key: &KeyPair,
    common_name: Option<&str>,
    names: &[GeneralName],
    others: &[RequestedExtension],
) -> Result<Vec<u8>, NameError> {
    let subject = match common_name {
        Some(common_name) => DistinguishedName::with_common_name(common_name)?,
        None => DistinguishedName::empty(),
    };
    let mut extensions = Vec::with_capacity(1 + others.len());
    if !names.is_empty() {
        extensions.push(subject_alternative_names(names, subject.is_empty())?);
    }
    extensions.extend_from_slice(others);

    let list = encoding::encode(&extensions.iter().map(Extension::as_encoded).collect::<Vec<_>>());
    let mut attributes = SetOfVec::new();
    if !extensions.is_empty() {
        let mut values = SetOfVec::new();
        values.insert(AnyRef::from_der(&list)?)?;
        attributes.insert(Attribute {
            kind: oid::EXTENSION_REQUEST,
            values,
        })?;
    }
    let info = encoding::encode(&EncodedInfo {
        version: 0,
        subject: Raw(subject.der()),
        public_key: Raw(key.public_key().spki_der()),
        attributes: Some(attributes),
    });
    let signature = key.sign(&info);
    let signature = BitStringRef::from_bytes(&signature)?;
    Ok(encoding::encode(&Signed {
        signed: Raw(&info),
        algorithm: Raw(key.algorithm().der()),
        signature,
    }))
}

/// A request without names, with attributes that are OCTET STRINGs; `sign` has the private key and signs as keys of that
/// kind do.
pub fn build_csr_with_attributes(
    key: &SubjectPublicKey,
    octets: &[(ObjectIdentifier, &[u8])],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Vec<u8>, NameError> {
    let mut attributes = SetOfVec::new();
    for (kind, value) in octets {
        let mut values = SetOfVec::new();
        values.insert(AnyRef::new(Tag::OctetString, value)?)?;
        attributes.insert(Attribute { kind: *kind, values })?;
    }
    let info = encoding::encode(&EncodedInfo {
        version: 0,
        subject: Raw(DistinguishedName::empty().der()),
        public_key: Raw(key.spki_der()),
        attributes: Some(attributes),
    });
    let signature = sign(&info);
    Ok(encoding::encode(&Signed {
        signed: Raw(&info),
        algorithm: Raw(key.kind().signature_algorithm().der()),
        signature: BitStringRef::from_bytes(&signature)?,
    }))
}
