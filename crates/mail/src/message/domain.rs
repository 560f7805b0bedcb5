//! Domains of mail addresses and signatures (RFC 5321 §2.3.5, RFC 6531 §3.2, RFC 8616 §4).

use std::fmt;

/// A domain name in its one form: A-labels in lower case, no final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Of A-labels or U-labels in any letter case. Address literals are no domains.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT || text.ends_with('.') {
            return None;
        }
        let ascii = idna::domain_to_ascii_strict(text).ok()?;
        let last = ascii.rsplit('.').next()?;
        let numeric = last.bytes().all(|octet| octet.is_ascii_digit());
        (!numeric && ascii.split('.').all(|label| !label.is_empty())).then_some(Self(ascii))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain above; `None` above a single label.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, parent)| Self(parent.to_owned()))
    }

    pub fn labels(&self) -> usize {
        self.0.split('.').count()
    }

    /// Whether it is `other` or below it.
    pub fn is_within(&self, other: &Domain) -> bool {
        self.0
            .strip_suffix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// U-labels are longer in UTF-8 than their A-labels, but not by more than this.
const MAX_TEXT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    // 8823-3-2
    #[test]
    fn domains_have_one_form() {
        for (text, form) in [
            ("Alpha.TEST", "alpha.test"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), form);
        }
        for text in [
            "",
            ".",
            "a..b",
            "a.b.",
            "-a.b",
            "a_b.c",
            "[192.0.2.1]",
            "192.0.2.1",
            "a b",
            "a@b",
        ] {
            assert_eq!(Domain::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn below_means_whole_labels() {
        let [a, b, c] = ["alpha.test", "mail.alpha.test", "notalpha.test"].map(|text| Domain::parse(text).unwrap());
        assert!(a.is_within(&a) && b.is_within(&a));
        assert!(!a.is_within(&b) && !c.is_within(&a));
        assert_eq!(b.parent(), Some(a));
    }
}
