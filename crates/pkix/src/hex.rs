//! Octets as hexadecimal digits, as people write serial numbers and digests.

/// Lower case, two digits an octet.
pub fn encode(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Two digits of either case an octet; `None` for anything else, signs and spaces among it.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks();
    let octets = pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?));
    rest.is_empty().then(|| octets.collect()).flatten()
}

fn digit(character: u8) -> Option<u8> {
    let digit = char::from(character).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        assert_eq!(encode(&[0, 15, 255]), "000fff");
        assert_eq!(decode("000fFF"), Some(vec![0, 15, 255]));
        assert_eq!(decode(""), Some(vec![]));
        for wrong in ["0", "0g", "+1", "-1", " 1", "0x", "é"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
