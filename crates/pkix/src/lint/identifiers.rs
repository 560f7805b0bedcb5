//! Rules about key identifiers and the ways to learn of a revocation.

use super::examined::Examined;
use super::{LintContext, ensure};
use crate::extension;
use crate::oid;

/// Without it a chain cannot be built where an authority has two keys of one name. A root may leave it out.
pub(super) fn authority(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    match &examined.authority_key_identifier {
        Some(identifier) => ensure(identifier == expected.issuer_key_identifier, || {
            format!("{} is not the issuer's key", crate::hex::encode(identifier))
        }),
        None => {
            let root = examined.is_self_issued()
                && examined.subject_key_identifier.as_deref() == Some(expected.issuer_key_identifier);
            ensure(root, || "the issuer's key is not named".to_owned())
        }
    }
}

pub(super) fn subject(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    match (&examined.subject_key_identifier, &examined.key) {
        (Some(identifier), Ok(key)) => ensure(*identifier == key.key_identifier(), || {
            format!("{} is not the SHA-1 of the key", crate::hex::encode(identifier))
        }),
        (None, _) => ensure(!expected.is_ca, || "an authority's key is not named".to_owned()),
        (Some(_), Err(_)) => Ok(()),
    }
}

// 9608-2-1
pub(super) fn no_revocation_information(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    if examined.extension(&oid::NO_REV_AVAIL).is_none() {
        return Ok(());
    }
    ensure(!expected.is_ca, || {
        "an authority says that it will not be revoked".to_owned()
    })?;
    let crl = examined.extension(&oid::CRL_DISTRIBUTION_POINTS);
    ensure(crl.is_none(), || {
        "noRevAvail beside a CRL distribution point".to_owned()
    })?;
    let access = examined.extension(&oid::AUTHORITY_INFO_ACCESS);
    let access = access.and_then(|access| extension::read_authority_info_access(&access.value).ok());
    let ocsp = access.is_some_and(|access| !access.ocsp.is_empty());
    ensure(!ocsp, || "noRevAvail beside an OCSP responder".to_owned())
}
