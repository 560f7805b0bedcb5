//! The names a certificate is for (RFC 8555 §9.7.7, RFC 8738 §3, RFC 4985 §2, RFC 8823 §3).

use std::{fmt, net::IpAddr, str::FromStr};

use idna::AsciiDenyList;
use pkix::name::GeneralName;
use serde::{Deserialize, Serialize};

/// One name, as a person writes it: a host, a wildcard, an address, a service of a domain or a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Identifier {
    /// A host name in lower case, A-labels, without a final dot.
    Dns(String),
    /// What follows `*.`
    Wildcard(String),
    Ip(IpAddr),
    /// `_service.domain` (RFC 4985 §2), as an order of type `srv` has it.
    Srv(String),
    /// A mailbox: `local@domain`, the domain as a host, the local part as it is (RFC 8823 §3).
    Email(String),
}

impl Identifier {
    /// As it stands in an order (RFC 8555 §7.1.3, RFC 8738 §3).
    pub fn to_wire(&self) -> acme::Identifier {
        match self {
            Self::Dns(name) => acme::Identifier::dns(name),
            Self::Wildcard(base) => acme::Identifier::dns(format!("*.{base}")),
            Self::Ip(address) => acme::Identifier::ip(address.to_string()),
            Self::Srv(name) => acme::Identifier {
                kind: "srv".to_owned(),
                value: name.clone(),
            },
            Self::Email(mailbox) => acme::Identifier {
                kind: "email".to_owned(),
                value: mailbox.clone(),
            },
        }
    }

    pub fn from_wire(identifier: &acme::Identifier) -> Option<Self> {
        match identifier.kind.as_str() {
            "dns" => identifier
                .value
                .parse()
                .ok()
                .filter(|parsed| matches!(parsed, Self::Dns(_) | Self::Wildcard(_))),
            "ip" => identifier.value.parse().ok().map(Self::Ip),
            "srv" => identifier
                .value
                .parse()
                .ok()
                .filter(|parsed| matches!(parsed, Self::Srv(_))),
            "email" => identifier
                .value
                .parse()
                .ok()
                .filter(|parsed| matches!(parsed, Self::Email(_))),
            _ => None,
        }
    }

    /// Whether an authorization for `identifier` is about this name (RFC 8555 §7.1.4: without `*.`).
    pub fn is_proven_by(&self, identifier: &acme::Identifier, wildcard: bool) -> bool {
        match (self, Self::from_wire(identifier)) {
            (Self::Wildcard(base), Some(Self::Dns(name))) => wildcard && *base == name,
            (Self::Dns(_) | Self::Ip(_) | Self::Srv(_) | Self::Email(_), Some(other)) => !wildcard && *self == other,
            _ => false,
        }
    }

    pub fn to_general_name(&self) -> GeneralName {
        match self {
            Self::Dns(name) => GeneralName::Dns(name.clone()),
            Self::Wildcard(base) => GeneralName::Dns(format!("*.{base}")),
            Self::Ip(address) => GeneralName::Ip(*address),
            Self::Srv(name) => GeneralName::srv(name).expect("invariant: a name that was parsed is ASCII"),
            Self::Email(mailbox) if mailbox.is_ascii() => GeneralName::Email(mailbox.clone()),
            Self::Email(mailbox) => {
                GeneralName::smtp_utf8_mailbox(mailbox).expect("invariant: a mailbox that was parsed is short")
            }
        }
    }

