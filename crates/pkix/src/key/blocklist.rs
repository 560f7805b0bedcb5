//! Keys that nobody may use, by the SHA-256 of their SubjectPublicKeyInfo.
//!
//! The list is a file that the operator fills: keys reported as compromised, and the keys that Debian's OpenSSL of
//! 2006 to 2008 could generate. That list is long and is not shipped; `openssl-blacklist` and the key archives give the
//! keys, from which fingerprints are computed once.

use std::collections::HashSet;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBlocklist(HashSet<[u8; 32]>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: not the SHA-256 of a key in 64 hexadecimal digits")]
pub struct BlocklistError {
    pub line: usize,
}

impl KeyBlocklist {
    /// One fingerprint a line; empty lines and what follows a `#` mean nothing.
    pub fn parse(text: &str) -> Result<Self, BlocklistError> {
        let content = |line: &'_ str| line.split('#').next().unwrap_or_default().trim().to_owned();
        let entries = text
            .lines()
            .map(content)
            .enumerate()
            .filter(|(_, content)| !content.is_empty());
        entries
            .map(|(index, digits)| fingerprint(&digits).ok_or(BlocklistError { line: index + 1 }))
            .collect()
    }

    pub fn insert(&mut self, fingerprint: [u8; 32]) {
        self.0.insert(fingerprint);
    }

    pub fn contains(&self, fingerprint: &[u8; 32]) -> bool {
        self.0.contains(fingerprint)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<[u8; 32]> for KeyBlocklist {
    fn from_iter<T: IntoIterator<Item = [u8; 32]>>(fingerprints: T) -> Self {
        Self(fingerprints.into_iter().collect())
    }
}

fn fingerprint(digits: &str) -> Option<[u8; 32]> {
    let octets = crate::encoding::from_hex(digits)?;
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_fingerprint_a_line_and_comments() {
        let list = KeyBlocklist::parse(&format!(
            "# ours\n\n{}  # lost in May\n{}\n",
            "ab".repeat(32),
            "CD".repeat(32)
        ));
        let list = list.unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&[0xab; 32]) && list.contains(&[0xcd; 32]) && !list.contains(&[0; 32]));
    }

    #[test]
    fn a_line_that_is_no_fingerprint_is_named() {
        assert_eq!(KeyBlocklist::parse("# a\nabcd\n"), Err(BlocklistError { line: 2 }));
        assert_eq!(KeyBlocklist::parse(&"é".repeat(32)), Err(BlocklistError { line: 1 }));
    }
}
