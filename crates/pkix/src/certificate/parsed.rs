//! A certificate that somebody signed.

use std::ops::Range;

use jiff::Timestamp;

use super::tbs::{EncodedTbs, V3};
use super::time::timestamp;
use super::{CertificateError, LONGEST_CERTIFICATE, Serial};
use crate::encoding::{self, Signed, range_in};
use crate::extension::{self, Extension, ExtensionError, each_once, find};
use crate::key::{KeyError, SignatureAlgorithm, SignatureError, SubjectPublicKey, sha256};
use crate::name::{DistinguishedName, GeneralName};
use crate::oid;

/// A well-formed certificate. Nothing is said about who signed it, or whether its dates or its key are any good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    spki: Range<usize>,
    serial: Serial,
    issuer: DistinguishedName,
    not_before: Timestamp,
    not_after: Timestamp,
    subject: DistinguishedName,
    extensions: Vec<Extension>,
    names: Vec<GeneralName>,
    authority_key_identifier: Option<Vec<u8>>,
    is_ca: bool,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
}

impl Certificate {
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > LONGEST_CERTIFICATE {
            return Err(CertificateError::TooLong(der.len()));
        }
        let Signed {
            signed,
            algorithm,
            signature,
        } = encoding::decode(der)?;
        let tbs: EncodedTbs<'_> = encoding::decode(signed.0)?;
        // Old roots are v1; what has extensions must be v3 (RFC 5280 §4.1.2.1).
        if tbs.version != V3 && (tbs.version != 0 || tbs.extensions.is_some()) {
            return Err(CertificateError::Version(tbs.version.saturating_add(1)));
        }
        // RFC 5280 §4.1.1.2
        if tbs.signature_algorithm != algorithm {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        let extensions = each_once(tbs.extensions.as_deref().unwrap_or_default())?;
        let names = read(
            &extensions,
            oid::SUBJECT_ALTERNATIVE_NAME,
            extension::read_subject_alternative_names,
        )?;
        let authority = read(
            &extensions,
            oid::AUTHORITY_KEY_IDENTIFIER,
            extension::read_authority_key_identifier,
        )?;
        let constraints = read(&extensions, oid::BASIC_CONSTRAINTS, extension::read_basic_constraints)?;
        Ok(Self {
            tbs: range_in(der, signed.0),
            spki: range_in(der, tbs.public_key.0),
            serial: Serial::from_der_content(tbs.serial.as_bytes())?,
            issuer: DistinguishedName::from_der(tbs.issuer.0)?,
            not_before: timestamp(tbs.validity.not_before).ok_or(CertificateError::Date)?,
            not_after: timestamp(tbs.validity.not_after).ok_or(CertificateError::Date)?,
            subject: DistinguishedName::from_der(tbs.subject.0)?,
            names: names.unwrap_or_default(),
            authority_key_identifier: authority.flatten(),
            is_ca: constraints.is_some_and(|constraints| constraints.ca),
            extensions,
            signature_algorithm: SignatureAlgorithm::from_der(algorithm.0),
            signature: signature.as_bytes().ok_or(CertificateError::SignatureBits)?.to_vec(),
            der: der.to_vec(),
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The octets that were signed.
    pub fn tbs_der(&self) -> &[u8] {
        &self.der[self.tbs.clone()]
    }

    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second of the validity period.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The first common name, if it is in a string type that is read alike by everybody.
    pub fn subject_common_name(&self) -> Option<String> {
        self.subject.common_names().ok()?.into_iter().next()
    }

    /// The subject alternative names.
    pub fn names(&self) -> &[GeneralName] {
        &self.names
    }

    /// The key, if it is one that we would certify.
    pub fn public_key(&self) -> Result<SubjectPublicKey, KeyError> {
        SubjectPublicKey::from_spki_der(self.spki_der())
    }

    /// The key as it stands, for those who only compare it.
    pub fn spki_der(&self) -> &[u8] {
        &self.der[self.spki.clone()]
    }

    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub fn extension(&self, oid: &crate::ObjectIdentifier) -> Option<&Extension> {
        find(&self.extensions, oid)
    }

    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    /// What basicConstraints says.
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Nothing for an algorithm that is not one of ours.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.signature_algorithm
    }

    pub fn verify_signed_by(&self, issuer: &SubjectPublicKey) -> Result<(), SignatureError> {
        let algorithm = self.signature_algorithm.ok_or(SignatureError::UnknownAlgorithm)?;
        issuer.verify(&algorithm, self.tbs_der(), &self.signature)
    }

    /// SHA-256 of the certificate, by which people call it.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.der)
    }
}

fn read<T>(
    extensions: &[Extension],
    oid: crate::ObjectIdentifier,
    reader: fn(&[u8]) -> Result<T, ExtensionError>,
) -> Result<Option<T>, CertificateError> {
    let found = find(extensions, &oid).map(|extension| reader(&extension.value));
    found
        .transpose()
        .map_err(|error| CertificateError::Extension(oid, error))
}
