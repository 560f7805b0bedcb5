//! Content transfer encodings (RFC 2045 §6). Decoded is never longer than encoded.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit or binary.
    Identity,
    QuotedPrintable,
    Base64,
}

impl Encoding {
    /// Of the field's value; a missing field means 7bit.
    pub(crate) fn named(value: &str) -> Option<Self> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "7bit" | "8bit" | "binary" => Some(Self::Identity),
            "quoted-printable" => Some(Self::QuotedPrintable),
            "base64" => Some(Self::Base64),
            _ => None,
        }
    }

    pub(crate) fn decode(self, octets: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Identity => Some(octets.to_vec()),
            Self::QuotedPrintable => Some(quoted_printable(octets)),
            Self::Base64 => base64(octets),
        }
    }
}

/// With white space anywhere, padded or not.
pub(crate) fn base64(octets: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = octets
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    LENIENT.decode(packed).ok()
}

/// An escape that is none stays as it is (RFC 2045 §6.7, robust reader).
fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let content = line.strip_suffix(b"\r\n").unwrap_or(line);
        // Transports add white space to the ends of lines (rule 3).
        let content = content.trim_ascii_end();
        let (content, soft) = match content.strip_suffix(b"=") {
            Some(content) => (content, true),
            None => (content, false),
        };
        out.extend(unescaped(content, b'='));
        if !soft && line.ends_with(b"\n") {
            out.extend(b"\r\n");
        }
    }
    out
}

/// The Q encoding of encoded words (RFC 2047 §4.2).
pub(crate) fn q(octets: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = octets
        .iter()
        .map(|octet| if *octet == b'_' { b' ' } else { *octet })
        .collect();
    unescaped(&spaced, b'=')
}

/// Octets written as a mark and two hexadecimal digits.
pub(crate) fn unescaped(octets: &[u8], mark: u8) -> Vec<u8> {
    let digit = |at: usize| octets.get(at).and_then(|octet| char::from(*octet).to_digit(16));
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        match (octets[at] == mark, digit(at + 1), digit(at + 2)) {
            (true, Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(octets[at]);
                at += 1;
            }
        }
    }
    out
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    // 8823-3.2-4
    #[test]
    fn quoted_printable_and_base64_are_decoded() {
        let encoded = b"-----BEGIN=20ACME RESPONSE-----  \r\nLoq=\r\nXc=3D=C3=A9=XX\r\n";
        assert_eq!(
            Encoding::QuotedPrintable.decode(encoded).unwrap(),
            "-----BEGIN ACME RESPONSE-----\r\nLoqXc=\u{e9}=XX\r\n".as_bytes()
        );
        assert_eq!(Encoding::Base64.decode(b"SGF\r\nsbG8=\r\n").unwrap(), b"Hallo");
        assert_eq!(Encoding::Base64.decode(b"SGFsbG8").unwrap(), b"Hallo");
        assert_eq!(Encoding::Base64.decode(b"SGFs*"), None);
        assert_eq!(Encoding::named("x-uuencode"), None);
        assert_eq!(q(b"R=E9p_a"), b"R\xe9p a");
    }
}
