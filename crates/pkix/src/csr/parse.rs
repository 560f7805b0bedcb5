//! Reading a request.

use std::ops::Range;

use der::{Encode, Tag, Tagged};

use super::{Attribute, CsrError, EncodedInfo, LONGEST_REQUEST, RequestedExtension};
use crate::encoding::{self, Signed, range_in};
use crate::extension::{self, EncodedExtension, ExtensionError, KeyUsage, each_once, find};
use crate::key::{SignatureAlgorithm, SignatureError, SubjectPublicKey, sha256};
use crate::name::{DistinguishedName, GeneralName};
use crate::{ObjectIdentifier, oid};

/// A well-formed request. Whether its signature is right is asked separately, since that is what takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    der: Vec<u8>,
    info: Range<usize>,
    public_key: SubjectPublicKey,
    subject: DistinguishedName,
    common_names: Vec<String>,
    names: Vec<GeneralName>,
    extensions: Vec<RequestedExtension>,
    asks_for_ca: bool,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
}

impl CertificateRequest {
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > LONGEST_REQUEST {
            return Err(CsrError::TooLong(der.len()));
        }
        let Signed {
            signed,
            algorithm,
            signature,
        } = encoding::decode(der)?;
        let info: EncodedInfo<'_> = encoding::decode(signed.0)?;
        if info.version != 0 {
            return Err(CsrError::Version(info.version));
        }
        let subject = DistinguishedName::from_der(info.subject.0)?;
        let extensions = requested_extensions(info.attributes.as_ref().map_or(&[], |set| set.as_slice()))?;
        let names = read(
            &extensions,
            oid::SUBJECT_ALTERNATIVE_NAME,
            extension::read_subject_alternative_names,
        )?;
        let constraints = read(&extensions, oid::BASIC_CONSTRAINTS, extension::read_basic_constraints)?;
        let usage = read(&extensions, oid::KEY_USAGE, extension::read_key_usage)?;
        Ok(Self {
            info: range_in(der, signed.0),
            public_key: SubjectPublicKey::from_spki_der(info.public_key.0)?,
            common_names: subject.common_names()?,
            subject,
            names: names.unwrap_or_default(),
            asks_for_ca: constraints.is_some_and(|constraints| constraints.ca)
                || usage.is_some_and(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN)),
            extensions,
            signature_algorithm: SignatureAlgorithm::from_der(algorithm.0),
            signature: signature.as_bytes().ok_or(CsrError::SignatureBits)?.to_vec(),
            der: der.to_vec(),
        })
    }

    /// Whether the requester has the private key (RFC 2986 §3, note 3).
    pub fn verify_self_signature(&self) -> Result<(), CsrError> {
        let algorithm = self.signature_algorithm.ok_or(SignatureError::UnknownAlgorithm)?;
        Ok(self
            .public_key
            .verify(&algorithm, &self.der[self.info.clone()], &self.signature)?)
    }

    pub fn public_key(&self) -> &SubjectPublicKey {
        &self.public_key
    }

    /// Every common name, in order; there may be several, and all are names the request speaks of.
    pub fn common_names(&self) -> &[String] {
        &self.common_names
    }

    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    pub fn subject_is_empty(&self) -> bool {
        self.subject.is_empty()
    }

    pub fn subject_alternative_names(&self) -> &[GeneralName] {
        &self.names
    }

    /// All requested extensions, that of the names among them.
    pub fn requested_extensions(&self) -> &[RequestedExtension] {
        &self.extensions
    }

    pub fn requested_extension(&self, oid: &ObjectIdentifier) -> Option<&RequestedExtension> {
        find(&self.extensions, oid)
    }

    /// basicConstraints with cA, or keyUsage with keyCertSign.
    pub fn asks_for_ca(&self) -> bool {
        self.asks_for_ca
    }

    /// The content of an attribute that has one value, an OCTET STRING; `None` where the request does not have it.
    pub fn octets_of_attribute(&self, kind: &ObjectIdentifier) -> Result<Option<Vec<u8>>, CsrError> {
        let info: EncodedInfo<'_> = encoding::decode(&self.der[self.info.clone()])?;
        let attributes = info.attributes.as_ref().map_or(&[][..], |set| set.as_slice());
        let mut found = attributes.iter().filter(|attribute| attribute.kind == *kind);
        let Some(attribute) = found.next() else {
            return Ok(None);
        };
        match (attribute.values.as_slice(), found.next()) {
            ([value], None) if value.tag() == Tag::OctetString => Ok(Some(value.value().to_vec())),
            _ => Err(CsrError::Attribute(*kind)),
        }
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }
}

/// The extensionRequest attribute (RFC 2985 §5.4.2), which has one value; other attributes mean nothing to us.
fn requested_extensions(attributes: &[Attribute<'_>]) -> Result<Vec<RequestedExtension>, CsrError> {
    let mut requests = attributes
        .iter()
        .filter(|attribute| attribute.kind == oid::EXTENSION_REQUEST);
    let Some(request) = requests.next() else {
        return Ok(Vec::new());
    };
    let [value] = request.values.as_slice() else {
        return Err(CsrError::SeveralExtensionRequests);
    };
    if requests.next().is_some() {
        return Err(CsrError::SeveralExtensionRequests);
    }
    let list = value.to_der().map_err(encoding::DerError::from)?;
    let list: Vec<EncodedExtension<'_>> = encoding::decode(&list)?;
    Ok(each_once(&list)?)
}

fn read<T>(
    extensions: &[RequestedExtension],
    oid: ObjectIdentifier,
    reader: fn(&[u8]) -> Result<T, ExtensionError>,
) -> Result<Option<T>, CsrError> {
    let found = find(extensions, &oid).map(|extension| reader(&extension.value));
    found.transpose().map_err(|error| CsrError::Extension(oid, error))
}
