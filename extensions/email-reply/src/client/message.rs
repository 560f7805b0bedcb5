//! A message that the mailbox has sent, judged as its reply to a challenge would be (RFC 8823 §3.2).

use jiff::Timestamp;
use mail::{
    dkim::{
        self, LEAST_RSA_BITS, Limits, Signature,
        coverage::{self, Coverage, Kind, LISTS, Uncovered},
    },
    dns::Txt,
    message::{Message, address::Mailbox},
};

use super::report::{Finding, Levels, Verdict};
use crate::dns::Dns;

pub struct Judged {
    pub findings: Vec<Finding>,
    pub levels: Levels,
}

/// `can_pass`: whether SPF can vouch for the host that delivers.
pub async fn judge(message: &Message<'_>, mailbox: &Mailbox, can_pass: bool, now: Timestamp, dns: &impl Dns) -> Judged {
    let mut findings = vec![author(message, mailbox)];
    let mut valid = Vec::new();
    for signature in dkim::signatures(message) {
        match verified(signature, message, mailbox, now, dns).await {
            Ok(signature) => {
                findings.push(Finding::ok(
                    SIGNATURE,
                    format!("{} (selector {}) passes", signature.domain, signature.selector),
                ));
                valid.push(signature);
            }
            Err(finding) => findings.push(finding),
        }
    }
    let Some(best) = valid.iter().min_by_key(|signature| rank(message, signature)) else {
        let (says, remedy) = match findings.len() {
            1 => ("it has no DKIM signature", "have the mail server sign"),
            _ => ("no signature counts", "have the mail server sign"),
        };
        findings.push(Finding::would_not_work(
            SIGNATURE,
            says,
            format!("{remedy} with d={}, exactly the domain of From", mailbox.domain()),
        ));
        return Judged {
            findings,
            levels: Levels::default(),
        };
    };
    let counts = |level: Coverage| level.missing(Kind::Reply, message, best).is_empty();
    let is_author = findings[0].verdict == Verdict::Ok;
    let has_hop = can_pass || coverage::covers_lists(best);
    let levels = Levels {
        essential: is_author && has_hop && counts(Coverage::Essential),
        present: is_author && has_hop && counts(Coverage::Present),
        // A strict authority does not ask how the mail came.
        strict: is_author && counts(Coverage::Strict),
    };
    findings.extend(covered(message, best));
    findings.push(hop(best, can_pass));
    Judged { findings, levels }
}

fn author(message: &Message<'_>, mailbox: &Mailbox) -> Finding {
    let from = message.field("From").map(|from| Mailbox::only(&from.value()));
    match from {
        Some(Ok(from)) if from == *mailbox => Finding::ok(MESSAGE, format!("it is from {from}")),
        Some(Ok(from)) => Finding::would_not_work(
            MESSAGE,
            format!("it is from {from}, and an alias cannot answer for {mailbox}"),
            format!("send with From: {mailbox}, or ask about {from}"),
        ),
        Some(Err(error)) => Finding::would_not_work(
            MESSAGE,
            format!("its From cannot be used: {error}"),
            "name one mailbox in From",
        ),
        None => Finding::would_not_work(MESSAGE, "it has no From", "save it with all of its header fields"),
    }
}

async fn verified<'a>(
    signature: Result<Signature<'a>, dkim::Unreadable>,
    message: &Message<'_>,
    mailbox: &Mailbox,
    now: Timestamp,
    dns: &impl Dns,
) -> Result<Signature<'a>, Finding> {
    let signature = signature.map_err(|unreadable| {
        let domain = unreadable
            .domain
            .map_or("an unknown domain".to_owned(), |domain| domain.to_string());
        Finding::attention(
            SIGNATURE,
            format!("that of {domain}: {}", unreadable.fault),
            "it does not count",
        )
    })?;
    let who = format!("{} (selector {})", signature.domain, signature.selector);
    if signature.domain != *mailbox.domain() {
        return Err(Finding::attention(
            SIGNATURE,
            format!("{who} signed it, which is not the domain of {mailbox}"),
            "it does not count",
        ));
    }
    let key = dns.txt(&signature.key_name()).await.map_or(Txt::Unavailable, Txt::of);
    let limits = Limits {
        now,
        least_rsa_bits: LEAST_RSA_BITS,
    };
    match signature.verify(message, &key, &limits) {
        Ok(()) => Ok(signature),
        Err(fault) => Err(Finding::attention(
            SIGNATURE,
            format!("{who}: {fault}"),
            "it does not count; look whether the message is as it arrived, and sent just now",
        )),
    }
}

