//! Profiles: recipes that decide every byte. A CSR gives its key and its names, nothing else.

use std::time::Duration;

use authority::ports::{IssuanceFailure, IssuanceRequest};
use jiff::{SignedDuration, Timestamp};
use pkix::{
    certificate::{Serial, TbsCertificate},
    extension::{self, Extension, KeyUsage},
    key::KeyKind,
    name::{DistinguishedName, GeneralName},
    oid,
};

use crate::Issuer;

/// A recipe for end-entity certificates of TLS servers.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    pub issuer: String,
    /// From notBefore to notAfter, both included: the certificate says one second less (RFC 5280 §4.1.2.5).
    pub lifetime: Duration,
    /// How far notBefore lies in the past, for clocks that are behind.
    pub backdate: Duration,
    /// Whether the first DNS name of at most 64 characters becomes the common name.
    pub common_name: bool,
    pub client_auth: bool,
}

impl Profile {
    pub(crate) fn to_be_signed(
        &self,
        request: &IssuanceRequest<'_>,
        serial: Serial,
        issuer: &Issuer,
    ) -> Result<TbsCertificate, IssuanceFailure> {
        let (not_before, not_after) = self.validity(request.now, issuer)?;
        let subject = self.subject(request)?;
        let key = request.csr.public_key();
        let names: Vec<GeneralName> = request
            .names
            .iter()
            .map(|(_, general_name)| general_name.clone())
            .collect();
        let mut extensions = vec![
            extension::key_usage(key_usage(key.kind())),
            extension::extended_key_usage(self.purposes()),
            extension::basic_constraints(false, None),
            extension::subject_key_identifier(&key.key_identifier()),
            extension::authority_key_identifier(&issuer.key_identifier()),
        ];
        extensions.extend(issuer.urls().extensions());
        let names = extension::subject_alternative_names(&names, subject.is_empty());
        extensions.push(names.map_err(|error| IssuanceFailure::Refused(error.to_string()))?);
        Ok(TbsCertificate {
            serial,
            signature_algorithm: issuer.algorithm(),
            issuer: issuer.subject().clone(),
            not_before,
            not_after,
            subject,
            public_key: key.clone(),
            extensions,
        })
    }

    /// INCIDENTS T19: exact, minus the one second that "inclusive" means; T24: never beyond the issuer.
    fn validity(&self, now: Timestamp, issuer: &Issuer) -> Result<(Timestamp, Timestamp), IssuanceFailure> {
        let overflow =
            |_| IssuanceFailure::Unavailable(format!("profile {:?}: the lifetime ends after time does", self.name));
        let not_before = now.checked_sub(self.backdate).map_err(overflow)?;
        let not_after = not_before.checked_add(self.lifetime).map_err(overflow)?;
        let not_after = not_after.checked_sub(SignedDuration::from_secs(1)).map_err(overflow)?;
        if not_after > issuer.not_after() {
            return Err(IssuanceFailure::Unavailable(format!(
                "the issuer {:?} ends at {}, before a certificate of profile {:?} would",
                issuer.name(),
                issuer.not_after(),
                self.name
            )));
        }
        Ok((not_before.max(issuer.not_before()), not_after))
    }

    fn subject(&self, request: &IssuanceRequest<'_>) -> Result<DistinguishedName, IssuanceFailure> {
        // RFC 5280 appendix A.1: ub-common-name is 64.
        let dns_names = request.names.iter().filter_map(|(_, name)| match name {
            GeneralName::Dns(name) if name.len() <= 64 => Some(name),
            _ => None,
        });
        match dns_names.into_iter().next() {
            Some(name) if self.common_name => DistinguishedName::with_common_name(name)
                .map_err(|error| IssuanceFailure::Refused(format!("{name:?} is no common name: {error}"))),
            _ => Ok(DistinguishedName::empty()),
        }
    }

    fn purposes(&self) -> &'static [pkix::ObjectIdentifier] {
        if self.client_auth {
            &[oid::SERVER_AUTH, oid::CLIENT_AUTH]
        } else {
            &[oid::SERVER_AUTH]
        }
    }
}

/// RSA keys may also transport keys (RFC 5246); elliptic ones only sign.
fn key_usage(kind: KeyKind) -> KeyUsage {
    match kind {
        KeyKind::Rsa { .. } => KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT,
        KeyKind::EcP256 | KeyKind::EcP384 | KeyKind::Ed25519 => KeyUsage::DIGITAL_SIGNATURE,
    }
}

/// An issuer's own extensions follow the same house rules.
pub(crate) fn ca_extensions(
    key_identifier: &[u8; 20],
    issuer_key_identifier: &[u8; 20],
    path_length: Option<u8>,
) -> Vec<Extension> {
    vec![
        extension::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN | KeyUsage::DIGITAL_SIGNATURE),
        extension::basic_constraints(true, path_length),
        extension::subject_key_identifier(key_identifier),
        extension::authority_key_identifier(issuer_key_identifier),
    ]
}
