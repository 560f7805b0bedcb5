//! What a certificate is called on disk.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::identifier::Identifier;

/// A name that is safe as a file name: it holds no slash and does not begin with a dot or a hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateName(String);

impl CertificateName {
    /// The first name of a certificate names it: `www.example.org`, `_.example.org` for the wildcard, `2001-db8--1`.
    pub fn of(identifier: &Identifier) -> Self {
        Self(match identifier {
            Identifier::Dns(name) | Identifier::Srv(name) => name.clone(),
            Identifier::Email(mailbox) => of_mailbox(mailbox),
            Identifier::Wildcard(base) => format!("_.{base}"),
            // An address may begin with two colons.
            Identifier::Ip(address) => match address.to_string().replace(':', "-") {
                text if text.starts_with('-') => format!("0{text}"),
                text => text,
            },
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The mailbox itself where that is a name; else its domain, with a digest that tells it from the others there.
fn of_mailbox(mailbox: &str) -> String {
    let domain = mailbox.rsplit_once('@').map_or("", |(_, domain)| domain);
    if mailbox.parse::<CertificateName>().is_ok() {
        return mailbox.to_owned();
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, mailbox.as_bytes());
    let digest = pkix::hex::encode(&digest.as_ref()[..8]);
    format!("{digest}@{}", &domain[..domain.len().min(180)])
}

impl FromStr for CertificateName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@' | b'+');
        let is_name = (1..=200).contains(&text.len()) && !text.starts_with(['.', '-']) && text.bytes().all(is_safe);
        is_name
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| NameError(text.to_owned()))
    }
}

impl TryFrom<String> for CertificateName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> Self {
        name.0
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text cannot name a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot name a certificate: letters, digits and . - _ @ + can, and a letter, digit or _ in front")]
pub struct NameError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_gives_a_name_that_is_accepted() {
        for (text, name) in [
            ("www.example.org", "www.example.org"),
            ("*.example.org", "_.example.org"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "0--1"),
            ("2001:db8::1", "2001-db8--1"),
        ] {
            let named = CertificateName::of(&text.parse().unwrap());
            assert_eq!(named.as_str(), name);
            assert_eq!(named.as_str().parse(), Ok(named));
        }
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for text in ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "a b", "a\0", "ä"] {
            assert!(text.parse::<CertificateName>().is_err(), "{text}");
        }
    }
}
