//! The part of a list that is signed.

use der::Sequence;
use der::asn1::IntRef;
use jiff::Timestamp;
use x509_cert::time::Time;

use super::extension::{crl_number, issuing_distribution_point, read_crl_number, read_issuing_distribution_point};
use super::{CrlError, Reason, RevokedCertificate, Scope};
use crate::certificate::{Serial, encoded, timestamp};
use crate::encoding::{self, Raw};
use crate::extension::{
    EncodedExtension, Extension, authority_key_identifier, each_once, find, read_authority_key_identifier,
};
use crate::key::SignatureAlgorithm;
use crate::name::{DistinguishedName, NameError};
use crate::{ObjectIdentifier, oid};

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TbsCrl {
    pub signature_algorithm: SignatureAlgorithm,
    pub issuer: DistinguishedName,
    pub this_update: Timestamp,
    pub next_update: Timestamp,
    pub number: u64,
    /// Of the key that signs.
    pub authority_key_identifier: Vec<u8>,
    pub scope: Scope,
    /// Each serial number once, in ascending order.
    pub revoked: Vec<RevokedCertificate>,
}

/// TBSCertList as it is encoded (RFC 5280 §5.1).
#[derive(Clone, Debug, Sequence)]
struct EncodedTbs<'a> {
    version: Option<u8>,
    signature_algorithm: Raw<'a>,
    issuer: Raw<'a>,
    this_update: Time,
    next_update: Option<Time>,
    revoked: Option<Vec<EncodedEntry<'a>>>,
    #[asn1(context_specific = "0", optional = "true")]
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

#[derive(Clone, Debug, Sequence)]
struct EncodedEntry<'a> {
    serial: IntRef<'a>,
    revoked: Time,
    extensions: Option<Vec<EncodedExtension<'a>>>,
}

/// The number that says v2.
const V2: u8 = 1;

impl TbsCrl {
    /// Fails for a distribution point that is not in ASCII.
    pub fn to_der(&self) -> Result<Vec<u8>, NameError> {
        let scope = issuing_distribution_point(&self.scope)?;
        let extensions: Vec<Extension> = [
            authority_key_identifier(&self.authority_key_identifier),
            crl_number(self.number),
        ]
        .into_iter()
        .chain(scope)
        .collect();
        let entries: Vec<_> = self.revoked.iter().map(RevokedCertificate::as_encoded).collect();
        Ok(encoding::encode(&EncodedTbs {
            version: Some(V2),
            signature_algorithm: Raw(self.signature_algorithm.der()),
            issuer: Raw(self.issuer.der()),
            this_update: encoded(self.this_update),
            next_update: Some(encoded(self.next_update)),
            // RFC 5280 §5.1.2.6: an empty list is left out.
            revoked: (!entries.is_empty()).then_some(entries),
            extensions: Some(extensions.iter().map(Extension::as_encoded).collect()),
        }))
    }

    /// Reads what a conforming authority writes: extensions that are not critical may be there besides those that must.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        let tbs: EncodedTbs<'_> = encoding::decode(der)?;
        if tbs.version != Some(V2) {
            return Err(CrlError::Version);
        }
        let extensions = each_once(tbs.extensions.as_deref().unwrap_or_default())?;
        understand(
            &extensions,
            &[
                oid::AUTHORITY_KEY_IDENTIFIER,
                oid::CRL_NUMBER,
                oid::ISSUING_DISTRIBUTION_POINT,
            ],
        )?;
        let algorithm = SignatureAlgorithm::from_der(tbs.signature_algorithm.0);
        Ok(Self {
            signature_algorithm: algorithm.ok_or(CrlError::UnknownAlgorithm)?,
            issuer: DistinguishedName::from_der(tbs.issuer.0)?,
            this_update: timestamp(tbs.this_update).ok_or(CrlError::Date)?,
            next_update: timestamp(tbs.next_update.ok_or(CrlError::NoNextUpdate)?).ok_or(CrlError::Date)?,
            number: required(&extensions, oid::CRL_NUMBER, read_crl_number)?,
            authority_key_identifier: required(
                &extensions,
                oid::AUTHORITY_KEY_IDENTIFIER,
                read_authority_key_identifier,
            )?,
            scope: scope(&extensions)?,
            revoked: entries(tbs.revoked)?,
        })
    }
}

impl RevokedCertificate {
    fn as_encoded(&self) -> EncodedEntry<'_> {
        EncodedEntry {
            serial: IntRef::new(self.serial.der_content()).expect("invariant: a serial is at most 20 octets"),
            revoked: encoded(self.revoked),
            extensions: self.reason.map(|reason| vec![reason.entry_extension()]),
        }
    }
}

