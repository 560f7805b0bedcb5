//! One look at a mailbox: its domain in the DNS, and a message of it if there is one.

use jiff::Timestamp;
use mail::{
    dkim,
    message::{Message, address::Mailbox},
};

use super::{
    domain_findings, keys, message,
    report::{Finding, Report},
};
use crate::dns::Dns;

/// What is known before the DNS is asked.
pub struct Case<'a> {
    pub mailbox: &'a Mailbox,
    /// Lines end with CRLF.
    pub message: Option<&'a [u8]>,
    pub selectors: &'a [String],
    pub now: Timestamp,
}

impl Case<'_> {
    pub async fn report(&self, dns: &impl Dns) -> Report {
        let domain = self.mailbox.domain();
        let mut findings = Vec::new();
        if !self.mailbox.is_ascii() {
            findings.push(Finding::attention(
                "mailbox",
                "its local part is beyond ASCII",
                "its mail server and the authority's must both have SMTPUTF8 (RFC 6531)",
            ));
        }
        findings.push(domain_findings::exchanges(domain, dns).await);
        let spf = domain_findings::spf(self.mailbox, dns).await;
        let can_pass = spf.can_pass;
        findings.push(spf.finding);
        let parsed = self.message.map(Message::parse);
        let selectors = self.selectors_with(parsed.as_ref().and_then(|parsed| parsed.as_ref().ok()));
        if selectors.is_empty() && self.message.is_none() {
            findings.push(Finding::attention(
                keys::DKIM,
                "no selector is known, and the DNS does not list them",
                "name those of the signing program (--selector S), or give a message (--message FILE)",
            ));
        }
        findings.extend(keys::findings(domain, &selectors, dns).await);
        findings.push(domain_findings::dmarc(domain, dns).await);
        findings.push(domain_findings::issuers(domain, dns).await);
        let levels = match parsed {
            None => None,
            Some(Err(error)) => {
                findings.push(Finding::would_not_work(
                    message::MESSAGE,
                    format!("it cannot be read: {error}"),
                    "save it as it arrived, with all of its header fields and nothing before them",
                ));
                Some(Default::default())
            }
            Some(Ok(parsed)) => {
                let judged = message::judge(&parsed, self.mailbox, can_pass, self.now, dns).await;
                findings.extend(judged.findings);
                Some(judged.levels)
            }
        };
        Report {
            mailbox: self.mailbox.clone(),
            findings,
            levels,
        }
    }

    /// Those that were named, then those by which the message is signed.
    fn selectors_with(&self, message: Option<&Message<'_>>) -> Vec<String> {
        let mut selectors = self.selectors.to_vec();
        let signatures = message.map(dkim::signatures).unwrap_or_default();
        let own = signatures
            .into_iter()
            .flatten()
            .filter(|signature| signature.domain == *self.mailbox.domain());
        selectors.extend(own.map(|signature| signature.selector));
        let mut distinct: Vec<String> = Vec::new();
        for selector in selectors {
            if !distinct.contains(&selector) {
                distinct.push(selector);
            }
        }
        distinct
    }
}
