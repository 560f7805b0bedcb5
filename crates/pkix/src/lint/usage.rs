//! Rules about what the key may be used for.

use super::examined::Examined;
use super::{LintContext, ensure};
use crate::extension::KeyUsage;
use crate::key::KeyKind;
use crate::oid;

pub(super) fn basic_constraints(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let constraints = examined.basic_constraints;
    let ca = constraints.is_some_and(|constraints| constraints.ca);
    ensure(ca == expected.is_ca, || match ca {
        true => "the certificate of a subscriber says cA".to_owned(),
        false => "the certificate of an authority does not say cA".to_owned(),
    })?;
    let path_length = constraints.and_then(|constraints| constraints.path_length);
    ensure(ca || path_length.is_none(), || "a path length without cA".to_owned())
}

pub(super) fn key_usage(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let Some(usage) = examined.key_usage else {
        // RFC 5280 §4.2.1.3 demands the extension of authorities.
        return ensure(!expected.is_ca, || "an authority has no keyUsage".to_owned());
    };
    let issuing = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
    match expected.is_ca {
        true => ensure(usage.contains(KeyUsage::KEY_CERT_SIGN), || {
            format!("an authority with {usage:?}")
        })?,
        false => ensure(!usage.intersects(issuing), || format!("a subscriber with {usage:?}"))?,
    }
    let only = KeyUsage::ENCIPHER_ONLY | KeyUsage::DECIPHER_ONLY;
    ensure(
        !usage.intersects(only) || usage.contains(KeyUsage::KEY_AGREEMENT),
        || format!("{usage:?} means nothing"),
    )?;
    let Ok(key) = &examined.key else {
        return Ok(());
    };
    let encipherment = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT;
    let impossible = match key.kind() {
        KeyKind::Rsa { .. } => KeyUsage::KEY_AGREEMENT | only,
        KeyKind::EcP256 | KeyKind::EcP384 => encipherment,
        KeyKind::Ed25519 => encipherment | KeyUsage::KEY_AGREEMENT | only,
    };
    ensure(!usage.intersects(impossible), || {
        format!("{usage:?} for a key of {}", key.kind())
    })
}

pub(super) fn extended_key_usage(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let Some(purposes) = &examined.purposes else {
        // A certificate without purposes serves every purpose. Those for telephone numbers are not tied to one.
        let free = expected.is_ca || examined.extension(&oid::TN_AUTH_LIST).is_some();
        return ensure(free, || "a subscriber's certificate says no purpose".to_owned());
    };
    let twice = purposes
        .iter()
        .enumerate()
        .find(|(position, purpose)| purposes[..*position].contains(purpose));
    ensure(twice.is_none(), || "a purpose is there twice".to_owned())?;
    if expected.is_ca {
        return Ok(());
    }
    ensure(!purposes.contains(&oid::ANY_EXTENDED_KEY_USAGE), || {
        "a subscriber with any purpose".to_owned()
    })?;
    // Whoever signs OCSP responses speaks for the issuer.
    let ocsp = purposes.contains(&oid::OCSP_SIGNING);
    ensure(!ocsp || purposes.len() == 1, || {
        "OCSP signing beside another purpose".to_owned()
    })?;

    let signature = KeyUsage::DIGITAL_SIGNATURE;
    let agreement = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT;
    for purpose in purposes {
        let needed = match *purpose {
            oid::SERVER_AUTH => signature | agreement,
            oid::CLIENT_AUTH => signature | KeyUsage::KEY_AGREEMENT,
            oid::EMAIL_PROTECTION => signature | KeyUsage::NON_REPUDIATION | agreement,
            oid::OCSP_SIGNING => signature | KeyUsage::NON_REPUDIATION,
            _ => continue,
        };
        let consistent = examined.key_usage.is_none_or(|usage| usage.intersects(needed));
        ensure(consistent, || {
            format!(
                "the purpose {purpose} with {:?}",
                examined.key_usage.unwrap_or(KeyUsage::NONE)
            )
        })?;
    }
    Ok(())
}
