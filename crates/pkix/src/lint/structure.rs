//! Rules about the fields around names and usages.

use super::examined::Examined;
use super::{LintContext, ensure};
use crate::ObjectIdentifier;
use crate::certificate::{Serial, V3};
use crate::key::SignatureAlgorithm;
use crate::name::DistinguishedName;
use crate::oid;

pub(super) fn version(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let version = examined.tbs.version;
    ensure(version == V3, || format!("the version is v{}", u16::from(version) + 1))
}

/// 64 random bits cannot be counted in one number, but a number that is shorter cannot hold them.
pub(super) fn serial(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let serial = Serial::from_der_content(examined.tbs.serial.as_bytes()).map_err(|error| error.to_string())?;
    ensure(serial.magnitude().len() >= 8, || {
        format!("{serial} has less than 64 bits")
    })
}

pub(super) fn signature_algorithm(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let found = examined.tbs.signature_algorithm.0;
    ensure(
        found == expected.signature_algorithm.der(),
        || match SignatureAlgorithm::from_der(found) {
            Some(other) => format!("{other} in place of {}", expected.signature_algorithm),
            None => format!("an unknown algorithm in place of {}", expected.signature_algorithm),
        },
    )
}

/// Chains are built by comparing names octet by octet.
pub(super) fn issuer(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let issuer = DistinguishedName::from_der(examined.tbs.issuer.0).map_err(|error| error.to_string())?;
    ensure(!issuer.is_empty(), || "the issuer has no name".to_owned())?;
    ensure(issuer.der() == expected.issuer_name_der, || {
        format!("{issuer} is not the name in the issuer's certificate")
    })
}

pub(super) fn public_key(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let key = examined.key.as_ref().map_err(ToString::to_string)?;
    key.weakness().map_or(Ok(()), |weakness| Err(weakness.to_string()))
}

pub(super) fn duplicate_extension(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let oids: Vec<_> = examined.extensions.iter().map(|extension| extension.oid).collect();
    let twice = oids
        .iter()
        .enumerate()
        .find(|(position, oid)| oids[..*position].contains(oid));
    twice.map_or(Ok(()), |(_, oid)| Err(format!("{oid} is there twice")))
}

/// What this crate can write, name constraints, and the poison that makes a precertificate useless.
const KNOWN_CRITICAL: &[ObjectIdentifier] = &[
    oid::KEY_USAGE,
    oid::SUBJECT_ALTERNATIVE_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::EXTENDED_KEY_USAGE,
    oid::ACME_IDENTIFIER,
    oid::PRECERTIFICATE_POISON,
];

/// Nobody would accept the certificate.
pub(super) fn unknown_critical_extension(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let mut critical = examined.extensions.iter().filter(|extension| extension.critical);
    let unknown = critical.find(|extension| !KNOWN_CRITICAL.contains(&extension.oid) && !must_not(&extension.oid));
    unknown.map_or(Ok(()), |extension| {
        Err(format!("{} is critical and not known here", extension.oid))
    })
}

pub(super) fn extension_content(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let illegible = examined.illegible.first();
    illegible.map_or(Ok(()), |(oid, error)| Err(format!("{oid}: {error}")))
}

fn must_not(oid: &ObjectIdentifier) -> bool {
    const MUST_NOT_BE_CRITICAL: &[ObjectIdentifier] = &[
        oid::SUBJECT_KEY_IDENTIFIER,
        oid::AUTHORITY_KEY_IDENTIFIER,
        oid::AUTHORITY_INFO_ACCESS,
        oid::CRL_DISTRIBUTION_POINTS,
        oid::NO_REV_AVAIL,
        oid::TN_AUTH_LIST,
    ];
    MUST_NOT_BE_CRITICAL.contains(oid)
}

pub(super) fn criticality(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    for extension in &examined.extensions {
        let must = match extension.oid {
            oid::KEY_USAGE | oid::ACME_IDENTIFIER | oid::NAME_CONSTRAINTS | oid::PRECERTIFICATE_POISON => true,
            oid::BASIC_CONSTRAINTS => expected.is_ca,
            _ => false,
        };
        ensure(extension.critical || !must, || {
            format!("{} is not critical", extension.oid)
        })?;
        ensure(!extension.critical || !must_not(&extension.oid), || {
            format!("{} is critical", extension.oid)
        })?;
    }
    Ok(())
}
