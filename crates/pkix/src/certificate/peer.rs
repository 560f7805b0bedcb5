//! The certificate that a server shows in a handshake of tls-alpn-01.

use der::Sequence;
use der::asn1::IntRef;

use super::tbs::V3;
use super::{CertificateError, LONGEST_CERTIFICATE};
use crate::encoding::{self, Raw, Signed};
use crate::extension::{self, EncodedExtension, Extension, each_once, find};
use crate::key::{KeyError, SubjectPublicKey};
use crate::name::GeneralName;
use crate::{ObjectIdentifier, oid};

/// What RFC 8737 §3 looks at: names and extensions. Serial number, issuer, dates and signature are not judged, for such
/// a certificate is made in a moment by whatever the server has at hand and is trusted in nothing else. Serial numbers of
/// zero are common among them (RFC 5280 §4.1.2.2 asks readers to be prepared for these).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    spki: Vec<u8>,
    names: Vec<GeneralName>,
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", default = "v1")]
    version: u8,
    _serial: IntRef<'a>,
    _signature_algorithm: Raw<'a>,
    _issuer: Raw<'a>,
    _validity: Raw<'a>,
    _subject: Raw<'a>,
    public_key: Raw<'a>,
    #[asn1(context_specific = "3", optional = "true")]
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

fn v1() -> u8 {
    0
}

impl PeerCertificate {
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > LONGEST_CERTIFICATE {
            return Err(CertificateError::TooLong(der.len()));
        }
        let envelope: Signed<'_> = encoding::decode(der)?;
        let tbs: Tbs<'_> = encoding::decode(envelope.signed.0)?;
        if tbs.version != V3 {
            return Err(CertificateError::Version(tbs.version.saturating_add(1)));
        }
        let extensions = each_once(tbs.extensions.as_deref().unwrap_or_default())?;
        let names = find(&extensions, &oid::SUBJECT_ALTERNATIVE_NAME)
            .map(|names| extension::read_subject_alternative_names(&names.value))
            .transpose()
            .map_err(|error| CertificateError::Extension(oid::SUBJECT_ALTERNATIVE_NAME, error))?;
        Ok(Self {
            spki: tbs.public_key.0.to_vec(),
            names: names.unwrap_or_default(),
            extensions,
        })
    }

    pub fn names(&self) -> &[GeneralName] {
        &self.names
    }

    pub fn extension(&self, oid: &ObjectIdentifier) -> Option<&Extension> {
        find(&self.extensions, oid)
    }

    pub fn public_key(&self) -> Result<SubjectPublicKey, KeyError> {
        SubjectPublicKey::from_spki_der(&self.spki)
    }
}
