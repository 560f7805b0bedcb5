//! `dns`: fully qualified domain names (RFC 8555 §7.1.3, §9.7.7).

use std::net::IpAddr;

use acme::Identifier;
use pkix::name::GeneralName;

use super::{IdentifierType, Name, NameRefusal, Page, Target};

pub struct Dns;

impl IdentifierType for Dns {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn page(&self) -> Page {
        Page {
            kind: KIND,
            document: "RFC 8555 §7.1.3",
            grammar: "Letters, digits and hyphens in labels of 1 to 63 octets, no hyphen at either end, at least one \
                      label, at most 253 octets; international names as A-labels that IDNA 2008 (UTS #46) maps to \
                      themselves; no trailing dot, no underscore; the last label is not all digits.",
            canonical: "Lower case.",
            equality: "Octets of the canonical form.",
            wildcard: "One leading `*.` in an order. It names exactly one label to the left. The authorization is for \
                       the rest, with `wildcard: true`, and is proved through DNS only.",
            certificate: "subjectAltName dNSName, with its `*.`.",
            csr: "subjectAltName dNSName, or the common name; letter case is folded.",
            examples: &["www.example.org", "*.example.org", "xn--bcher-kva.example", "localhost"],
            refused: &[
                "a.*.example.org",
                "bücher.example",
                "example.org.",
                "_dmarc.example.org",
                "192.0.2.1",
            ],
        }
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        let canonical = value.to_ascii_lowercase();
        let host = canonical.strip_prefix("*.").unwrap_or(&canonical);
        check(host).map_err(|why| NameRefusal::Malformed(format!("{value:?} is not a DNS name: {why}")))?;
        let host = host.to_owned();
        Ok(Name::admitted(
            Identifier::new(KIND, canonical),
            Identifier::new(KIND, host.clone()),
            Target::Host(host),
        ))
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        GeneralName::Dns(name.identifier().value.clone())
    }

    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        match general_name {
            GeneralName::Dns(value) => Some(self.admit(value)),
            _ => None,
        }
    }

    fn read_common_name(&self, common_name: &str) -> Option<Result<Name, NameRefusal>> {
        Some(self.admit(common_name))
    }
}

const KIND: &str = "dns";

/// RFC 1034 §3.5 with RFC 5890 A-labels. `Err` completes the sentence "… is not a DNS name: ".
fn check(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("it is empty".into());
    }
    if !host.is_ascii() {
        return Err("it has characters outside ASCII; send the A-label form (xn--…)".into());
    }
    if host.ends_with('.') {
        return Err("it ends in a dot; leave the dot out".into());
    }
    if host.len() > MAX_NAME {
        return Err(format!("it has {} octets; {MAX_NAME} is the most", host.len()));
    }
    if host.parse::<IpAddr>().is_ok() {
        return Err("it is an IP address; use an identifier of type ip".into());
    }
    for label in host.split('.') {
        check_label(label)?;
    }
    // A name whose last label is a number can be taken for an IPv4 address (WHATWG URL §3.5).
    if host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err("its last label is a number".into());
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("it has an empty label".into());
    }
    if label.len() > MAX_LABEL {
        return Err(format!(
            "the label {label:?} has {} octets; {MAX_LABEL} is the most",
            label.len()
        ));
    }
    if let Some(bad) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return Err(match bad {
            '*' => "a wildcard is a single `*.` at the beginning".into(),
            _ => format!("the character {bad:?} is not allowed in a label"),
        });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(format!("the label {label:?} begins or ends with a hyphen"));
    }
    if label.starts_with("xn--") {
        let (unicode, result) = idna::domain_to_unicode(label);
        let back = idna::domain_to_ascii_strict(&unicode);
        if result.is_err() || unicode == label || back.ok().as_deref() != Some(label) {
            return Err(format!("{label:?} is not a valid A-label"));
        }
    } else if label.get(2..4) == Some("--") {
        // R-LDH labels other than A-labels are reserved (RFC 5890 §2.3.1).
        return Err(format!("the label {label:?} has hyphens in third and fourth place"));
    }
    Ok(())
}

/// RFC 1034 §3.1: 255 octets on the wire are 253 characters.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(value: &str) -> Name {
        Dns.admit(value).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    #[test]
    fn every_example_of_the_page_is_admitted_and_every_refused_one_is_not() {
        let page = Dns.page();
        page.examples.iter().for_each(|example| drop(admitted(example)));
        for refused in page.refused {
            assert!(Dns.admit(refused).is_err(), "{refused}");
        }
    }

    // 8555-7.1.3-1
    #[test]
    fn letter_case_is_folded_and_nothing_else_is_repaired() {
        assert_eq!(admitted("WWW.Example.ORG").identifier().value, "www.example.org");
        let long_label = format!("{}.org", "a".repeat(64));
        let long_name = format!("{}org", "a234567.".repeat(32));
        for bad in [
            "",
            ".",
            "a..b",
            "example.org.",
            "-a.org",
            "a-.org",
            "a_b.org",
            "xn--a.org",
            "xn--.org",
            "ab--c.org",
            "bücher.org",
            " a.org",
            "a.org ",
            "a.org\0",
            "127.0.0.1",
            "1.2.3.4.5",
            "0x7f.1",
            "[::1]",
            "user@a.org",
            &long_label,
            &long_name,
        ] {
            assert!(matches!(Dns.admit(bad), Err(NameRefusal::Malformed(_))), "{bad:?}");
        }
    }

    // 8555-7.1.3-2
    #[test]
    fn a_wildcard_is_one_leading_label() {
        let wildcard = admitted("*.example.org");
        assert!(wildcard.is_wildcard());
        assert_eq!(wildcard.base().value, "example.org");
        assert!(!admitted("example.org").is_wildcard());
        for bad in [
            "*",
            "*.",
            "**.example.org",
            "a.*.org",
            "*a.example.org",
            "*.*.example.org",
        ] {
            assert!(Dns.admit(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_character_is_dropped_or_mapped_on_the_way_in() {
        for character in (0u8..=127).map(char::from) {
            let value = format!("a{character}b.example");
            if let Ok(name) = Dns.admit(&value) {
                assert_eq!(name.identifier().value, value.to_ascii_lowercase());
            }
        }
    }
}
