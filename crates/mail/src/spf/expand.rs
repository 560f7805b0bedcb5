//! Macros in the names of a record (RFC 7208 §7).

use std::net::IpAddr;

/// What macros stand for.
pub(super) struct Facts<'a> {
    pub host: IpAddr,
    pub helo: &'a str,
    pub local: &'a str,
    /// Of the sender, which stays while the domain under test changes.
    pub sender_domain: &'a str,
}

/// Whether every macro is complete and known.
pub(super) fn is_sound(text: &str) -> bool {
    pieces(text).is_some()
}

/// The name that a domain-spec stands for, cut from the left to what the DNS can carry (§7.3). `None` where it is none.
pub(super) fn expand(text: &str, domain: &str, facts: &Facts<'_>) -> Option<String> {
    let expanded: String = pieces(text)?
        .iter()
        .map(|piece| piece.expanded(domain, facts))
        .collect();
    let mut name = expanded.strip_suffix('.').unwrap_or(&expanded);
    while name.len() > MAX_NAME {
        name = name.split_once('.')?.1;
    }
    let is_name = name.split('.').all(|label| (1..=63).contains(&label.len()));
    (is_name && name.bytes().all(|c| c.is_ascii_graphic())).then(|| name.to_ascii_lowercase())
}

enum Piece<'a> {
    Text(&'a str),
    Macro {
        letter: char,
        digits: Option<usize>,
        reverse: bool,
        delimiters: &'a str,
    },
}

fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('%') {
        out.push(Piece::Text(before));
        let (piece, len) = match after.chars().next()? {
            '%' => (Piece::Text("%"), 1),
            '_' => (Piece::Text(" "), 1),
            '-' => (Piece::Text("%20"), 1),
            '{' => {
                let (inner, _) = after[1..].split_once('}')?;
                (macro_of(inner)?, inner.len() + 2)
            }
            _ => return None,
        };
        out.push(piece);
        rest = &after[len..];
    }
    out.push(Piece::Text(rest));
    Some(out)
}

fn macro_of(inner: &str) -> Option<Piece<'_>> {
    let letter = inner
        .chars()
        .next()
        .filter(|letter| "slodiphv".contains(letter.to_ascii_lowercase()))?;
    let rest = &inner[1..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let digits = match &rest[..end] {
        "" => None,
        digits => Some(digits.parse().ok().filter(|digits| *digits > 0)?),
    };
    let rest = &rest[end..];
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let is_delimiter = |c: char| ".-+,/_=".contains(c);
    delimiters.chars().all(is_delimiter).then_some(Piece::Macro {
        letter,
        digits,
        reverse,
        delimiters: if delimiters.is_empty() { "." } else { delimiters },
    })
}

impl Piece<'_> {
    fn expanded(&self, domain: &str, facts: &Facts<'_>) -> String {
        let Self::Macro {
            letter,
            digits,
            reverse,
            delimiters,
        } = self
        else {
            let Self::Text(text) = self else { return String::new() };
            return (*text).to_owned();
        };
        let value = match letter.to_ascii_lowercase() {
            's' => format!("{}@{}", facts.local, facts.sender_domain),
            'l' => facts.local.to_owned(),
            'o' => facts.sender_domain.to_owned(),
            'd' => domain.to_owned(),
            'i' => dotted(facts.host),
            'h' => facts.helo.to_owned(),
            'v' => if facts.host.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            // 'p': no name is looked up for an address (§7.3).
            _ => "unknown".to_owned(),
        };
        let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if *reverse {
            parts.reverse();
        }
        let kept = parts.len().saturating_sub(digits.unwrap_or(usize::MAX));
        let joined = parts[kept..].join(".");
        if letter.is_ascii_uppercase() {
            escaped(&joined)
        } else {
            joined
        }
    }
}

/// Dotted octets, or dotted hexadecimal digits.
fn dotted(host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => {
            let digits = host.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            let digits: Vec<String> = digits.map(|digit| format!("{digit:x}")).collect();
            digits.join(".")
        }
    }
}

/// Everything but unreserved characters (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let octet = |octet: u8| match octet {
        c if c.is_ascii_alphanumeric() || b"-._~".contains(&c) => char::from(c).to_string(),
        c => format!("%{c:02X}"),
    };
    text.bytes().map(octet).collect()
}

const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7208 §7.4
    #[test]
    fn the_examples_of_the_document_come_out() {
        let facts = Facts {
            host: "192.0.2.3".parse().unwrap(),
            helo: "mx.example.org",
            local: "strong-bad",
            sender_domain: "email.example.com",
        };
        for (text, expanded) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{p}.x%%", "unknown.x%"),
        ] {
            assert_eq!(expand(text, "email.example.com", &facts).unwrap(), expanded, "{text}");
        }
        let v6 = Facts {
            host: "2001:db8::cb01".parse().unwrap(),
            ..facts
        };
        let name = expand("%{ir}.%{v}._spf.%{d2}", "email.example.com", &v6).unwrap();
        assert_eq!(
            name,
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    // RFC 7208 §7.3, and there is no end to what a record can repeat.
    #[test]
    fn a_long_name_loses_labels_from_the_left() {
        let facts = Facts {
            host: "192.0.2.3".parse().unwrap(),
            helo: "mx.example.org",
            local: &"a.".repeat(30),
            sender_domain: "email.example.com",
        };
        let name = expand(&("%{l}".repeat(2000) + "x.test"), "a.test", &facts).unwrap();
        assert!((MAX_NAME - 2..=MAX_NAME).contains(&name.len()), "{name}");
        assert!(name.starts_with("a.a.") && name.ends_with("a.x.test"));
        assert_eq!(expand(&"a".repeat(300), "a.test", &facts), None);
    }
}
