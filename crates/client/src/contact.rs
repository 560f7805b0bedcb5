//! How a CA may reach the subscriber (RFC 8555 §7.3).

use std::{fmt, str::FromStr};

/// A contact URL that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(String);

impl Contact {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Contact {
    type Err = ContactError;

    /// A bare address is taken for `mailto:`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = match text.contains(':') {
            true => text.to_owned(),
            false => format!("mailto:{text}"),
        };
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme || rest.is_empty() || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(ContactError::NotUrl(text.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("mailto") {
            // RFC 8555 §7.3: a client must not send header fields or more than one address, encoded or not.
            if rest.contains('?') {
                return Err(ContactError::HeaderFields(text.to_owned()));
            }
            if rest.contains(',') || rest.to_ascii_lowercase().contains("%2c") {
                return Err(ContactError::SeveralAddresses(text.to_owned()));
            }
            let is_address = rest
                .rsplit_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !local.contains('@') && !domain.is_empty());
            if !is_address {
                return Err(ContactError::NoAddress(text.to_owned()));
            }
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a contact is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    #[error("the contact {0:?} is not a URL; write mailto:name@example.org")]
    NotUrl(String),
    #[error("the contact {0:?} has header fields after \"?\", which RFC 8555 §7.3 forbids")]
    HeaderFields(String),
    #[error("the contact {0:?} has several addresses; give --contact once for each")]
    SeveralAddresses(String),
    #[error("the contact {0:?} has no mail address")]
    NoAddress(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-7.3-9
    #[test]
    fn a_mailto_with_header_fields_or_two_addresses_is_not_sent() {
        for text in ["mailto:a@x.test?subject=s", "a@x.test?cc=b@x.test"] {
            assert_eq!(
                text.parse::<Contact>(),
                Err(ContactError::HeaderFields(text.to_owned()))
            );
        }
        for text in [
            "mailto:a@x.test,b@x.test",
            "mailto:a@x.test%2Cb@x.test",
            "MAILTO:a@x.test%2cb@x.test",
        ] {
            assert_eq!(
                text.parse::<Contact>(),
                Err(ContactError::SeveralAddresses(text.to_owned()))
            );
        }
        for text in [
            "mailto:",
            "mailto:a",
            "mailto:@x",
            "mailto:a@",
            "a b@x.test",
            "",
            "mailto:a@x\r\ny",
            "mailto:a@b@c",
        ] {
            assert!(text.parse::<Contact>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_becomes_a_mailto_and_other_schemes_stay() {
        assert_eq!(
            "ann@example.org".parse::<Contact>().unwrap().as_str(),
            "mailto:ann@example.org"
        );
        assert_eq!(
            "tel:+15551234567".parse::<Contact>().unwrap().as_str(),
            "tel:+15551234567"
        );
    }
}
