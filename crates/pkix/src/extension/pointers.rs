//! Where to learn more: CRLs, the issuer, policies, and that there is nothing to learn
//! (RFC 5280 §4.2.1.13, §4.2.2.1, §4.2.1.4; RFC 9608).

use der::asn1::{Ia5String, Null};
use x509_cert::ext::pkix::AccessDescription;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName as Encoded};

use super::{Extension, ExtensionError, read_list};
use crate::name::NameError;
use crate::{ObjectIdentifier, encoding, oid};

/// One distribution point with one full name for each URI.
pub fn crl_distribution_points(uris: &[&str]) -> Result<Extension, NameError> {
    let point = |uri: &&str| {
        let name = DistributionPointName::FullName(vec![encoded_uri(uri)?]);
        Ok(DistributionPoint {
            distribution_point: Some(name),
            reasons: None,
            crl_issuer: None,
        })
    };
    let points: Result<Vec<_>, NameError> = uris.iter().map(point).collect();
    Ok(Extension {
        oid: oid::CRL_DISTRIBUTION_POINTS,
        critical: false,
        value: encoding::encode(&points?),
    })
}

/// The URIs of all points.
pub fn read_crl_distribution_points(value: &[u8]) -> Result<Vec<String>, ExtensionError> {
    let points: Vec<DistributionPoint> = read_list(value)?;
    let names = points.iter().flat_map(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => names.as_slice(),
        _ => &[],
    });
    Ok(names.filter_map(uri).collect())
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityInfoAccess {
    pub ca_issuers: Vec<String>,
    pub ocsp: Vec<String>,
}

/// Where the issuer's certificate is, and who answers about this one. Without either there is no extension.
pub fn authority_info_access(ca_issuers: Option<&str>, ocsp: Option<&str>) -> Result<Option<Extension>, NameError> {
    let mut descriptions = Vec::new();
    for (method, location) in [(oid::ACCESS_OCSP, ocsp), (oid::ACCESS_CA_ISSUERS, ca_issuers)] {
        if let Some(location) = location {
            descriptions.push(AccessDescription {
                access_method: method,
                access_location: encoded_uri(location)?,
            });
        }
    }
    let value = encoding::encode(&descriptions);
    Ok((!descriptions.is_empty()).then_some(Extension {
        oid: oid::AUTHORITY_INFO_ACCESS,
        critical: false,
        value,
    }))
}

pub fn read_authority_info_access(value: &[u8]) -> Result<AuthorityInfoAccess, ExtensionError> {
    let mut access = AuthorityInfoAccess::default();
    for description in read_list::<AccessDescription>(value)? {
        match (description.access_method, uri(&description.access_location)) {
            (oid::ACCESS_CA_ISSUERS, Some(uri)) => access.ca_issuers.push(uri),
            (oid::ACCESS_OCSP, Some(uri)) => access.ocsp.push(uri),
            _ => (),
        }
    }
    Ok(access)
}

/// Policies without qualifiers, which nobody shows anyone (Baseline Requirements 7.1.2.7.9 discourage them).
pub fn certificate_policies(policies: &[ObjectIdentifier]) -> Extension {
    let information = |policy: &ObjectIdentifier| PolicyInformation {
        policy_identifier: *policy,
        policy_qualifiers: None,
    };
    let policies: Vec<_> = policies.iter().map(information).collect();
    Extension {
        oid: oid::CERTIFICATE_POLICIES,
        critical: false,
        value: encoding::encode(&policies),
    }
}

pub fn read_certificate_policies(value: &[u8]) -> Result<Vec<ObjectIdentifier>, ExtensionError> {
    let policies: Vec<PolicyInformation> = read_list(value)?;
    Ok(policies.into_iter().map(|policy| policy.policy_identifier).collect())
}

/// RFC 9608 §2: this certificate will never be revoked, so do not ask.
pub fn no_rev_avail() -> Extension {
    Extension {
        oid: oid::NO_REV_AVAIL,
        critical: false,
        value: encoding::encode(&Null),
    }
}

pub fn read_no_rev_avail(value: &[u8]) -> Result<(), ExtensionError> {
    encoding::decode::<Null>(value)?;
    Ok(())
}

pub(crate) fn encoded_uri(uri: &str) -> Result<Encoded, NameError> {
    let text = Ia5String::new(uri).map_err(|_| NameError::NotAscii(uri.to_owned()))?;
    Ok(Encoded::UniformResourceIdentifier(text))
}

pub(crate) fn uri(name: &Encoded) -> Option<String> {
    match name {
        Encoded::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_and_read_alike() {
        let crl = "http://crl.example.org/1.crl";
        let extension = crl_distribution_points(&[crl]).unwrap();
        assert_eq!(&extension.value[..8], [0x30, 0x24, 0x30, 0x22, 0xa0, 0x20, 0xa0, 0x1e]);
        assert_eq!(read_crl_distribution_points(&extension.value).unwrap(), [crl]);

        let extension = authority_info_access(Some("http://ca.example.org/1.cer"), None)
            .unwrap()
            .unwrap();
        let access = read_authority_info_access(&extension.value).unwrap();
        assert_eq!(access.ca_issuers, ["http://ca.example.org/1.cer"]);
        assert!(access.ocsp.is_empty());
        assert_eq!(authority_info_access(None, None).unwrap(), None);

        let policy = "2.23.140.1.2.1".parse().unwrap();
        assert_eq!(
            read_certificate_policies(&certificate_policies(&[policy]).value).unwrap(),
            [policy]
        );
        assert!(crl_distribution_points(&["http://é/"]).is_err());
    }

    // REQUIREMENTS 14, 9608-2-1
    #[test]
    fn no_rev_avail_is_a_null_that_is_not_critical() {
        assert_eq!(
            no_rev_avail(),
            Extension {
                oid: oid::NO_REV_AVAIL,
                critical: false,
                value: vec![5, 0]
            }
        );
        assert!(read_no_rev_avail(&[5, 0]).is_ok());
        assert!(read_no_rev_avail(&[5, 1, 0]).is_err());
    }
}
