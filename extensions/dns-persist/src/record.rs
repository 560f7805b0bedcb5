//! What the records of a name prove (§4 of the draft). Pure.

use acme::ProblemType;
use validation::{attempt::Failure, issue_value::IssueValue};

/// What has to stand in a record.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// One of these, as they were offered.
    pub issuers: &'a [String],
    pub account_url: &'a str,
    /// Then `policy=wildcard` must be there (§5).
    pub wildcard: bool,
    /// In seconds since 1970.
    pub now: i64,
}

/// One record that proves it is enough; those for other authorities do not count (§4.1.2).
pub fn judge(at: &str, records: &[Vec<u8>], asked: &Asked<'_>) -> Result<(), Failure> {
    let mut objections = Vec::new();
    for record in records {
        match objection(record, asked) {
            Finding::Proves => return Ok(()),
            Finding::Foreign => {}
            Finding::Lacks(kind, why) => objections.push((kind, why)),
        }
    }
    let wanted = asked.wanted();
    let (kind, why) = match objections.as_slice() {
        [] => (
            ProblemType::Unauthorized,
            format!("no TXT record there names {}", asked.issuers.join(" or ")),
        ),
        objections => {
            // Something that is right but for one thing says more than something that cannot be read.
            let malformed = objections.iter().all(|(kind, _)| *kind == ProblemType::Malformed);
            let kind = if malformed {
                ProblemType::Malformed
            } else {
                ProblemType::Unauthorized
            };
            let listed: Vec<_> = objections.iter().take(LISTED).map(|(_, why)| *why).collect();
            (kind, listed.join("; "))
        }
    };
    Err(Failure::lasting(
        kind,
        format!("At {at}: {why}. It should be \"{wanted}\"."),
    ))
}

enum Finding {
    Proves,
    /// For another authority, or for nothing that has to do with this.
    Foreign,
    Lacks(ProblemType, &'static str),
}

fn objection(record: &[u8], asked: &Asked<'_>) -> Finding {
    use ProblemType::{Malformed, Unauthorized};
    let value = match IssueValue::parse(record) {
        Ok(value) => value,
        Err(_) if asked.is_meant(record) => {
            return Finding::Lacks(
                Malformed,
                "the record for this authority is not in the form of RFC 8659 §4.2",
            );
        }
        Err(_) => return Finding::Foreign,
    };
    if !value
        .issuer
        .as_ref()
        .is_some_and(|issuer| asked.issuers.contains(issuer))
    {
        return Finding::Foreign;
    }
    let twice = |(at, parameter): (usize, &validation::issue_value::Parameter)| {
        value.parameters[..at].iter().any(|other| other.tag == parameter.tag)
    };
    if value.parameters.iter().enumerate().any(twice) {
        return Finding::Lacks(Malformed, "a parameter stands in the record more than once");
    }
    let only = |tag| value.values(tag).next();
    let Some(account) = only("accounturi") else {
        return Finding::Lacks(Malformed, "the record has no accounturi");
    };
    if account != asked.account_url {
        return Finding::Lacks(Unauthorized, "the record is for another account");
    }
    match only("persistuntil").map(seconds) {
        Some(None) => return Finding::Lacks(Malformed, "persistUntil is not a number of seconds"),
        Some(Some(until)) if asked.now > until => {
            return Finding::Lacks(Unauthorized, "the record's persistUntil has passed");
        }
        _ => {}
    }
    let covers_wildcards = only("policy").is_some_and(|policy| policy.eq_ignore_ascii_case("wildcard"));
    if asked.wildcard && !covers_wildcards {
        return Finding::Lacks(
            Unauthorized,
            "the record does not have policy=wildcard, which a wildcard needs",
        );
    }
    Finding::Proves
}

impl Asked<'_> {
    /// A record that would prove it.
    fn wanted(&self) -> String {
        let issuer = self.issuers.first().map(String::as_str).unwrap_or_default();
        let policy = if self.wildcard { "; policy=wildcard" } else { "" };
        format!("{issuer}; accounturi={}{policy}", self.account_url)
    }

    /// Whether a text that follows no grammar begins with this authority's name.
    fn is_meant(&self, record: &[u8]) -> bool {
        let before = record.split(|byte| *byte == b';').next().unwrap_or_default();
        self.issuers
            .iter()
            .any(|issuer| before.trim_ascii().eq_ignore_ascii_case(issuer.as_bytes()))
    }
}

/// Digits and nothing else: no sign, no fraction.
fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Objections in one problem.
const LISTED: usize = 4;
