//! Rules that what is about to be signed must keep. They are asked before the signature, while a mistake is cheap.
//!
//! A rule is a row: its name, the sentence it holds to, and a function. The examined octets are those that will be
//! signed, read anew, so that a fault of the code that wrote them is found as well.

mod dates;
mod examined;
mod identifiers;
mod names;
mod structure;
mod syntax;
mod usage;

use jiff::Timestamp;

use crate::key::SignatureAlgorithm;
use examined::Examined;

/// What the certificate must agree with.
#[derive(Clone, Debug)]
pub struct LintContext<'a> {
    /// The issuer's subject as it stands in its certificate.
    pub issuer_name_der: &'a [u8],
    /// The issuer's subjectKeyIdentifier.
    pub issuer_key_identifier: &'a [u8],
    pub issuer_not_after: Timestamp,
    /// What the issuer's key signs with.
    pub signature_algorithm: SignatureAlgorithm,
    /// Whether a certificate of an authority is wanted.
    pub is_ca: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub detail: String,
}

pub struct Rule {
    pub name: &'static str,
    pub document: &'static str,
    check: fn(&Examined<'_>, &LintContext<'_>) -> Result<(), String>,
}

/// All rules, in the order of the fields they are about.
pub const RULES: &[Rule] = &[
    rule("version", "RFC 5280 §4.1.2.1", structure::version),
    rule(
        "serial",
        "RFC 5280 §4.1.2.2, Baseline Requirements 7.1",
        structure::serial,
    ),
    rule(
        "signature-algorithm",
        "RFC 5280 §4.1.1.2",
        structure::signature_algorithm,
    ),
    rule("issuer", "RFC 5280 §4.1.2.4", structure::issuer),
    rule("date-encoding", "RFC 5280 §4.1.2.5", dates::encoding),
    rule("date-order", "RFC 5280 §4.1.2.5", dates::order),
    rule("issuer-outlived", "RFC 5280 §6.1.3 (a)(2)", dates::within_issuer),
    rule("subject", "RFC 5280 §4.1.2.6", names::subject),
    rule(
        "public-key",
        "Baseline Requirements 6.1.5, 6.1.6",
        structure::public_key,
    ),
    rule("duplicate-extension", "RFC 5280 §4.2", structure::duplicate_extension),
    rule(
        "unknown-critical-extension",
        "RFC 5280 §4.2",
        structure::unknown_critical_extension,
    ),
    rule("extension-content", "RFC 5280 §4.2", structure::extension_content),
    rule(
        "criticality",
        "RFC 5280 §4.2.1, RFC 8737 §3, RFC 9608 §2",
        structure::criticality,
    ),
    rule("basic-constraints", "RFC 5280 §4.2.1.9", usage::basic_constraints),
    rule(
        "key-usage",
        "RFC 5280 §4.2.1.3, RFC 3279 §2.3.1, RFC 8410 §5, RFC 8813 §3",
        usage::key_usage,
    ),
    rule("extended-key-usage", "RFC 5280 §4.2.1.12", usage::extended_key_usage),
    rule("authority-key-identifier", "RFC 5280 §4.2.1.1", identifiers::authority),
    rule("subject-key-identifier", "RFC 5280 §4.2.1.2", identifiers::subject),
    rule(
        "subject-alternative-name",
        "RFC 5280 §4.2.1.6",
        names::alternative_names,
    ),
    rule(
        "name-syntax",
        "RFC 5280 §4.2.1.6, RFC 4985 §2, RFC 9598 §3",
        names::syntax,
    ),
    rule("common-name", "Baseline Requirements 7.1.4.3", names::common_name),
    rule(
        "no-revocation-information",
        "RFC 9608 §3",
        identifiers::no_revocation_information,
    ),
];

/// The name of the finding that leaves nothing to examine.
const DER: &str = "der";

type Check = fn(&Examined<'_>, &LintContext<'_>) -> Result<(), String>;

const fn rule(name: &'static str, document: &'static str, check: Check) -> Rule {
    Rule { name, document, check }
}

/// What is wrong with a TBSCertificate; nothing, if it may be signed.
pub fn lint(tbs_der: &[u8], expectation: &LintContext<'_>) -> Vec<Finding> {
    let examined = match Examined::read(tbs_der) {
        Ok(examined) => examined,
        Err(error) => {
            return vec![Finding {
                rule: DER,
                detail: error.to_string(),
            }];
        }
    };
    let checked = RULES
        .iter()
        .map(|rule| (rule.name, (rule.check)(&examined, expectation)));
    checked
        .filter_map(|(rule, verdict)| verdict.err().map(|detail| Finding { rule, detail }))
        .collect()
}

/// Says what was seen unless the condition holds.
fn ensure(condition: bool, detail: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(detail()) }
}

#[cfg(test)]
mod tests;