    pub fn read_general_name(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::Dns(text) => text
                .parse()
                .ok()
                .filter(|parsed| matches!(parsed, Self::Dns(_) | Self::Wildcard(_))),
            GeneralName::Ip(address) => Some(Self::Ip(*address)),
            GeneralName::Email(text) => mailbox(text),
            other => match (other.as_srv(), other.as_smtp_utf8_mailbox()) {
                (Some(text), _) => text.parse().ok().filter(|parsed| matches!(parsed, Self::Srv(_))),
                (None, Some(text)) => mailbox(text),
                (None, None) => None,
            },
        }
    }

    /// The server name of a tls-alpn-01 handshake (RFC 8737 §3, RFC 8738 §6).
    pub fn server_name(&self) -> String {
        match self {
            Self::Dns(name) | Self::Wildcard(name) => name.clone(),
            Self::Email(mailbox) => mailbox
                .rsplit_once('@')
                .map_or_else(String::new, |(_, domain)| domain.to_owned()),
            Self::Srv(name) => name
                .split_once('.')
                .map_or_else(String::new, |(_, domain)| domain.to_owned()),
            Self::Ip(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            Self::Ip(IpAddr::V6(address)) => {
                let mut name = String::with_capacity(72);
                for octet in address.octets().iter().rev() {
                    name.push_str(&format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
                }
                name + "ip6.arpa"
            }
        }
    }

    /// Where dns-01 puts its record, with the final dot of an absolute name (RFC 8555 §8.4).
    pub fn challenge_record(&self) -> Option<String> {
        match self {
            Self::Dns(name) | Self::Wildcard(name) | Self::Srv(name) => Some(format!("_acme-challenge.{name}.")),
            Self::Email(mailbox) => mailbox
                .rsplit_once('@')
                .map(|(_, domain)| format!("_acme-challenge.{domain}.")),
            Self::Ip(_) => None,
        }
    }
}

fn mailbox(text: &str) -> Option<Identifier> {
    text.parse()
        .ok()
        .filter(|parsed| matches!(parsed, Identifier::Email(_)))
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let literal = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = literal.parse() {
            return Ok(Self::Ip(address));
        }
        if let Some((local, domain)) = text.rsplit_once('@') {
            let email = email(local, domain).map(Self::Email);
            return email.map_err(|why| IdentifierError {
                text: text.to_owned(),
                why,
            });
        }
        match (text.strip_prefix("*."), text.strip_prefix('_')) {
            (Some(base), _) => host(base).map(Self::Wildcard),
            (None, Some(service)) => srv(service).map(Self::Srv),
            (None, None) => host(text).map(Self::Dns),
        }
        .map_err(|why| IdentifierError {
            text: text.to_owned(),
            why,
        })
    }
}

/// A mailbox whose local part is a dot-string (RFC 5321 §4.1.2, RFC 6531 §3.3).
fn email(local: &str, domain: &str) -> Result<String, &'static str> {
    let is_atext = |character: char| match character.is_ascii() {
        true => character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character),
        false => !character.is_control() && !character.is_whitespace(),
    };
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
    match local.len() <= 64 && local.split('.').all(is_atom) {
        true => Ok(format!("{local}@{}", host(domain)?)),
        false => Err("what stands before the @ is no local part of 1 to 64 octets without quotes"),
    }
}

/// What follows the underscore of `_service.domain`: the service by its registered name (RFC 6335 §5.1), the domain as any.
fn srv(text: &str) -> Result<String, &'static str> {
    let (service, domain) = text.split_once('.').ok_or("a service name is followed by a domain")?;
    let is_service = (1..=15).contains(&service.len())
        && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !service.starts_with('-')
        && !service.ends_with('-');
    match is_service {
        true => Ok(format!("_{}.{}", service.to_ascii_lowercase(), host(domain)?)),
        false => Err("the service is no registered name: 1 to 15 letters, digits and hyphens"),
    }
}

/// The A-label form of a host name (RFC 5890 §2.3.2.1), by the rules for host names of RFC 1123 §2.1.
fn host(text: &str) -> Result<String, &'static str> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::STD3)
        .map_err(|_| "it has a character or label that no host name may have")?
        .into_owned();
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    if ascii.is_empty() || ascii.len() > 253 || !ascii.split('.').all(is_label) {
        return Err("it is empty, too long or has a bad label");
    }
    let last = ascii.rsplit('.').next().unwrap_or(&ascii);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it looks like an address but is none");
    }
    Ok(ascii)
}