/// In ascending order, whatever order they came in.
fn entries(encoded: Option<Vec<EncodedEntry<'_>>>) -> Result<Vec<RevokedCertificate>, CrlError> {
    let Some(encoded) = encoded else { return Ok(Vec::new()) };
    if encoded.is_empty() {
        return Err(CrlError::EmptyList);
    }
    let entries: Result<Vec<_>, _> = encoded.into_iter().map(entry).collect();
    let mut entries = entries?;
    if !entries.is_sorted_by(|a, b| a.serial < b.serial) {
        entries.sort_by(|a, b| a.serial.cmp(&b.serial));
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].serial == pair[1].serial) {
            return Err(CrlError::ListedTwice(twice[0].serial.clone()));
        }
    }
    Ok(entries)
}

fn entry(encoded: EncodedEntry<'_>) -> Result<RevokedCertificate, CrlError> {
    let serial = Serial::from_der_content(encoded.serial.as_bytes())?;
    let mut reason = None;
    if let Some(extensions) = encoded.extensions {
        let extensions = each_once(&extensions).map_err(|error| CrlError::Entry(serial.clone(), error))?;
        understand(&extensions, &[oid::REASON_CODE])?;
        if let Some(extension) = find(&extensions, &oid::REASON_CODE) {
            let read = Reason::from_der(&extension.value);
            reason = Some(read.ok_or_else(|| CrlError::Reason(serial.clone()))?);
        }
    }
    Ok(RevokedCertificate {
        revoked: timestamp(encoded.revoked).ok_or(CrlError::Date)?,
        serial,
        reason,
    })
}

/// RFC 5280 §5.2, §5.3: a critical extension is understood, or the list is of no use.
fn understand(extensions: &[Extension], understood: &[ObjectIdentifier]) -> Result<(), CrlError> {
    match extensions
        .iter()
        .find(|extension| extension.critical && !understood.contains(&extension.oid))
    {
        Some(unknown) => Err(CrlError::Critical(unknown.oid)),
        None => Ok(()),
    }
}

fn required<T>(
    extensions: &[Extension],
    oid: ObjectIdentifier,
    read: fn(&[u8]) -> Result<Option<T>, crate::extension::ExtensionError>,
) -> Result<T, CrlError> {
    let extension = find(extensions, &oid).ok_or(CrlError::Missing(oid))?;
    let value = read(&extension.value).map_err(|error| CrlError::Extension(oid, error))?;
    value.ok_or(CrlError::Missing(oid))
}

