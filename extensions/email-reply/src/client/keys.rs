//! DKIM keys of a domain, each by its selector (RFC 6376 §3.6).

use mail::{
    dkim::{Fault, KeyRecord, LEAST_RSA_BITS},
    dns::Txt,
    message::domain::Domain,
};

use super::report::{Finding, Verdict};
use crate::dns::Dns;

/// RFC 6376 §3.1: labels of a name. Underscores are in use.
pub fn selector(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    match text.len() <= 200 && text.split('.').all(is_label) {
        true => Ok(text.to_ascii_lowercase()),
        false => {
            Err("it is no selector: letters, digits, \"-\" and \"_\", in labels; it is s= of a signature".to_owned())
        }
    }
}

/// A finding a key. One key that is fine is enough; beside it others only want attention.
pub async fn findings(domain: &Domain, selectors: &[String], dns: &impl Dns) -> Vec<Finding> {
    let mut findings = Vec::new();
    for selector in selectors {
        let name = format!("{selector}._domainkey.{domain}");
        let key = dns.txt(&name).await.map_or(Txt::Unavailable, Txt::of);
        findings.push(finding(&name, &key));
    }
    if findings.iter().any(|finding| finding.verdict == Verdict::Ok) {
        for finding in &mut findings {
            finding.verdict = finding.verdict.min(Verdict::Attention);
        }
    }
    findings
}

fn finding(name: &str, answer: &Txt) -> Finding {
    let key = match KeyRecord::of(answer) {
        Ok(key) if key.is_testing => Err(Fault::KeyTesting),
        Ok(key) => match key.rsa_bits() {
            Some(bits) if bits < LEAST_RSA_BITS => Err(Fault::KeyTooSmall {
                bits,
                least: LEAST_RSA_BITS,
            }),
            bits => Ok(bits),
        },
        Err(fault) => Err(fault),
    };
    match key {
        Ok(Some(bits)) if bits < GOOD_RSA_BITS => Finding::attention(
            DKIM,
            format!("the key at {name} is RSA of {bits} bits, which some authorities do not take"),
            format!("make one of {GOOD_RSA_BITS}"),
        ),
        Ok(Some(bits)) => Finding::ok(DKIM, format!("the key at {name} is RSA of {bits} bits")),
        Ok(None) => Finding::ok(DKIM, format!("the key at {name} is Ed25519")),
        Err(fault) => Finding::would_not_work(DKIM, format!("{name}: {fault}"), remedy(&fault)),
    }
}

fn remedy(fault: &Fault) -> &'static str {
    match fault {
        Fault::NoKey => "publish the record that the signing program gives, or name another selector",
        Fault::KeyRevoked => "sign with a key that is in use",
        Fault::KeyTesting => "take y out of t= once the tests are over",
        Fault::KeyTooSmall { .. } => "make a key of 2048 bits",
        Fault::KeyUnavailable => "look again later, or mend the name's servers",
        Fault::SeveralKeys => "a selector has one key",
        _ => "publish the record as the signing program gives it",
    }
}

pub const DKIM: &str = "DKIM key";
/// RFC 8301 §3.2: signers should have as many.
const GOOD_RSA_BITS: usize = 2048;
