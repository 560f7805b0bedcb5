//! base64url without padding (RFC 4648 §5 as profiled by RFC 7515 §2).

use base64::{DecodeError, Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes bytes; the result has no `=`.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes text, accepting only what [`encode`] could have written.
///
/// A value with `=` is an error and is not repaired (RFC 8555 §6.1).
pub fn decode(text: &str) -> Result<Vec<u8>, Base64UrlError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(_, b'=') | DecodeError::InvalidPadding => Base64UrlError::Padding,
        DecodeError::InvalidByte(at, _) => Base64UrlError::Character { at },
        DecodeError::InvalidLength(_) => Base64UrlError::Length,
        DecodeError::InvalidLastSymbol { .. } => Base64UrlError::TrailingBits,
    })
}

/// Why a text is not base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base64UrlError {
    #[error("it is padded with \"=\"")]
    Padding,
    #[error("the character at byte {at} is outside of the base64url alphabet")]
    Character { at: usize },
    #[error("no bytes are encoded in a text of this length")]
    Length,
    #[error("the unused bits of the last character are not zero")]
    TrailingBits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\0", "AA"),
            (b"\xff\xfe", "__4"),
            (b"\xfb\xef\xbe", "----"),
            (b"f\xf0o\0", "ZvBvAA"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes);
        }
    }

    // 8555-6.1-5
    #[test]
    fn padding_the_other_alphabet_and_whitespace_are_refused() {
        for text in ["AA==", "AAA=", "AAAA=", "=", "A=A", "AA=A"] {
            assert_eq!(decode(text), Err(Base64UrlError::Padding), "{text}");
        }
        for (text, at) in [
            ("A+AA", 1),
            ("AAA/", 3),
            (" AAA", 0),
            ("AAA ", 3),
            ("AA\nAA", 2),
            ("AAAA\r\n", 4),
            ("AA\u{e9}", 2),
            ("AA.", 2),
        ] {
            assert_eq!(decode(text), Err(Base64UrlError::Character { at }), "{text:?}");
        }
    }

    // 8555-6.1-6
    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for text in ["AB", "Af", "AAB", "_w_", "AAAAAB"] {
            assert_eq!(decode(text), Err(Base64UrlError::TrailingBits), "{text}");
        }
        for text in ["A", "AAAAA", "AAAAAAAAA"] {
            assert_eq!(decode(text), Err(Base64UrlError::Length), "{text}");
        }
    }
}
