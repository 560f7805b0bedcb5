//! Whom a hidden service lets issue, in the finalize request (RFC 9799 §6.4).

use serde::{Deserialize, Deserializer, Serialize};

/// One value of the member `onionCAA`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnionCaa {
    /// Records as in the service's descriptor, a line each; null where it has none, never left out.
    #[serde(deserialize_with = "present")]
    pub caa: Option<String>,
    /// In seconds since 1970, until when the set counts.
    pub expiry: u64,
    /// base64url, by the service's key over [`OnionCaa::signed_text`].
    pub signature: String,
}

impl OnionCaa {
    /// What a service signs.
    pub fn signed_text(expiry: u64, caa: Option<&str>) -> String {
        format!("onion-caa|{expiry}|{}", caa.unwrap_or_default())
    }
}

/// With this, an `Option` that is left out is an error.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    // 9799-6-1
    #[test]
    fn a_set_is_a_text_or_null_with_an_expiry_of_64_bits() {
        let read = |text: &str| serde_json::from_str::<OnionCaa>(text);
        let late = read(r#"{"caa": null, "expiry": 18446744073709551615, "signature": "AA"}"#).unwrap();
        assert_eq!((late.caa, late.expiry), (None, u64::MAX));
        assert_eq!(OnionCaa::signed_text(2_208_988_800, None), "onion-caa|2208988800|");
        assert_eq!(
            OnionCaa::signed_text(7, Some("caa 0 issue \";\"")),
            "onion-caa|7|caa 0 issue \";\""
        );
        for wrong in [
            r#"{"expiry": 1, "signature": "AA"}"#,
            r#"{"caa": null, "signature": "AA"}"#,
            r#"{"caa": null, "expiry": 1}"#,
            r#"{"caa": null, "expiry": "1", "signature": "AA"}"#,
            r#"{"caa": null, "expiry": 1.5, "signature": "AA"}"#,
            r#"{"caa": null, "expiry": -1, "signature": "AA"}"#,
            r#"{"caa": 7, "expiry": 1, "signature": "AA"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
