//! What the DNS says of a mail domain: where its mail goes, who sends it, what becomes of forgeries, who may certify.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicUsize, Ordering},
};

use mail::{
    dmarc::{self, Authenticated, Evaluation},
    dns::{Answers, Step, Txt},
    message::{address::Mailbox, domain::Domain},
    spf::{self, Delivery, DnsFailure, Family, MAX_LOOKUPS, Record, SpfDns, SpfResult},
};
use validation::issue_value::IssueValue;

use super::report::Finding;
use crate::dns::{Dns, Property};

/// Where the challenge would be delivered to (RFC 5321 §5.1, RFC 7505).
pub async fn exchanges(domain: &Domain, dns: &impl Dns) -> Finding {
    let Ok(exchanges) = dns.mx(domain.as_str()).await else {
        return Finding::silent(MX, domain.as_str());
    };
    if exchanges.iter().any(String::is_empty) {
        return Finding::would_not_work(
            MX,
            format!("{domain} takes no mail: its MX is \".\""),
            "challenges come by mail; name a host that takes them",
        );
    }
    let (hosts, is_implicit) = match exchanges.is_empty() {
        true => (vec![domain.as_str().to_owned()], true),
        false => (exchanges, false),
    };
    let mut is_silent = false;
    for host in hosts.iter().take(MOST_HOSTS) {
        match has_address(host, dns).await {
            Ok(true) if is_implicit => return Finding::ok(MX, format!("none; {domain} itself takes the mail")),
            Ok(true) => return Finding::ok(MX, hosts.join(", ")),
            Ok(false) => {}
            Err(DnsFailure) => is_silent = true,
        }
    }
    match (is_silent, is_implicit) {
        (true, _) => Finding::silent(MX, &hosts.join(", ")),
        (false, true) => Finding::would_not_work(
            MX,
            format!("{domain} has neither MX nor address"),
            "challenges come by mail; publish an MX record",
        ),
        (false, false) => Finding::would_not_work(
            MX,
            format!("no host of the MX records has an address: {}", hosts.join(", ")),
            "publish the addresses",
        ),
    }
}

async fn has_address(host: &str, dns: &impl Dns) -> Result<bool, DnsFailure> {
    for family in [Family::V4, Family::V6] {
        if !dns.addresses(host, family).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub struct Spf {
    pub finding: Finding,
    /// Whether any host at all can be the domain's by its record.
    pub can_pass: bool,
}

/// The record, evaluated for a host that is nobody's: so every term is looked at (RFC 7208 §4.6).
pub async fn spf(mailbox: &Mailbox, dns: &impl Dns) -> Spf {
    let domain = mailbox.domain();
    let cannot = |finding| Spf {
        finding,
        can_pass: false,
    };
    let Ok(texts) = dns.txt(domain.as_str()).await else {
        return cannot(Finding::attention(
            SPF,
            format!("the DNS gives no answer about {domain}"),
            "look again later",
        ));
    };
    let records: Vec<&String> = texts.iter().filter(|text| Record::is_one(text)).collect();
    let record = match records.as_slice() {
        [] => {
            return cannot(Finding::attention(
                SPF,
                format!("{domain} has no record"),
                "publish one; without it signatures must also cover List-*",
            ));
        }
        [record] => record,
        _ => {
            return cannot(Finding::attention(
                SPF,
                format!("{domain} has {} records, which count as none", records.len()),
                "publish one",
            ));
        }
    };
    if let Err(error) = Record::parse(record) {
        return cannot(Finding::attention(SPF, format!("{error}: {record}"), "mend it"));
    }
    let counted = Counted {
        dns,
        questions: AtomicUsize::new(0),
    };
    let delivery = Delivery {
        host: NOBODY,
        helo: domain.as_str().to_owned(),
        return_path: Some(mailbox.clone()),
    };
    let result = spf::check(&counted, &delivery).await.result;
    let questions = counted.questions.load(Ordering::Relaxed);
    match result {
        SpfResult::PermError => cannot(Finding::attention(
            SPF,
            format!(
                "the record cannot be evaluated: what it includes is not there or cannot be read, or it takes more than \
                 {MAX_LOOKUPS} lookups ({questions} questions were asked)"
            ),
            "shorten or mend it; until then signatures must also cover List-*",
        )),
        SpfResult::TempError => cannot(Finding::attention(
            SPF,
            "the DNS gives no answer about what the record includes",
            "look again later",
        )),
        SpfResult::Pass => Spf {
            finding: Finding::attention(
                SPF,
                format!("it lets every host send: {record}"),
                "name the hosts that send",
            ),
            can_pass: true,
        },
        _ if lets_nobody(record) => cannot(Finding::attention(
            SPF,
            format!("it lets no host send: {record}"),
            "name the hosts that send; until then signatures must also cover List-*",
        )),
        _ => Spf {
            finding: Finding::ok(SPF, format!("{record} ({questions} questions to the DNS)")),
            can_pass: true,
        },
    }
}

fn lets_nobody(record: &str) -> bool {
    let mut terms = record.split_whitespace().skip(1);
    terms.next().is_some_and(|term| term.eq_ignore_ascii_case("-all"))
}

/// Counts what is asked.
struct Counted<'a, D> {
    dns: &'a D,
    questions: AtomicUsize,
}

impl<D> Counted<'_, D> {
    fn count(&self) -> &D {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.dns
    }
}

