//! One mail address: of a field that must hold exactly one (RFC 5322 §3.4, RFC 6532 §3.2).

use std::fmt;

use super::domain::Domain;

/// An address whose domain is in its one form and whose local part is as it was written: only the host that has the
/// mailbox knows which local parts are the same (RFC 5321 §2.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    local: String,
    domain: Domain,
}

impl Mailbox {
    /// An `addr-spec` and nothing around it. Quotes that a local part need not have are no part of it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        // A quoted local part may hold an at sign, a domain never.
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoDomain)?;
        if domain.starts_with('[') {
            return Err(AddressError::Literal);
        }
        let domain = Domain::parse(domain).ok_or_else(|| AddressError::Domain(shown(domain)))?;
        let local = local_part(local).ok_or_else(|| AddressError::Local(shown(local)))?;
        if local.len() > MAX_LOCAL {
            return Err(AddressError::TooLong);
        }
        Ok(Self { local, domain })
    }

    /// The one mailbox of an unfolded field, with a display name and comments or without. Lists and groups are refused,
    /// also those of one (RFC 6854 allows them in From).
    pub fn only(value: &str) -> Result<Self, AddressError> {
        let bare = without_comments(value)?;
        let specials = specials(&bare)?;
        let outside = |wanted: char| specials.iter().any(|(_, special)| *special == wanted);
        if outside('[') {
            return Err(AddressError::Literal);
        }
        if outside(':') || outside(';') {
            return Err(AddressError::Group);
        }
        if outside(',') {
            return Err(AddressError::Several);
        }
        match specials.as_slice() {
            [] => Err(AddressError::NoDomain),
            [(_, '@')] => Self::parse(bare.trim()),
            [(open, '<'), between @ .., (close, '>')] if between.len() < 2 => {
                if !bare[close + 1..].trim().is_empty() {
                    return Err(AddressError::Malformed);
                }
                Self::parse(&bare[open + 1..*close])
            }
            _ => Err(AddressError::Malformed),
        }
    }

    /// Without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii()
    }
}

/// As an `addr-spec`, quoted where it must be.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_atom(&self.local) {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        let escaped = self.local.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "\"{escaped}\"@{}", self.domain)
    }
}

fn local_part(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return is_dot_atom(text).then(|| text.to_owned());
    };
    let mut local = String::new();
    let mut chars = quoted.strip_suffix('"')?.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => return None,
            '\\' => local.push(chars.next().filter(|c| !c.is_control())?),
            c if c.is_control() => return None,
            c => local.push(c),
        }
    }
    (!local.is_empty()).then_some(local)
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

/// RFC 5322 §3.2.3, RFC 6532 §3.2. Octets that were not UTF-8 have become U+FFFD, which is nobody's.
fn is_atom(c: char) -> bool {
    match c {
        '\u{fffd}' => false,
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !c.is_control() && !c.is_whitespace(),
    }
}

