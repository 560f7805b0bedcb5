//! SPF records (RFC 7208 §4.5, §4.6, §5, §6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::SpfResult;

/// A record whose every term can be read: one that cannot makes the whole an error (§4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(super) directives: Vec<(SpfResult, Mechanism)>,
    pub(super) redirect: Option<String>,
}

/// Names are domain-specs, not yet expanded; `None` stands for the domain under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(String),
    A(Option<String>, Prefix),
    Mx(Option<String>, Prefix),
    Ptr,
    Network(IpAddr, u8),
    Exists(String),
}

/// How many bits of an address count, in either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub v4: u8,
    pub v6: u8,
}

impl Record {
    /// Whether a TXT record claims to be one (§4.5).
    pub fn is_one(text: &str) -> bool {
        let version = text.get(..VERSION.len());
        let rest = text.get(VERSION.len()..).unwrap_or_default();
        version.is_some_and(|version| version.eq_ignore_ascii_case(VERSION))
            && (rest.is_empty() || rest.starts_with(' '))
    }

    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if !Self::is_one(text) || text.len() > MAX_RECORD {
            return Err(RecordError);
        }
        let (mut directives, mut redirect, mut has_exp) = (Vec::new(), None, false);
        for term in text[VERSION.len()..].split(' ').filter(|term| !term.is_empty()) {
            if directives.len() == MAX_TERMS {
                return Err(RecordError);
            }
            match modifier(term) {
                Some(("redirect", value)) if redirect.is_none() => redirect = Some(domain_spec(value)?),
                Some(("exp", value)) if !has_exp => {
                    domain_spec(value)?;
                    has_exp = true;
                }
                Some(("redirect" | "exp", _)) => return Err(RecordError),
                Some(_) => {}
                None => directives.push(directive(term)?),
            }
        }
        Ok(Self { directives, redirect })
    }
}

/// A name, in lower case where it is known, and its value (§6).
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let known = ["redirect", "exp"]
        .into_iter()
        .find(|known| name.eq_ignore_ascii_case(known));
    is_name.then_some((known.unwrap_or(name), value))
}

fn directive(term: &str) -> Result<(SpfResult, Mechanism), RecordError> {
    let (result, term) = match term.as_bytes()[0] {
        b'+' => (SpfResult::Pass, &term[1..]),
        b'-' => (SpfResult::Fail, &term[1..]),
        b'~' => (SpfResult::SoftFail, &term[1..]),
        b'?' => (SpfResult::Neutral, &term[1..]),
        _ => (SpfResult::Pass, term),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let value = rest.strip_prefix(':');
    let mechanism = match (name.to_ascii_lowercase().as_str(), value) {
        ("all", None) if rest.is_empty() => Mechanism::All,
        ("include", Some(value)) => Mechanism::Include(domain_spec(value)?),
        ("exists", Some(value)) => Mechanism::Exists(domain_spec(value)?),
        ("ptr", None) if rest.is_empty() => Mechanism::Ptr,
        ("ptr", Some(value)) => domain_spec(value).map(|_| Mechanism::Ptr)?,
        ("ip4", Some(value)) => network::<Ipv4Addr>(value, 32)?,
        ("ip6", Some(value)) => network::<Ipv6Addr>(value, 128)?,
        ("a", _) => with_prefix(rest).map(|(name, prefix)| Mechanism::A(name, prefix))?,
        ("mx", _) => with_prefix(rest).map(|(name, prefix)| Mechanism::Mx(name, prefix))?,
        _ => return Err(RecordError),
    };
    Ok((result, mechanism))
}

fn network<A: std::str::FromStr + Into<IpAddr>>(value: &str, most: u8) -> Result<Mechanism, RecordError> {
    let (address, bits) = match value.split_once('/') {
        Some((address, bits)) => (address, length(bits, most)?),
        None => (value, most),
    };
    let address: A = address.parse().map_err(|_| RecordError)?;
    Ok(Mechanism::Network(address.into(), bits))
}

/// `[":" domain-spec] ["/" length] ["//" length]`
fn with_prefix(rest: &str) -> Result<(Option<String>, Prefix), RecordError> {
    let (rest, v6) = match rest.rsplit_once("//") {
        Some((rest, bits)) => (rest, length(bits, 128)?),
        None => (rest, 128),
    };
    // A macro can have a slash as its delimiter; a length never has a brace.
    let (name, v4) = match rest.rsplit_once('/') {
        Some((name, bits)) if !bits.contains('}') => (name, length(bits, 32)?),
        _ => (rest, 32),
    };
    let name = match name.strip_prefix(':') {
        Some(name) => Some(domain_spec(name)?),
        None if name.is_empty() => None,
        None => return Err(RecordError),
    };
    Ok((name, Prefix { v4, v6 }))
}

fn length(text: &str, most: u8) -> Result<u8, RecordError> {
    let is_number = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let length = text.parse().ok().filter(|length| is_number && *length <= most);
    length.ok_or(RecordError)
}

/// §7.1: visible characters, and macros that are complete. Expanded later.
fn domain_spec(text: &str) -> Result<String, RecordError> {
    let is_visible = !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic());
    (is_visible && super::expand::is_sound(text))
        .then(|| text.to_owned())
        .ok_or(RecordError)
}

/// A text that begins as an SPF record and does not go on as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SPF record has a term that cannot be read")]
pub struct RecordError;

const VERSION: &str = "v=spf1";
const MAX_RECORD: usize = 8192;
/// More terms than fit into the records that the DNS can be asked for.
const MAX_TERMS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read() {
        let record = Record::parse("V=SPF1 +mx a:mail.%{d}/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?include:x.test ~exists:%{ir}.x exp=e.x u=v redirect=r.test -ALL").unwrap();
        assert_eq!(record.directives.len(), 7);
        assert_eq!(record.redirect.as_deref(), Some("r.test"));
        let prefix = Prefix { v4: 24, v6: 64 };
        assert_eq!(
            record.directives[1],
            (SpfResult::Pass, Mechanism::A(Some("mail.%{d}".into()), prefix))
        );
        assert_eq!(record.directives[6], (SpfResult::Fail, Mechanism::All));
        assert!(Record::parse("v=spf1").unwrap().directives.is_empty());
    }

    #[test]
    fn one_term_that_cannot_be_read_spoils_the_record() {
        for text in [
            "v=spf10 all",
            "v=spf1 all:x",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 ip4:1.2.3",
            "v=spf1 ip4:1.2.3.4/33",
            "v=spf1 ip4:1.2.3.4/08",
            "v=spf1 ip6:1.2.3.4",
            "v=spf1 a:",
            "v=spf1 a/",
            "v=spf1 mx//129",
            "v=spf1 foo",
            "v=spf1 -",
            "v=spf1 redirect=a redirect=b",
            "v=spf1 exists:%{x",
            "v=spf1 exists:%q",
            "v=spf1 exists:%{z}",
            "v=spf1 redirect=",
            "v=spf1 \u{e9}",
        ] {
            assert_eq!(Record::parse(text), Err(RecordError), "{text}");
        }
    }
}
