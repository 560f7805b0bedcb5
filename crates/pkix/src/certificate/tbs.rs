//! The part of a certificate that is signed.

use der::Sequence;
use der::asn1::{BitStringRef, IntRef};
use jiff::Timestamp;
use x509_cert::time::Time;

use super::time::{encoded, timestamp};
use super::{CertificateError, Serial};
use crate::encoding::{self, Raw, Signed};
use crate::extension::{EncodedExtension, Extension, each_once};
use crate::key::{SignatureAlgorithm, SubjectPublicKey};
use crate::name::DistinguishedName;

/// What an authority is about to sign: a v3 certificate without the unique identifiers that RFC 5280 §4.1.2.8 forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TbsCertificate {
    pub serial: Serial,
    pub signature_algorithm: SignatureAlgorithm,
    pub issuer: DistinguishedName,
    /// The first second.
    pub not_before: Timestamp,
    /// The last second, which still belongs to the validity period (RFC 5280 §4.1.2.5).
    pub not_after: Timestamp,
    pub subject: DistinguishedName,
    pub public_key: SubjectPublicKey,
    pub extensions: Vec<Extension>,
}

/// TBSCertificate as it is encoded.
#[derive(Clone, Debug, Sequence)]
pub(crate) struct EncodedTbs<'a> {
    #[asn1(context_specific = "0", default = "v1")]
    pub version: u8,
    pub serial: IntRef<'a>,
    pub signature_algorithm: Raw<'a>,
    pub issuer: Raw<'a>,
    pub validity: EncodedValidity,
    pub subject: Raw<'a>,
    pub public_key: Raw<'a>,
    #[asn1(context_specific = "3", optional = "true")]
    pub extensions: Option<Vec<EncodedExtension<'a>>>,
}

#[derive(Clone, Copy, Debug, Sequence)]
pub(crate) struct EncodedValidity {
    pub not_before: Time,
    pub not_after: Time,
}

fn v1() -> u8 {
    0
}

/// The number that says v3.
pub(crate) const V3: u8 = 2;

impl TbsCertificate {
    pub fn to_der(&self) -> Vec<u8> {
        let extensions: Vec<_> = self.extensions.iter().map(Extension::as_encoded).collect();
        encoding::encode(&EncodedTbs {
            version: V3,
            serial: IntRef::new(self.serial.der_content()).expect("invariant: a serial is at most 20 octets"),
            signature_algorithm: Raw(self.signature_algorithm.der()),
            issuer: Raw(self.issuer.der()),
            validity: EncodedValidity {
                not_before: encoded(self.not_before),
                not_after: encoded(self.not_after),
            },
            subject: Raw(self.subject.der()),
            public_key: Raw(self.public_key.spki_der()),
            extensions: (!extensions.is_empty()).then_some(extensions),
        })
    }

    /// Reads what could have been written by `to_der`, and nothing else.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let tbs: EncodedTbs<'_> = encoding::decode(der)?;
        if tbs.version != V3 {
            return Err(CertificateError::Version(tbs.version.saturating_add(1)));
        }
        let algorithm = SignatureAlgorithm::from_der(tbs.signature_algorithm.0);
        let read = Self {
            serial: Serial::from_der_content(tbs.serial.as_bytes())?,
            signature_algorithm: algorithm.ok_or(CertificateError::UnknownAlgorithm)?,
            issuer: DistinguishedName::from_der(tbs.issuer.0)?,
            not_before: timestamp(tbs.validity.not_before).ok_or(CertificateError::Date)?,
            not_after: timestamp(tbs.validity.not_after).ok_or(CertificateError::Date)?,
            subject: DistinguishedName::from_der(tbs.subject.0)?,
            public_key: SubjectPublicKey::from_spki_der(tbs.public_key.0)?,
            extensions: each_once(tbs.extensions.as_deref().unwrap_or_default())?,
        };
        // A date in the other encoding, or the parameters of RSA left out: legible, but not what we write.
        match read.to_der() == der {
            true => Ok(read),
            false => Err(encoding::DerError::NotCanonical.into()),
        }
    }
}

/// The certificate of a signed part and the signature over exactly these octets.
pub fn assemble(tbs_der: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let signature = BitStringRef::from_bytes(signature).expect("invariant: a signature is a few hundred octets");
    encoding::encode(&Signed {
        signed: Raw(tbs_der),
        algorithm: Raw(algorithm.der()),
        signature,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension;
    use crate::key::KeyPair;
    use crate::name::GeneralName;

    fn example() -> TbsCertificate {
        let names = [GeneralName::Dns("example.org".into())];
        TbsCertificate {
            serial: Serial::from_random([7; 16]),
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: DistinguishedName::with_organization("Vidimus", "Issuing").unwrap(),
            not_before: "2024-05-01T00:00:00Z".parse().unwrap(),
            not_after: "2050-05-01T00:00:00Z".parse().unwrap(),
            subject: DistinguishedName::empty(),
            public_key: KeyPair::generate_p256().public_key().clone(),
            extensions: vec![extension::subject_alternative_names(&names, true).unwrap()],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let tbs = example();
        assert_eq!(TbsCertificate::from_der(&tbs.to_der()).unwrap(), tbs);
    }

    // T32
    #[test]
    fn t32_the_greatest_version_that_fits_an_octet_is_another_version() {
        let der = example().to_der();
        // SEQUENCE with a length of two octets or three, then [0] { INTEGER 2 }
        let at = der
            .windows(5)
            .position(|window| window == b"\xa0\x03\x02\x01\x02")
            .unwrap();
        let content = [&b"\xa0\x04\x02\x02\x00\xff"[..], &der[at + 5..]].concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let other = match length {
            [0, short] if short >= 0x80 => [&[0x30, 0x81, short][..], &content].concat(),
            _ => [&[0x30, 0x82][..], &length, &content].concat(),
        };
        assert_eq!(TbsCertificate::from_der(&other), Err(CertificateError::Version(255)));
    }

    #[test]
    fn a_list_of_no_extensions_is_left_out() {
        let tbs = TbsCertificate {
            extensions: Vec::new(),
            ..example()
        };
        assert_eq!(TbsCertificate::from_der(&tbs.to_der()).unwrap(), tbs);
    }

    #[test]
    fn a_second_extension_of_a_kind_is_refused() {
        let mut tbs = example();
        tbs.extensions.push(tbs.extensions[0].clone());
        let duplicate = extension::ExtensionError::Duplicate(crate::oid::SUBJECT_ALTERNATIVE_NAME);
        assert_eq!(
            TbsCertificate::from_der(&tbs.to_der()),
            Err(CertificateError::Extensions(duplicate))
        );
    }

    #[test]
    fn a_date_in_the_other_encoding_is_refused() {
        let der = example().to_der();
        let (utc, general) = (b"\x17\x0d240501000000Z", b"\x18\x0f20240501000000Z");
        let at = der.windows(utc.len()).position(|window| window == utc).unwrap();
        let mut other = [&der[..at], general, &der[at + utc.len()..]].concat();
        // both lengths take two octets here: of the whole and of the validity before the date
        let whole = u16::from_be_bytes([other[2], other[3]]) + 2;
        if der[1] == 0x82 {
            other[2..4].copy_from_slice(&whole.to_be_bytes());
        } else {
            other[2] += 2;
        }
        other[at - 1] += 2;
        assert_eq!(
            TbsCertificate::from_der(&other),
            Err(encoding::DerError::NotCanonical.into())
        );
    }
}
