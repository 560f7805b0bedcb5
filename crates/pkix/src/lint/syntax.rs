//! The grammar of names in certificates.

use std::net::Ipv4Addr;

use crate::name::GeneralName;
use crate::oid;

type Fault = &'static str;

pub(super) fn name_fault(name: &GeneralName) -> Option<Fault> {
    match name {
        GeneralName::Dns(name) => dns(name).err(),
        GeneralName::Email(mailbox) => email(mailbox).err(),
        GeneralName::Uri(uri) => absolute_uri(uri).err(),
        GeneralName::OtherName { oid, .. } if oid.parse() == Ok(oid::SRV_NAME) => match name.as_srv() {
            Some(text) => srv(text).err(),
            None => Some("not an IA5String"),
        },
        GeneralName::OtherName { oid, .. } if oid.parse() == Ok(oid::SMTP_UTF8_MAILBOX) => {
            match name.as_smtp_utf8_mailbox() {
                Some(text) => utf8_mailbox(text).err(),
                None => Some("not a UTF8String"),
            }
        }
        GeneralName::Unknown { .. } => Some("an unknown kind of name"),
        _ => None,
    }
}

/// "Preferred name syntax" (RFC 5280 §4.2.1.6) with lower-case A-labels (RFC 5890 §2.3.1), or a wildcard for the whole
/// left-most label (RFC 9525 §6.3).
fn dns(name: &str) -> Result<(), Fault> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    if host.ends_with('.') {
        return Err("a trailing dot");
    }
    if host.len() != name.len() && !host.contains('.') {
        return Err("a wildcard for a top-level domain");
    }
    if host.contains('*') {
        return Err("a wildcard that is not the whole left-most label");
    }
    if name.len() > 253 {
        return Err("more than 253 octets");
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return Err("an address in the place of a name");
    }
    host.split('.').try_for_each(label)
}

fn label(label: &str) -> Result<(), Fault> {
    if label.is_empty() || label.len() > 63 {
        return Err("a label that is empty or has more than 63 octets");
    }
    if label.bytes().any(|octet| octet.is_ascii_uppercase()) {
        return Err("upper-case letters");
    }
    if !label
        .bytes()
        .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
    {
        return Err("characters other than letters, digits and hyphens");
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a hyphen at the edge of a label");
    }
    // RFC 5891 §4.2.3.1: hyphens in third and fourth place are for A-labels.
    match label.get(2..4) {
        Some("--") if !label.starts_with("xn--") => Err("a reserved label that is not an A-label"),
        Some("--") => punycode(&label[4..]),
        _ => Ok(()),
    }
}

/// Whether an A-label decodes to a label that needed encoding (RFC 3492 §6.2, RFC 5891 §5.4). Which characters IDNA
/// permits is for those who admit names.
fn punycode(encoded: &str) -> Result<(), Fault> {
    const FAULT: Fault = "an A-label that is not Punycode";
    let (basic, extended) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    if extended.is_empty() {
        return Err(FAULT);
    }
    let mut length = basic.len() as u32;
    let (mut code, mut index, mut bias) = (128u32, 0u32, 72u32);
    let mut digits = extended.bytes();
    while digits.len() > 0 {
        let (before, mut weight, mut k) = (index, 1u32, 36u32);
        loop {
            let digit = match digits.next() {
                Some(letter @ b'a'..=b'z') => u32::from(letter - b'a'),
                Some(number @ b'0'..=b'9') => u32::from(number - b'0') + 26,
                _ => return Err(FAULT),
            };
            index = digit
                .checked_mul(weight)
                .and_then(|step| index.checked_add(step))
                .ok_or(FAULT)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold).ok_or(FAULT)?;
            k += 36;
        }
        length += 1;
        bias = adapted_bias(index - before, length, before == 0);
        code = code.checked_add(index / length).ok_or(FAULT)?;
        char::from_u32(code).ok_or(FAULT)?;
        index = index % length + 1;
    }
    Ok(())
}