impl<D: Dns> SpfDns for Counted<'_, D> {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.count().txt(name).await
    }

    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        self.count().addresses(name, family).await
    }

    async fn mx(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.count().mx(name).await
    }
}

/// The policy that applies, found as whoever judges the reply finds it (RFC 9989 §4.10).
pub async fn dmarc(domain: &Domain, dns: &impl Dns) -> Finding {
    let evaluation = Evaluation {
        author: domain.clone(),
        authenticated: vec![Authenticated::Dkim(domain.clone())],
    };
    let mut answers = Answers::default();
    let outcome = loop {
        match evaluation.step(&answers) {
            Step::Done(outcome) => break outcome,
            Step::Ask(names) => {
                for name in names {
                    let answer = dns.txt(&name).await.map_or(Txt::Unavailable, Txt::of);
                    answers.insert(name, answer);
                }
            }
        }
    };
    let policy = match outcome.policy {
        dmarc::Policy::None => "none",
        dmarc::Policy::Quarantine => "quarantine",
        dmarc::Policy::Reject => "reject",
    };
    match (outcome.verdict, outcome.record_at) {
        (dmarc::Verdict::TempError, _) => Finding::attention(
            DMARC,
            format!("the DNS gives no answer about _dmarc.{domain}"),
            "look again later",
        ),
        (_, None) => Finding::attention(
            DMARC,
            format!("neither {domain} nor what is above it has one usable record"),
            "publish one at _dmarc, so that forged mail is refused",
        ),
        (_, Some(at)) if outcome.policy == dmarc::Policy::None => Finding::attention(
            DMARC,
            format!("the policy at _dmarc.{at} is {policy}"),
            "p=quarantine or p=reject keeps forged mail away",
        ),
        (_, Some(at)) => Finding::ok(DMARC, format!("the policy at _dmarc.{at} is {policy}")),
    }
}

/// Who may certify mailboxes of the domain (RFC 9495 §4).
pub async fn issuers(domain: &Domain, dns: &impl Dns) -> Finding {
    let mut at = Some(domain.clone());
    while let Some(name) = at {
        match dns.caa(name.as_str()).await {
            Err(DnsFailure) => return Finding::silent(CAA, name.as_str()),
            Ok(records) if records.is_empty() => at = name.parent(),
            Ok(records) => return allowed(&name, &records),
        }
    }
    Finding::ok(CAA, "no records: every authority may issue")
}

fn allowed(at: &Domain, records: &[Property]) -> Finding {
    // RFC 8659 §4.1: nobody who does not know a critical property may issue.
    let known = ["issue", "issuewild", "issuemail", "iodef"];
    let unknown = |property: &&Property| property.is_critical && !known.contains(&property.tag.as_str());
    if let Some(property) = records.iter().find(unknown) {
        return Finding::would_not_work(
            CAA,
            format!(
                "{at} has a critical property {:?}, which authorities do not know",
                property.tag
            ),
            "take it away, or make it uncritical",
        );
    }
    let records: Vec<&Property> = records.iter().filter(|property| property.tag == "issuemail").collect();
    if records.is_empty() {
        return Finding::ok(CAA, format!("{at} has no issuemail: every authority may issue"));
    }
    let issuers: Vec<String> = records
        .iter()
        .filter_map(|property| IssueValue::parse(&property.value).ok()?.issuer)
        .collect();
    match issuers.is_empty() {
        true => Finding::would_not_work(
            CAA,
            format!("issuemail at {at} lets nobody issue"),
            "add issuemail with the name by which the authority is called (caaIdentities in its directory)",
        ),
        false => Finding::ok(CAA, format!("issuemail at {at} lets issue only {}", issuers.join(", "))),
    }
}

const MX: &str = "MX";
const SPF: &str = "SPF";
const DMARC: &str = "DMARC";
const CAA: &str = "CAA";
const MOST_HOSTS: usize = 10;
/// For documents (RFC 5737): no host has it.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 255));
