//! What the certificate of RFC 8737 §3 must be. Pure.

use aws_lc_rs::digest::{SHA256, digest};
use pkix::{
    certificate::{CertificateError, PeerCertificate},
    extension::{ExtensionError, read_acme_identifier},
    key::{KeyError, SignatureAlgorithm, SignatureError},
    name::GeneralName,
    oid,
};
use x509_cert::der::{Decode, Reader, SliceReader, asn1::BitStringRef};

use crate::excerpt;

/// How a certificate falls short; completes the sentence "does not prove control: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the certificate cannot be read: {0}")]
    Unreadable(#[from] CertificateError),
    #[error("the certificate names {found}, not {expected} and nobody else")]
    Names { found: String, expected: String },
    #[error("the certificate has no acmeIdentifier extension")]
    NoIdentifier,
    #[error("the acmeIdentifier extension is not critical")]
    NotCritical,
    #[error("the acmeIdentifier extension cannot be read: {0}")]
    Identifier(ExtensionError),
    #[error("the acmeIdentifier extension holds {found}, not the digest {expected} of the key authorization")]
    Digest { found: String, expected: String },
    #[error("the certificate's key cannot be used: {0}")]
    Key(#[from] KeyError),
    #[error("the certificate is not signed with its own key: {0}")]
    NotSelfSigned(#[from] SignatureError),
}

pub(super) fn judge(der: &[u8], subject: &GeneralName, expected: &[u8; 32]) -> Result<(), Fault> {
    let certificate = PeerCertificate::parse(der)?;
    match certificate.names() {
        [only] if names_same(only, subject) => {}
        names => {
            return Err(Fault::Names {
                found: listed(names),
                expected: shown(subject),
            });
        }
    }
    let identifier = certificate
        .extension(&oid::ACME_IDENTIFIER)
        .ok_or(Fault::NoIdentifier)?;
    if !identifier.critical {
        return Err(Fault::NotCritical);
    }
    let found = read_acme_identifier(&identifier.value).map_err(Fault::Identifier)?;
    if found != *expected {
        return Err(Fault::Digest {
            found: pkix::hex::encode(&found),
            expected: pkix::hex::encode(expected),
        });
    }
    verify_self_signature(der, &certificate)
}

/// SHA-256, in hex.
pub(super) fn fingerprint(der: &[u8]) -> String {
    pkix::hex::encode(digest(&SHA256, der).as_ref())
}

/// "self-signed certificate" (RFC 8737 §3): somebody else's signature would be somebody else's certificate.
fn verify_self_signature(der: &[u8], certificate: &PeerCertificate) -> Result<(), Fault> {
    let (signed, algorithm, signature) = envelope(der).map_err(CertificateError::from)?;
    let algorithm = SignatureAlgorithm::from_der(algorithm).ok_or(SignatureError::UnknownAlgorithm)?;
    Ok(certificate.public_key()?.verify(&algorithm, signed, signature)?)
}

fn envelope(der: &[u8]) -> x509_cert::der::Result<(&[u8], &[u8], &[u8])> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let signed = reader.tlv_bytes()?;
        let algorithm = reader.tlv_bytes()?;
        Ok((signed, algorithm, BitStringRef::decode(reader)?.raw_bytes()))
    })
}

/// RFC 8737 §3: compared without regard to case, as DNS names are; addresses octet by octet (RFC 8738 §3).
fn names_same(found: &GeneralName, expected: &GeneralName) -> bool {
    match (found, expected) {
        (GeneralName::Dns(found), GeneralName::Dns(expected)) => found.eq_ignore_ascii_case(expected),
        (found, expected) => found == expected,
    }
}

fn listed(names: &[GeneralName]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => names.iter().take(LISTED).map(shown).collect::<Vec<_>>().join(", "),
    }
}

fn shown(name: &GeneralName) -> String {
    match name {
        GeneralName::Dns(name) => excerpt::plain(name.as_bytes(), 253),
        GeneralName::Ip(address) => address.to_string(),
        _ => "a name of another kind".to_owned(),
    }
}

const LISTED: usize = 4;
