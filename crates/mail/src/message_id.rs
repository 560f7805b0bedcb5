//! Message identifiers (RFC 5322 §3.6.4).

use std::fmt;

use crate::message::domain::Domain;

/// `<left@right>`, without anything that could end its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// Of something unique; `None` where it has other characters than letters, digits, `.`, `-` and `_`.
    pub fn new(unique: &str, domain: &Domain) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let sound = !unique.is_empty() && unique.len() <= 200 && unique.chars().all(is_plain);
        sound.then(|| Self(format!("<{unique}@{domain}>")))
    }

    /// As it stands in a field, brackets and all. What stands between them is taken as it is: people write what they like.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix('<')?.strip_suffix('>')?;
        let is_id = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | '\u{fffd}');
        (!inner.is_empty() && inner.len() <= MAX && inner.chars().all(is_id)).then(|| Self(format!("<{inner}>")))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line has 998 octets at most, and a name before it (RFC 5322 §2.1.1).
const MAX: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_ends_no_line() {
        let domain = Domain::parse("ca.test").unwrap();
        assert_eq!(
            MessageId::new("5f3c.1", &domain).unwrap().to_string(),
            "<5f3c.1@ca.test>"
        );
        assert_eq!(MessageId::parse(" <A@b> ").unwrap().to_string(), "<A@b>");
        for text in ["a@b", "<>", "<a b>", "<a\r\nX: y>", "<a><b>", "<\u{fffd}@b>"] {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
        for unique in ["", "a b", "a@b", "a\r\n"] {
            assert_eq!(MessageId::new(unique, &domain), None);
        }
    }
}