impl TryFrom<String> for Identifier {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, IdentifierError> {
        text.parse()
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.to_string()
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) | Self::Srv(name) | Self::Email(name) => f.write_str(name),
            Self::Wildcard(base) => write!(f, "*.{base}"),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

/// Why a text is no name for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a host name, a wildcard, an address, a service of a domain or a mailbox: {why}")]
pub struct IdentifierError {
    text: String,
    why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Identifier>().unwrap().to_string()
    }

    #[test]
    fn names_are_kept_in_one_form() {
        assert_eq!(shown("WWW.Example.ORG."), "www.example.org");
        assert_eq!(shown("*.Example.org"), "*.example.org");
        assert_eq!(shown("Bücher.example"), "xn--bcher-kva.example");
        assert_eq!(shown("[2001:DB8:0::1]"), "2001:db8::1");
        assert_eq!(shown("127.0.0.1"), "127.0.0.1");
        assert_eq!(shown("localhost"), "localhost");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.org", "a".repeat(64));
        for text in [
            "",
            ".",
            "a..b",
            "-a.org",
            "a-.org",
            "a_b.org",
            "a b.org",
            "*.*.org",
            "*",
            "a.*.org",
            "1.2.3",
            "256.1.1.1",
            "../etc",
            &long,
        ] {
            assert!(text.parse::<Identifier>().is_err(), "{text}");
        }
    }

    // 8738-3-1
    #[test]
    fn an_address_goes_out_as_type_ip() {
        let identifier: Identifier = "2001:DB8::0001".parse().unwrap();
        assert_eq!(identifier.to_wire(), acme::Identifier::ip("2001:db8::1"));
    }

    // 4985-2-1, etls-p-9
    #[test]
    fn a_service_of_a_domain_has_no_label_for_its_protocol() {
        assert_eq!(shown("_IMAPS.Example.org"), "_imaps.example.org");
        let srv: Identifier = "_imaps.bücher.example".parse().unwrap();
        assert_eq!(srv.to_wire().kind, "srv");
        assert_eq!(srv.to_general_name().as_srv(), Some("_imaps.xn--bcher-kva.example"));
        assert_eq!(Identifier::read_general_name(&srv.to_general_name()), Some(srv));
        for text in [
            "_imaps",
            "_imaps._tcp.example.org",
            "_.example.org",
            "__imaps.example.org",
            "_i map.example.org",
        ] {
            assert!(text.parse::<Identifier>().is_err(), "{text}");
        }
        let of_type = |kind: &str, value: &str| {
            Identifier::from_wire(&acme::Identifier {
                kind: kind.to_owned(),
                value: value.to_owned(),
            })
        };
        assert_eq!(of_type("dns", "_imaps.example.org"), None);
        assert_eq!(of_type("srv", "imaps.example.org"), None);
    }

    // 8738-6-1
    #[test]
    fn the_server_name_of_an_address_is_its_reverse_name() {
        let v4: Identifier = "192.0.2.1".parse().unwrap();
        assert_eq!(v4.server_name(), "1.2.0.192.in-addr.arpa");
        let v6: Identifier = "2001:db8::1".parse().unwrap();
        assert_eq!(
            v6.server_name(),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }

    // 8555-8.4-1
    #[test]
    fn the_record_of_a_wildcard_stands_at_its_base() {
        let wildcard: Identifier = "*.example.org".parse().unwrap();
        assert_eq!(wildcard.challenge_record().unwrap(), "_acme-challenge.example.org.");
    }

    #[test]
    fn an_authorization_is_matched_to_the_name_it_is_for() {
        let [plain, wildcard]: [Identifier; 2] = ["example.org", "*.example.org"].map(|text| text.parse().unwrap());
        let authorized = acme::Identifier::dns("Example.org");
        assert!(plain.is_proven_by(&authorized, false) && !plain.is_proven_by(&authorized, true));
        assert!(wildcard.is_proven_by(&authorized, true) && !wildcard.is_proven_by(&authorized, false));
        assert!(!plain.is_proven_by(&acme::Identifier::dns("$(reboot)"), false));
    }
}
