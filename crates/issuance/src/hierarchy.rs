//! Making an authority: a root, an issuing CA under it, and the certificate of the authority's own API.

use std::time::Duration;

use authority::ports::IssuanceFailure;
use jiff::Timestamp;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::{self, KeyUsage},
    key::KeyPair,
    lint::LintContext,
    name::{DistinguishedName, GeneralName, NameError},
    oid,
};

use crate::{linted::Linted, profile::ca_extensions};

/// What a new authority consists of. PEM throughout; the keys are for files of mode 0600.
pub struct NewAuthority {
    pub root: String,
    pub root_key: zeroize::Zeroizing<String>,
    pub issuing: String,
    pub issuing_key: zeroize::Zeroizing<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum HierarchyError {
    #[error("the name cannot stand in a certificate: {0}")]
    Name(#[from] NameError),
    #[error(transparent)]
    Issuance(#[from] IssuanceFailure),
    #[error("the dates are out of range")]
    Dates,
}

/// A P-384 root of twenty years and a P-256 issuing CA of ten. `label` tells authorities apart, for example six hex
/// digits; `random` becomes the serials.
pub fn create_authority(label: &str, random: [[u8; 19]; 2], now: Timestamp) -> Result<NewAuthority, HierarchyError> {
    let (root_key, issuing_key) = (KeyPair::generate_p384(), KeyPair::generate_p256());
    let root_name = DistinguishedName::with_organization("Vidimus", &format!("Vidimus Root {label}"))?;
    let issuing_name = DistinguishedName::with_organization("Vidimus", &format!("Vidimus Issuing CA {label}"))?;
    let signer = Signer {
        name: &root_name,
        key: &root_key,
        not_after: end(now, ROOT_YEARS)?,
    };
    let [root_serial, issuing_serial] = random;
    let root_id = root_key.public_key().key_identifier();
    let root = signer.sign(
        Wanted {
            serial: root_serial,
            subject: &root_name,
            key: &root_key,
            not_after: signer.not_after,
            extensions: ca_extensions(&root_id, &root_id, None),
            is_ca: true,
        },
        now,
    )?;
    let issuing_id = issuing_key.public_key().key_identifier();
    let issuing = signer.sign(
        Wanted {
            serial: issuing_serial,
            subject: &issuing_name,
            key: &issuing_key,
            not_after: end(now, ISSUING_YEARS)?,
            extensions: ca_extensions(&issuing_id, &root_id, Some(0)),
            is_ca: true,
        },
        now,
    )?;
    Ok(NewAuthority {
        root: pkix::pem::encode_certificate(&root),
        root_key: root_key.to_pkcs8_pem(),
        issuing: pkix::pem::encode_certificate(&issuing),
        issuing_key: issuing_key.to_pkcs8_pem(),
    })
}

/// The certificate of the API itself, signed by the root: the issuing CA signs nothing that is not in the record.
/// `(chain, key)`, DER and PKCS#8.
pub fn end_entity_for_api(
    root_pem: &str,
    root_key_pem: &str,
    names: &[GeneralName],
    random: [u8; 19],
    now: Timestamp,
) -> Result<(Vec<u8>, KeyPair), HierarchyError> {
    let unfit = |what: String| HierarchyError::Issuance(IssuanceFailure::Unavailable(what));
    let root = pkix::pem::parse_chain(root_pem).map_err(|error| unfit(format!("the root certificate: {error}")))?;
    let root = root
        .first()
        .ok_or_else(|| unfit("the root certificate's file is empty".into()))?;
    let root =
        pkix::certificate::Certificate::parse(root).map_err(|error| unfit(format!("the root certificate: {error}")))?;
    let root_key = KeyPair::from_pkcs8_pem(root_key_pem).map_err(|error| unfit(format!("the root key: {error}")))?;
    let key = KeyPair::generate_p256();
    let public = key.public_key();
    let extensions = vec![
        extension::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        extension::extended_key_usage(&[oid::SERVER_AUTH]),
        extension::basic_constraints(false, None),
        extension::subject_key_identifier(&public.key_identifier()),
        extension::authority_key_identifier(&root_key.public_key().key_identifier()),
        extension::subject_alternative_names(names, true)?,
    ];
    let signer = Signer {
        name: root.subject(),
        key: &root_key,
        not_after: root.not_after(),
    };
    let not_after = end(now, API_YEARS)?.min(root.not_after());
    let subject = DistinguishedName::empty();
    let wanted = Wanted {
        serial: random,
        subject: &subject,
        key: &key,
        not_after,
        extensions,
        is_ca: false,
    };
    Ok((signer.sign(wanted, now)?, key))
}

pub(crate) struct Signer<'a> {
    pub name: &'a DistinguishedName,
    pub key: &'a KeyPair,
    pub not_after: Timestamp,
}

pub(crate) struct Wanted<'a> {
    pub serial: [u8; 19],
    pub subject: &'a DistinguishedName,
    pub key: &'a KeyPair,
    pub not_after: Timestamp,
    pub extensions: Vec<extension::Extension>,
    pub is_ca: bool,
}

impl Signer<'_> {
    pub fn sign(&self, wanted: Wanted<'_>, now: Timestamp) -> Result<Vec<u8>, HierarchyError> {
        let not_before = now.checked_sub(BACKDATE).map_err(|_| HierarchyError::Dates)?;
        let tbs = TbsCertificate {
            serial: Serial::from_random(wanted.serial),
            signature_algorithm: self.key.algorithm(),
            issuer: self.name.clone(),
            not_before,
            not_after: wanted.not_after,
            subject: wanted.subject.clone(),
            public_key: wanted.key.public_key().clone(),
            extensions: wanted.extensions,
        };
        let context = LintContext {
            issuer_name_der: self.name.der(),
            issuer_key_identifier: &self.key.public_key().key_identifier(),
            issuer_not_after: self.not_after,
            signature_algorithm: self.key.algorithm(),
            is_ca: wanted.is_ca,
        };
        let linted = Linted::in_context(tbs.to_der(), &context)?;
        Ok(assemble(
            linted.bytes(),
            self.key.algorithm(),
            &self.key.sign(linted.bytes()),
        ))
    }
}

/// Both ends included (RFC 5280 §4.1.2.5).
pub(crate) fn end(now: Timestamp, years: u64) -> Result<Timestamp, HierarchyError> {
    let lifetime = Duration::from_secs(years * 365 * 24 * 60 * 60 - 1);
    let not_before = now.checked_sub(BACKDATE).map_err(|_| HierarchyError::Dates)?;
    not_before.checked_add(lifetime).map_err(|_| HierarchyError::Dates)
}

const ROOT_YEARS: u64 = 20;
const ISSUING_YEARS: u64 = 10;
const API_YEARS: u64 = 1;
/// For clocks that are behind.
const BACKDATE: Duration = Duration::from_secs(3600);
