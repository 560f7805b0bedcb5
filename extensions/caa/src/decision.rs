//! From the records of one set to a yes or a no. Pure.

use std::fmt;

use validation::{
    excerpt,
    issue_value::{IssueValue, NotAnIssueValue},
};

use crate::property::{Property, Unreadable};

/// What is about to be issued, and by whom for whom.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub scope: Scope,
    /// The names by which records mean this authority, in lower case.
    pub identities: &'a [String],
    /// The URL of the account that asks (RFC 8657 §3.1).
    pub account: &'a str,
    /// The label of the method by which control was proved (RFC 8657 §4).
    pub method: &'a str,
}

/// Which properties count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A domain name: `issue`.
    Name,
    /// A wildcard: `issuewild`, or `issue` where there is none (RFC 8659 §4.3).
    Wildcard,
    /// A mailbox: `issuemail` (RFC 9495 §4).
    Mail,
}

/// A yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// No record of the set restricts what is asked.
    Unrestricted,
    /// By this record.
    By(String),
}

/// A record that does not permit what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its tag in lower case; empty when it cannot be read.
    pub tag: String,
    /// In presentation form.
    pub record: String,
    pub why: Objection,
}

/// Why it does not. Each is the end of a sentence that begins with the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    #[error("cannot be read: {0}")]
    Unreadable(Unreadable),
    #[error("is critical, and this authority does not know its tag")]
    Critical,
    #[error("is not in the form of RFC 8659 §4.2 ({0}), so it permits nobody")]
    Malformed(NotAnIssueValue),
    #[error("permits nobody")]
    Nobody,
    #[error("permits {0}")]
    Another(String),
    #[error("has the parameter {0:?}, which this authority does not know, so it permits nothing")]
    Parameter(String),
    #[error("has accounturi more than once, so it permits no account")]
    Accounts,
    #[error("permits another account")]
    AnotherAccount,
    #[error("has validationmethods more than once or not as a list of labels, so it permits no method")]
    MethodList,
    #[error("permits no validation method")]
    NoMethod,
    #[error("permits validation by {0} only")]
    AnotherMethod(String),
}

/// Decides by a set of records' data, which is the one that counts for the name. `Err` has every record that would
/// have had to permit it, and has at least one.
pub fn decide(records: &[Vec<u8>], asked: &Asked<'_>) -> Result<Permission, Vec<Refused>> {
    let mut properties = Vec::new();
    let mut barriers = Vec::new();
    for data in records {
        match Property::read(data) {
            // RFC 8659 §4.5, whatever else the set permits.
            Ok(property) if property.is_critical() && !KNOWN.contains(&property.tag.as_str()) => {
                barriers.push(Refused::of(&property, Objection::Critical));
            }
            Ok(property) => properties.push(property),
            Err(why) => barriers.push(Refused {
                tag: String::new(),
                record: Property::show(data),
                why: Objection::Unreadable(why),
            }),
        }
    }
    if !barriers.is_empty() {
        return Err(barriers);
    }
    // Each property stands alone: one that permits is enough (RFC 8659 §4.2, RFC 8657 §3).
    let mut refused = Vec::new();
    for property in asked.scope.among(&properties) {
        match objection(property, asked) {
            None => return Ok(Permission::By(property.to_string())),
            Some(why) => refused.push(Refused::of(property, why)),
        }
    }
    match refused.is_empty() {
        true => Ok(Permission::Unrestricted),
        false => Err(refused),
    }
}

impl Scope {
    /// The properties that count.
    fn among(self, properties: &[Property]) -> Vec<&Property> {
        let tagged = |tag: &str| {
            properties
                .iter()
                .filter(|property| property.tag == tag)
                .collect::<Vec<_>>()
        };
        match self {
            Self::Name => tagged("issue"),
            Self::Mail => tagged("issuemail"),
            Self::Wildcard => match tagged("issuewild") {
                none if none.is_empty() => tagged("issue"),
                wild => wild,
            },
        }
    }

    /// The tag of a record that would permit it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Name | Self::Wildcard => "issue",
            Self::Mail => "issuemail",
        }
    }
}

fn objection(property: &Property, asked: &Asked<'_>) -> Option<Objection> {
    let value = match IssueValue::parse(&property.value) {
        Ok(value) => value,
        Err(why) => return Some(Objection::Malformed(why)),
    };
    let Some(issuer) = &value.issuer else {
        return Some(Objection::Nobody);
    };
    if !asked.identities.contains(issuer) {
        return Some(Objection::Another(excerpt::plain(issuer.as_bytes(), SHOWN)));
    }
    let restrictions = [accounts(&value, asked.account), methods(&value, asked.method)];
    restrictions.into_iter().flatten().next().or_else(|| unknown(&value))
}

/// RFC 8657 §3.
fn accounts(value: &IssueValue, account: &str) -> Option<Objection> {
    let named: Vec<_> = value.values(ACCOUNT_URI).collect();
    match named.as_slice() {
        [] => None,
        [only] => (*only != account).then_some(Objection::AnotherAccount),
        _ => Some(Objection::Accounts),
    }
}

/// RFC 8657 §4.
fn methods(value: &IssueValue, method: &str) -> Option<Objection> {
    let lists: Vec<_> = value.values(VALIDATION_METHODS).collect();
    let list = match lists.as_slice() {
        [] => return None,
        [""] => return Some(Objection::NoMethod),
        [only] => only,
        _ => return Some(Objection::MethodList),
    };
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let labels: Vec<_> = list.split(',').collect();
    if !labels.iter().all(|label| is_label(label)) {
        return Some(Objection::MethodList);
    }
    let other = || Objection::AnotherMethod(excerpt::plain(labels.join(", ").as_bytes(), SHOWN));
    (!labels.contains(&method)).then(other)
}

/// Somebody restricts, in words that mean nothing here: the restriction cannot be kept, so nothing is issued. Parameters
/// are the issuer's to define (RFC 8659 §4.2), and a misspelt `accounturi` must not be none.
fn unknown(value: &IssueValue) -> Option<Objection> {
    let known = [ACCOUNT_URI, VALIDATION_METHODS];
    let stranger = value
        .parameters
        .iter()
        .find(|parameter| !known.contains(&parameter.tag.as_str()))?;
    Some(Objection::Parameter(excerpt::plain(stranger.tag.as_bytes(), SHOWN)))
}

impl Refused {
    fn of(property: &Property, why: Objection) -> Self {
        Self {
            tag: property.tag.clone(),
            record: property.to_string(),
            why,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.record, self.why)
    }
}

const ACCOUNT_URI: &str = "accounturi";
const VALIDATION_METHODS: &str = "validationmethods";

/// The tags whose meaning is kept here. `iodef` says whom to tell and forbids nothing (RFC 8659 §4.4).
const KNOWN: &[&str] = &["issue", "issuewild", "issuemail", "iodef"];

/// RFC 1035 §2.3.4: no name is longer.
const SHOWN: usize = 253;
