//! Rules about the subject and its alternative names.

use super::examined::Examined;
use super::syntax::name_fault;
use super::{LintContext, ensure};
use crate::name::GeneralName;
use crate::oid;

/// ub-common-name (RFC 5280 A.1).
const LONGEST_COMMON_NAME: usize = 64;

pub(super) fn subject(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let subject = examined.subject.as_ref().map_err(ToString::to_string)?;
    ensure(!expected.is_ca || !subject.is_empty(), || {
        "an authority has no name".to_owned()
    })?;
    let names = subject.common_names().map_err(|error| error.to_string())?;
    let long = names.iter().find(|name| name.chars().count() > LONGEST_COMMON_NAME);
    long.map_or(Ok(()), |name| {
        Err(format!(
            "the common name {name:?} has more than {LONGEST_COMMON_NAME} characters"
        ))
    })
}

pub(super) fn alternative_names(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let Some(extension) = examined.extension(&oid::SUBJECT_ALTERNATIVE_NAME) else {
        // RFC 8226 §4 puts telephone numbers in the place of names.
        let free = expected.is_ca || examined.extension(&oid::TN_AUTH_LIST).is_some();
        return ensure(free, || "a subscriber's certificate has no names".to_owned());
    };
    let empty = examined.tbs.subject.0 == [0x30, 0x00];
    ensure(extension.critical == empty, || match empty {
        true => "the subject is empty, and its alternative names are not critical".to_owned(),
        false => "there is a subject, and its alternative names are critical".to_owned(),
    })?;
    let names = &examined.names;
    let twice = names
        .iter()
        .enumerate()
        .find(|(position, name)| names[..*position].contains(name));
    twice.map_or(Ok(()), |(_, name)| Err(format!("{name} is there twice")))
}

pub(super) fn syntax(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let fault = examined
        .names
        .iter()
        .find_map(|name| name_fault(name).map(|fault| (name, fault)));
    fault.map_or(Ok(()), |(name, fault)| Err(format!("{name}: {fault}")))
}

/// The common name of a subscriber repeats one of the alternative names and adds none. Where there are no alternative
/// names, as with telephone numbers, it names a person or a company.
pub(super) fn common_name(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let Some(Ok(common_names)) = examined.subject.as_ref().ok().map(|subject| subject.common_names()) else {
        return Ok(());
    };
    if expected.is_ca || examined.names.is_empty() {
        return Ok(());
    }
    ensure(common_names.len() <= 1, || {
        format!("{} common names", common_names.len())
    })?;
    let repeated = |common_name: &str| {
        examined
            .names
            .iter()
            .any(|name| text(name).as_deref() == Some(common_name))
    };
    let other = common_names.iter().find(|common_name| !repeated(common_name));
    other.map_or(Ok(()), |name| {
        Err(format!("the common name {name:?} is none of the alternative names"))
    })
}

fn text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Dns(text) | GeneralName::Email(text) | GeneralName::Uri(text) => Some(text.clone()),
        GeneralName::Ip(address) => Some(address.to_string()),
        other => other.as_smtp_utf8_mailbox().map(str::to_owned),
    }
}
