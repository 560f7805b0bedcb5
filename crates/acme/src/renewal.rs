//! Renewal information and how a certificate is named in it (RFC 9773).

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use jose::base64url;
use serde::{Deserialize, Serialize};

/// RFC 9773 §4.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInfo {
    pub suggested_window: Window,
    #[serde(rename = "explanationURL", default, skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

/// The time in which renewal is suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Window {
    /// RFC 9773 §4.2: one that ends before it has begun is never sent, and counts for nothing.
    pub fn is_valid(&self) -> bool {
        self.end > self.start
    }
}

/// A certificate's name in URLs and in `replaces` (RFC 9773 §4.1): the issuer's key identifier and the serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RenewalId {
    key_identifier: Vec<u8>,
    serial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write base64url of the authority key identifier, a period, and base64url of the serial number")]
pub struct RenewalIdError;

impl RenewalId {
    /// `serial` is the content of the INTEGER in DER: a leading zero octet belongs to it.
    pub fn new(key_identifier: impl Into<Vec<u8>>, serial: impl Into<Vec<u8>>) -> Self {
        Self {
            key_identifier: key_identifier.into(),
            serial: serial.into(),
        }
    }

    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    pub fn serial(&self) -> &[u8] {
        &self.serial
    }
}

impl fmt::Display for RenewalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, serial) = (base64url::encode(&self.key_identifier), base64url::encode(&self.serial));
        write!(f, "{key}.{serial}")
    }
}

impl FromStr for RenewalId {
    type Err = RenewalIdError;

    fn from_str(text: &str) -> Result<Self, RenewalIdError> {
        let octets = |part: &str| {
            let octets = base64url::decode(part).ok()?;
            (!octets.is_empty()).then_some(octets)
        };
        if text.len() > LONGEST {
            return Err(RenewalIdError);
        }
        let (key, serial) = text.split_once('.').ok_or(RenewalIdError)?;
        Ok(Self {
            key_identifier: octets(key).ok_or(RenewalIdError)?,
            serial: octets(serial).ok_or(RenewalIdError)?,
        })
    }
}

/// A hash of 64 octets and a serial of 20 need less.
const LONGEST: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    // 9773-4.1-1, 9773-4.1-3
    #[test]
    fn the_example_of_the_rfc_is_written_and_read() {
        let key: Vec<u8> = "69885B6B87464041E1B37B847BA0AE2CDE01C8D4"
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let id = RenewalId::new(key, [0x00, 0x87, 0x65, 0x43, 0x21]);
        assert_eq!(id.to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    // 9773-4.1-2
    #[test]
    fn what_no_certificate_is_called_is_refused() {
        let long = "A".repeat(200);
        for wrong in [
            "",
            ".",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
            ".AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE.x",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE/",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ/AIdlQyE",
            "a+hba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
            &format!("{long}.AA"),
        ] {
            assert_eq!(wrong.parse::<RenewalId>(), Err(RenewalIdError), "{wrong}");
        }
    }

    // 9773-4.2-1
    #[test]
    fn the_object_is_that_of_the_rfc() {
        let text = r#"{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00Z"},"explanationURL":"https://acme.example.com/docs/ari"}"#;
        let info: RenewalInfo = serde_json::from_str(text).unwrap();
        assert!(info.suggested_window.is_valid());
        assert_eq!(serde_json::to_string(&info).unwrap(), text);
    }
}
