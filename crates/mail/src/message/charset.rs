//! What octets mean (RFC 2046 §4.1.2), as far as ACME's own words need it: they are ASCII.

/// The text, or `None` where the charset's lower half is not ASCII or it is unknown.
///
/// Of charsets that only share ASCII's half, the other half becomes U+FFFD: nothing that is looked for is in it, and a
/// table for each language's mail programs would be in nobody's interest.
pub(crate) fn decode(octets: &[u8], charset: &str) -> Option<String> {
    let charset = charset.to_ascii_lowercase();
    match charset.as_str() {
        "us-ascii" | "ascii" | "utf-8" | "utf8" => Some(String::from_utf8_lossy(octets).into_owned()),
        "iso-8859-1" | "latin1" => Some(octets.iter().copied().map(char::from).collect()),
        other if ASCII_BELOW.iter().any(|prefix| other.starts_with(prefix)) => {
            let lower = |octet: &u8| {
                if octet.is_ascii() {
                    char::from(*octet)
                } else {
                    '\u{fffd}'
                }
            };
            Some(octets.iter().map(lower).collect())
        }
        _ => None,
    }
}

/// Beginnings of names whose octets below 128 are ASCII wherever they stand. Shift_JIS, Big5 and GBK are not among them:
/// their second octets can look like letters.
const ASCII_BELOW: [&str; 6] = ["iso-8859-", "windows-125", "koi8-", "euc-", "gb2312", "windows-874"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ascii_is_read_in_every_charset_that_has_it() {
        assert_eq!(decode(b"R\xe9p: ACME", "ISO-8859-1").unwrap(), "R\u{e9}p: ACME");
        assert_eq!(decode("R\u{e9}p".as_bytes(), "UTF-8").unwrap(), "R\u{e9}p");
        assert_eq!(decode(b"\xc0 ACME", "koi8-r").unwrap(), "\u{fffd} ACME");
        for charset in ["utf-16", "utf-7", "shift_jis", "x"] {
            assert_eq!(decode(b"ACME", charset), None);
        }
    }
}