fn adapted_bias(delta: u32, length: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / length;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

/// A bare ASCII mailbox (RFC 5280 §4.2.1.6).
fn email(mailbox: &str) -> Result<(), Fault> {
    let (local, domain) = mailbox.rsplit_once('@').ok_or("no @")?;
    if local.is_empty() || local.len() > 64 {
        return Err("a local part that is empty or has more than 64 octets");
    }
    if !local
        .bytes()
        .all(|octet| octet.is_ascii_graphic() && !b"<>()[],:;@\\\"".contains(&octet))
    {
        return Err("a local part that is not a dot-atom");
    }
    if local.split('.').any(str::is_empty) {
        return Err("dots at the edge of a local part or in a row");
    }
    // RFC 5321 §2.4 leaves the case of the domain open in addresses.
    no_wildcard(domain).and_then(|()| dns(&domain.to_ascii_lowercase()))
}

/// RFC 9598 §3: only for local parts that are not ASCII, without byte order mark, domain in lower-case A-labels.
fn utf8_mailbox(mailbox: &str) -> Result<(), Fault> {
    let (local, domain) = mailbox.rsplit_once('@').ok_or("no @")?;
    if local.is_ascii() {
        return Err("a local part in ASCII, which belongs into an rfc822Name");
    }
    if mailbox.contains('\u{feff}') || local.chars().any(char::is_control) {
        return Err("a byte order mark or control characters");
    }
    no_wildcard(domain).and_then(|()| dns(domain))
}

/// `_Service.Name` (RFC 4985 §2), without a protocol label.
fn srv(name: &str) -> Result<(), Fault> {
    let (service, domain) = name.split_once('.').ok_or("no domain")?;
    let service = service.strip_prefix('_').ok_or("no underscore before the service")?;
    if domain.starts_with('_') {
        return Err("a protocol label");
    }
    // RFC 6335 §5.1
    label(&service.to_ascii_lowercase())?;
    no_wildcard(domain).and_then(|()| dns(domain))
}

fn no_wildcard(domain: &str) -> Result<(), Fault> {
    if domain.contains('*') {
        Err("a wildcard")
    } else {
        Ok(())
    }
}

/// RFC 5280 §4.2.1.6: not relative, with scheme and a part that is specific to it.
fn absolute_uri(uri: &str) -> Result<(), Fault> {
    let (scheme, specific) = uri.split_once(':').ok_or("a relative URI")?;
    let scheme_letters = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(scheme_letters) {
        return Err("a relative URI");
    }
    if !uri
        .bytes()
        .all(|octet| octet.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&octet))
    {
        return Err("characters that a URI does not have");
    }
    match specific.strip_prefix("//") {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => Err("no host"),
        None if specific.is_empty() => Err("nothing after the scheme"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grammar: fn(&str) -> Result<(), Fault>, good: &[&str], bad: &[&str]) {
        for name in good {
            assert_eq!(grammar(name), Ok(()), "{name}");
        }
        for name in bad {
            assert!(grammar(name).is_err(), "{name}");
        }
    }

    // 5280-7-1
    #[test]
    fn dns_names_are_lower_case_a_labels() {
        let longest = [["a".repeat(63).as_str(); 3].join("."), "a".repeat(61)].join(".");
        check(
            dns,
            &[
                "example.org",
                "localhost",
                "*.example.org",
                "xn--bcher-kva.example",
                "1.example",
                "a-b.c",
                &longest,
            ],
            &[
                "",
                ".",
                "example.org.",
                "Example.org",
                "a..b",
                ".a",
                "-a.b",
                "a-.b",
                "a_b.c",
                "*",
                "*.org",
                "a.*.org",
                "a*.b.org",
                "*.*.org",
                "ab--c.org",
                "192.0.2.1",
                "a b.org",
                "bücher.example",
                &format!("{longest}a"),
                &format!("{}.org", "a".repeat(64)),
            ],
        );
    }

    #[test]
    fn a_labels_must_be_punycode() {
        check(
            dns,
            &[
                "xn--mnchen-3ya.de",
                "xn--ls8h.la",
                "xn--fiqs8s.example",
                "xn--80ak6aa92e.com",
            ],
            &["xn--.de", "xn--a-.de", "xn--99999999.de", "xn--zzzzzzzzz.de"],
        );
    }

    #[test]
    fn mailboxes_are_bare_addresses() {
        check(
            email,
            &["ann@example.org", "a.b+c@Example.ORG", "o'neil@example.org"],
            &[
                "ann",
                "@a.org",
                "ann@",
                "Ann <ann@a.org>",
                "a@b@c.org",
                ".a@b.org",
                "a..b@c.org",
                "a@*.b.org",
                "\"a\"@b.c",
            ],
        );
        check(
            utf8_mailbox,
            &["jürgen@example.org", "用户@xn--fiqs8s.example"],
            &[
                "ann@example.org",
                "jürgen@bücher.example",
                "jürgen@Example.org",
                "\u{feff}jürgen@example.org",
            ],
        );
    }

    // 4985-2-1
    #[test]
    fn srv_ids_have_a_service_and_no_protocol() {
        check(
            srv,
            &["_imaps.example.net", "_xmpp-client.example.net", "_SIP.example.net"],
            &[
                "imaps.example.net",
                "_imaps",
                "_imaps._tcp.example.net",
                "_.a.org",
                "_imaps.*.a.org",
                "_imaps.A.org",
            ],
        );
    }

    #[test]
    fn uris_are_absolute() {
        check(
            absolute_uri,
            &[
                "https://example.org/",
                "urn:uuid:f81d4fae",
                "sip:ann@example.org",
                "spiffe://a.b/c",
            ],
            &[
                "/path",
                "example.org",
                "https://",
                "https:///path",
                "1a:b",
                "mailto:",
                "https://a b/",
                ":a",
            ],
        );
    }
}