/// The less is missing, the better.
fn rank(message: &Message<'_>, signature: &Signature<'_>) -> (usize, bool, usize) {
    let missing = |level: Coverage| level.missing(Kind::Reply, message, signature).len();
    (
        missing(Coverage::Present),
        !coverage::covers_lists(signature),
        missing(Coverage::Strict),
    )
}

/// A finding a level.
fn covered(message: &Message<'_>, signature: &Signature<'_>) -> Vec<Finding> {
    let missing = |level: Coverage| level.missing(Kind::Reply, message, signature);
    let (present, essential, strict) = (
        missing(Coverage::Present),
        missing(Coverage::Essential),
        missing(Coverage::Strict),
    );
    let mut findings = Vec::new();
    if present.is_empty() {
        findings.push(Finding::ok(
            COVERAGE,
            "at the level \"present\" (default) it would count: every field of RFC 8823 that it has is signed",
        ));
    } else {
        let domain = signature.domain.to_string();
        let selector = signature.selector.clone();
        let missing = present.clone();
        // Says the line for OpenDKIM, too.
        let uncovered = Uncovered {
            domain,
            selector,
            missing,
        };
        findings.push(Finding::would_not_work(
            COVERAGE,
            "at the level \"present\" (default) it would not count",
            uncovered.to_string(),
        ));
    }
    // Signers sign what is there: a letter says nothing about fields that only a reply has.
    let unseen: Vec<&str> = OF_REPLIES
        .into_iter()
        .filter(|name| !message.has(name) && strict.contains(name))
        .collect();
    if present.is_empty() && !unseen.is_empty() {
        findings.push(Finding::attention(
            COVERAGE,
            format!(
                "a reply has also {}, and this message does not show whether they are signed",
                unseen.join(", ")
            ),
            "give a message that answers another",
        ));
    }
    findings.push(match essential.is_empty() {
        true => Finding::ok(COVERAGE, "at the level \"essential\" it would count"),
        false => Finding::attention(
            COVERAGE,
            format!(
                "at the level \"essential\" it would not count: {} is not signed",
                essential.join(", ")
            ),
            "have the mail server sign it",
        ),
    });
    findings.push(match strict.is_empty() {
        true => Finding::ok(COVERAGE, "at the level \"strict\" it would count"),
        false => Finding::attention(
            COVERAGE,
            format!(
                "at the level \"strict\" it would not count: h= does not name {}",
                strict.join(", ")
            ),
            format!("with OpenDKIM add \"OverSignHeaders From,{}\"", without_from(&strict)),
        ),
    });
    findings
}

fn without_from(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| *name != "From").collect();
    names.join(",")
}

/// Below "strict" either the signature or the host that delivers shows that no list has passed the mail on.
fn hop(signature: &Signature<'_>, can_pass: bool) -> Finding {
    if coverage::covers_lists(signature) {
        return Finding::ok(LIST_FIELDS, "their absence is signed");
    }
    let remedy = format!("with OpenDKIM add \"OverSignHeaders From,{}\"", LISTS.join(","));
    match can_pass {
        true => Finding::attention(
            LIST_FIELDS,
            "their absence is not signed, so the host that delivers must pass SPF for the domain",
            format!("send directly from a host of the SPF record, or {remedy}"),
        ),
        false => Finding::would_not_work(
            LIST_FIELDS,
            "their absence is not signed, and no host passes SPF for the domain",
            format!("mend SPF, or {remedy}"),
        ),
    }
}

pub const MESSAGE: &str = "message";
const SIGNATURE: &str = "signature";
const COVERAGE: &str = "signed fields";
const LIST_FIELDS: &str = "List-* fields";
const OF_REPLIES: [&str; 5] = [
    "In-Reply-To",
    "References",
    "Message-ID",
    "Content-Type",
    "Content-Transfer-Encoding",
];