fn scope(extensions: &[Extension]) -> Result<Scope, CrlError> {
    const OID: ObjectIdentifier = oid::ISSUING_DISTRIBUTION_POINT;
    match find(extensions, &OID) {
        None => Ok(Scope::default()),
        Some(extension) => read_issuing_distribution_point(&extension.value)
            .map_err(|error| CrlError::Extension(OID, error))?
            .ok_or(CrlError::Critical(OID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::ExtensionError;

    pub(crate) fn example() -> TbsCrl {
        let entry = |last: u8, reason| RevokedCertificate {
            serial: Serial::from_random([last; 19]),
            revoked: "2026-03-01T12:00:00Z".parse().unwrap(),
            reason,
        };
        TbsCrl {
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: DistinguishedName::with_organization("Vidimus", "Issuing").unwrap(),
            this_update: "2026-03-02T00:00:00Z".parse().unwrap(),
            next_update: "2026-03-09T00:00:00Z".parse().unwrap(),
            number: 300,
            authority_key_identifier: vec![7; 20],
            scope: Scope {
                distribution_point: Some("http://crl.example.org/0.crl".into()),
                user_certificates_only: true,
            },
            revoked: vec![
                entry(1, None),
                entry(2, Some(Reason::KeyCompromise)),
                entry(3, Some(Reason::PrivilegeWithdrawn)),
            ],
        }
    }

    /// The list with other extensions than it would have.
    fn with_extensions(tbs: &TbsCrl, extensions: &[Extension]) -> Vec<u8> {
        let der = tbs.to_der().unwrap();
        let mut encoded: EncodedTbs<'_> = encoding::decode(&der).unwrap();
        encoded.extensions = Some(extensions.iter().map(Extension::as_encoded).collect());
        encoding::encode(&encoded)
    }

    fn extensions() -> Vec<Extension> {
        vec![authority_key_identifier(&[7; 20]), crl_number(300)]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let full = example();
        let empty = TbsCrl {
            revoked: Vec::new(),
            ..example()
        };
        let of_everything = TbsCrl {
            scope: Scope::default(),
            ..example()
        };
        for tbs in [full, empty, of_everything] {
            assert_eq!(TbsCrl::from_der(&tbs.to_der().unwrap()).unwrap(), tbs);
        }
    }

    // 5280-5-1, T19: the same change of encoding as in certificates
    #[test]
    fn t19_dates_are_written_in_the_encoding_of_their_year() {
        let tbs = TbsCrl {
            this_update: "2049-12-31T23:59:59Z".parse().unwrap(),
            next_update: "2050-01-07T23:59:59Z".parse().unwrap(),
            ..example()
        };
        let der = tbs.to_der().unwrap();
        let dates = b"\x17\x0d491231235959Z\x18\x0f20500107235959Z";
        assert!(der.windows(dates.len()).any(|window| window == dates));
        assert_eq!(TbsCrl::from_der(&der).unwrap(), tbs);
    }

    // 8555-7.6-7
    #[test]
    fn an_entry_without_reason_has_no_extensions() {
        let entry = encoding::encode(&example().revoked[0].as_encoded());
        assert_eq!(entry.len(), 2 + 22 + 15);
        let entry = encoding::encode(&example().revoked[1].as_encoded());
        assert!(entry.ends_with(b"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"));
    }

    #[test]
    fn a_serial_is_listed_once_and_any_order_is_read() {
        let mut tbs = example();
        tbs.revoked.reverse();
        assert_eq!(TbsCrl::from_der(&tbs.to_der().unwrap()).unwrap(), example());
        tbs.revoked.push(tbs.revoked[0].clone());
        let twice = tbs.revoked[0].serial.clone();
        assert_eq!(
            TbsCrl::from_der(&tbs.to_der().unwrap()),
            Err(CrlError::ListedTwice(twice))
        );
    }

    // 5280-5-1
    #[test]
    fn number_and_key_identifier_must_be_there() {
        let tbs = TbsCrl {
            scope: Scope::default(),
            ..example()
        };
        assert_eq!(TbsCrl::from_der(&with_extensions(&tbs, &extensions())).unwrap(), tbs);
        for missing in 0..2 {
            let kept = [extensions()[1 - missing].clone()];
            assert_eq!(
                TbsCrl::from_der(&with_extensions(&tbs, &kept)),
                Err(CrlError::Missing(extensions()[missing].oid))
            );
        }
        let twice = [extensions(), extensions()].concat();
        let refusal = CrlError::Extensions(ExtensionError::Duplicate(oid::AUTHORITY_KEY_IDENTIFIER));
        assert_eq!(TbsCrl::from_der(&with_extensions(&tbs, &twice)), Err(refusal));
    }

    // RFC 5280 §5.2
    #[test]
    fn a_critical_extension_that_is_not_understood_makes_a_list_useless() {
        let delta_crl_indicator: ObjectIdentifier = "2.5.29.27".parse().unwrap();
        let other = |oid, critical, value: &[u8]| Extension {
            oid,
            critical,
            value: value.to_vec(),
        };
        let with = |extension| {
            let extensions = [extensions(), vec![extension]].concat();
            TbsCrl::from_der(&with_extensions(&example(), &extensions))
        };
        let delta = other(delta_crl_indicator, true, &[2, 1, 1]);
        assert_eq!(with(delta), Err(CrlError::Critical(delta_crl_indicator)));
        let for_authorities = other(oid::ISSUING_DISTRIBUTION_POINT, true, b"\x30\x03\x82\x01\xff");
        assert_eq!(
            with(for_authorities),
            Err(CrlError::Critical(oid::ISSUING_DISTRIBUTION_POINT))
        );
        assert!(with(other("2.5.29.46".parse().unwrap(), false, b"\x30\x00")).is_ok());
    }

    #[test]
    fn an_empty_list_of_version_1_or_without_end_is_refused() {
        let der = example().to_der().unwrap();
        let encoded: EncodedTbs<'_> = encoding::decode(&der).unwrap();
        let mut other = encoded.clone();
        other.revoked = Some(Vec::new());
        assert_eq!(TbsCrl::from_der(&encoding::encode(&other)), Err(CrlError::EmptyList));
        let mut other = encoded.clone();
        other.version = None;
        assert_eq!(TbsCrl::from_der(&encoding::encode(&other)), Err(CrlError::Version));
        let mut other = encoded;
        other.next_update = None;
        assert_eq!(TbsCrl::from_der(&encoding::encode(&other)), Err(CrlError::NoNextUpdate));
    }
}