/// Each comment becomes a space (RFC 5322 §3.2.2).
fn without_comments(value: &str) -> Result<String, AddressError> {
    let (mut out, mut depth, mut quoted) = (String::new(), 0_u32, false);
    let mut chars = value.chars();
    while let Some(next) = chars.next() {
        match next {
            '\\' => {
                let escaped = chars.next().ok_or(AddressError::Malformed)?;
                if depth == 0 {
                    out.extend(['\\', escaped]);
                }
            }
            '"' if depth == 0 => {
                quoted = !quoted;
                out.push('"');
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth = depth.checked_sub(1).ok_or(AddressError::Malformed)?;
                out.push(' ');
            }
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    match (depth, quoted) {
        (0, false) => Ok(out),
        _ => Err(AddressError::Malformed),
    }
}

/// Where characters with a meaning stand outside of quotes.
fn specials(text: &str) -> Result<Vec<(usize, char)>, AddressError> {
    let (mut found, mut quoted) = (Vec::new(), false);
    let mut chars = text.char_indices();
    while let Some((at, next)) = chars.next() {
        match next {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            '\\' => return Err(AddressError::Malformed),
            '<' | '>' | '@' | ',' | ':' | ';' | '[' if !quoted => found.push((at, next)),
            _ => {}
        }
    }
    Ok(found)
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}

/// Why a text is not one address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("it has no address in it")]
    NoDomain,
    #[error("it has several addresses; one is wanted")]
    Several,
    #[error("it is a group; one address is wanted")]
    Group,
    #[error("its domain is an address literal; a domain name is wanted")]
    Literal,
    #[error("\"{0}\" is no domain name")]
    Domain(String),
    #[error("\"{0}\" is no local part")]
    Local(String),
    #[error("it is longer than an address can be (RFC 5321 section 4.5.3.1)")]
    TooLong,
    #[error("its quotes, comments or brackets do not fit together")]
    Malformed,
}

/// RFC 5321 §4.5.3.1.1, without quotes.
const MAX_LOCAL: usize = 64;
/// A local part in quotes with every character escaped, and a domain of U-labels.
const MAX_ADDRESS: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;

    // 8823-3-1, 8823-3-2
    #[test]
    fn addresses_have_one_form_and_local_parts_stay_as_they_are() {
        for (value, form) in [
            ("Alice@Alpha.Test", "Alice@alpha.test"),
            ("<a+b@alpha.test>", "a+b@alpha.test"),
            ("Alice Q. Doe <alice@alpha.test> (at work)", "alice@alpha.test"),
            ("\"bob@beta.test, x\" <alice@alpha.test>", "alice@alpha.test"),
            ("(c (nested) \\) ) alice@alpha.test", "alice@alpha.test"),
            (
                "=?utf-8?q?Al?= <alice@b\u{fc}cher.example>",
                "alice@xn--bcher-kva.example",
            ),
            ("\"alice\"@alpha.test", "alice@alpha.test"),
            ("\"a b\\\"@\"@alpha.test", "\"a b\\\"@\"@alpha.test"),
            ("\u{7528}\u{6237}@alpha.test", "\u{7528}\u{6237}@alpha.test"),
        ] {
            let mailbox = Mailbox::only(value).unwrap_or_else(|error| panic!("{value}: {error}"));
            assert_eq!(mailbox.to_string(), form);
            assert_eq!(Mailbox::only(form), Ok(mailbox));
        }
    }

    // 8823-3.2-8
    #[test]
    fn whatever_is_not_one_address_is_refused_by_its_own_reason() {
        for (value, error) in [
            ("alice@alpha.test, bob@beta.test", AddressError::Several),
            ("alice@alpha.test,", AddressError::Several),
            ("us: alice@alpha.test;", AddressError::Group),
            ("undisclosed-recipients:;", AddressError::Group),
            ("alice@[192.0.2.1]", AddressError::Literal),
            ("Alice", AddressError::NoDomain),
            ("", AddressError::NoDomain),
            ("<>", AddressError::Malformed),
            ("alice@alpha.test <bob@beta.test>", AddressError::Malformed),
            ("<alice@alpha.test> <bob@beta.test>", AddressError::Malformed),
            ("<alice@alpha.test> bob", AddressError::Malformed),
            ("\"alice@alpha.test", AddressError::Malformed),
            ("alice@alpha.test (", AddressError::Malformed),
            ("a@b@alpha.test", AddressError::Malformed),
            ("al(x)ice@alpha.test", AddressError::Local("al ice".into())),
            ("al..ice@alpha.test", AddressError::Local("al..ice".into())),
            ("al\u{fffd}@alpha.test", AddressError::Local("al\u{fffd}".into())),
            ("alice@alpha_x.test", AddressError::Domain("alpha_x.test".into())),
        ] {
            match Mailbox::only(value) {
                Err(seen)
                    if matches!(
                        (&seen, &error),
                        (
                            AddressError::Malformed | AddressError::NoDomain,
                            AddressError::Malformed | AddressError::NoDomain
                        )
                    ) => {}
                seen => assert_eq!(seen, Err(error), "{value}"),
            }
        }
        assert_eq!(
            Mailbox::parse(&format!("{}@a.test", "a".repeat(65))),
            Err(AddressError::TooLong)
        );
    }
}
