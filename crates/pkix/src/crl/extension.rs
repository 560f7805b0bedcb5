//! The extensions that a list of ours has, besides authorityKeyIdentifier (RFC 5280 §5.2).

use der::asn1::UintRef;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;

use super::Scope;
use crate::extension::{Extension, ExtensionError, encoded_uri, uri};
use crate::name::NameError;
use crate::{DerError, encoding, oid};

/// cRLNumber: not critical, never smaller than that of an earlier list of the same scope (RFC 5280 §5.2.3).
pub fn crl_number(number: u64) -> Extension {
    Extension {
        oid: oid::CRL_NUMBER,
        critical: false,
        value: encoding::encode(&number),
    }
}

/// Nothing for a number beyond 64 bits; the document allows up to 20 octets.
pub fn read_crl_number(value: &[u8]) -> Result<Option<u64>, ExtensionError> {
    let number: UintRef<'_> = encoding::decode(value)?;
    let octets = number.as_bytes();
    let fits = octets.len() <= size_of::<u64>();
    Ok(fits.then(|| octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))))
}

/// issuingDistributionPoint: critical, so that a list for some is not taken for a list for all (RFC 5280 §5.2.5).
/// Nothing for a scope of everything.
pub fn issuing_distribution_point(scope: &Scope) -> Result<Option<Extension>, NameError> {
    if scope.is_everything() {
        return Ok(None);
    }
    // The same encoding as in the certificates: one full name, the URI.
    let name = scope.distribution_point.as_deref().map(encoded_uri).transpose()?;
    let value = IssuingDistributionPoint {
        distribution_point: name.map(|name| DistributionPointName::FullName(vec![name])),
        only_contains_user_certs: scope.user_certificates_only,
        only_contains_ca_certs: false,
        only_some_reasons: None,
        indirect_crl: false,
        only_contains_attribute_certs: false,
    };
    Ok(Some(Extension {
        oid: oid::ISSUING_DISTRIBUTION_POINT,
        critical: true,
        value: encoding::encode(&value),
    }))
}

/// The scope, or nothing for one of those that this crate does not read: authorities' or attribute certificates, some
/// reasons, indirect lists, several names or one that is not a URI.
pub fn read_issuing_distribution_point(value: &[u8]) -> Result<Option<Scope>, ExtensionError> {
    let read: IssuingDistributionPoint = encoding::decode(value)?;
    if read.only_contains_ca_certs
        || read.only_some_reasons.is_some()
        || read.indirect_crl
        || read.only_contains_attribute_certs
    {
        return Ok(None);
    }
    let distribution_point = match read.distribution_point {
        None => None,
        Some(DistributionPointName::FullName(names)) => match names.as_slice() {
            [name] => match uri(name) {
                Some(uri) => Some(uri),
                None => return Ok(None),
            },
            _ => return Ok(None),
        },
        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => return Ok(None),
    };
    let scope = Scope {
        distribution_point,
        user_certificates_only: read.only_contains_user_certs,
    };
    match scope.is_everything() {
        // RFC 5280 §5.2.5: never an empty sequence.
        true => Err(DerError::NotCanonical.into()),
        false => Ok(Some(scope)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::crl_distribution_points;

    const URL: &str = "http://crl.example.org/1.crl";

    fn scope(url: Option<&str>, user_certificates_only: bool) -> Scope {
        Scope {
            distribution_point: url.map(str::to_owned),
            user_certificates_only,
        }
    }

    // T30: the flags, octet by octet
    #[test]
    fn t30_the_scope_is_encoded_as_its_document_says() {
        let both = issuing_distribution_point(&scope(Some(URL), true)).unwrap().unwrap();
        assert!(both.critical);
        let expected = [
            &b"\x30\x25\xa0\x20\xa0\x1e\x86\x1c"[..],
            URL.as_bytes(),
            b"\x81\x01\xff",
        ]
        .concat();
        assert_eq!(both.value, expected);
        let flag_only = issuing_distribution_point(&scope(None, true)).unwrap().unwrap();
        assert_eq!(flag_only.value, b"\x30\x03\x81\x01\xff");
        let point_only = issuing_distribution_point(&scope(Some(URL), false)).unwrap().unwrap();
        assert_eq!(
            point_only.value,
            [&b"\x30\x22\xa0\x20\xa0\x1e\x86\x1c"[..], URL.as_bytes()].concat()
        );
        for (scope, extension) in [
            (scope(Some(URL), true), both),
            (scope(None, true), flag_only),
            (scope(Some(URL), false), point_only),
        ] {
            assert_eq!(read_issuing_distribution_point(&extension.value).unwrap(), Some(scope));
        }
        assert_eq!(issuing_distribution_point(&Scope::default()).unwrap(), None);
        assert!(issuing_distribution_point(&scope(Some("http://é/"), true)).is_err());
    }

    // RFC 5280 §5.2.5: "The identical encoding MUST be used".
    #[test]
    fn the_point_is_encoded_as_in_the_certificates() {
        let list = issuing_distribution_point(&scope(Some(URL), false)).unwrap().unwrap();
        let certificate = crl_distribution_points(&[URL]).unwrap();
        assert_eq!(list.value[2..], certificate.value[4..]);
    }

    // T30
    #[test]
    fn t30_scopes_that_are_not_ours_are_told_apart_from_damage() {
        let authorities = b"\x30\x03\x82\x01\xff";
        let some_reasons = b"\x30\x04\x83\x02\x06\x40";
        let indirect = b"\x30\x03\x84\x01\xff";
        let attributes = b"\x30\x03\x85\x01\xff";
        let a_host = b"\x30\x09\xa0\x07\xa0\x05\x82\x03a.b";
        for other in [&authorities[..], some_reasons, indirect, attributes, a_host] {
            assert_eq!(read_issuing_distribution_point(other).unwrap(), None, "{other:02x?}");
        }
        let nothing = b"\x30\x00";
        let default_written_out = b"\x30\x03\x81\x01\x00";
        let true_that_is_not_der = b"\x30\x03\x81\x01\x01";
        for damaged in [&nothing[..], default_written_out, true_that_is_not_der, b""] {
            assert!(read_issuing_distribution_point(damaged).is_err(), "{damaged:02x?}");
        }
    }

    #[test]
    fn numbers_are_positive_and_minimal() {
        for number in [0, 1, 127, 128, 255, 256, u64::MAX] {
            assert_eq!(read_crl_number(&crl_number(number).value).unwrap(), Some(number));
        }
        assert_eq!(crl_number(128).value, [2, 2, 0, 128]);
        assert_eq!(read_crl_number(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), None);
        assert!(read_crl_number(&[2, 1, 0x80]).is_err());
        assert!(read_crl_number(&[2, 2, 0, 1]).is_err());
    }
}
