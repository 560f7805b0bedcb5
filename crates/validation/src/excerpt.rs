//! What came from the network, bounded and escaped, for evidence and problem documents.

/// The beginning of `bytes`, printable ASCII only, in quotes; `…` says that there was more.
///
/// Escaping makes at most four characters of one byte, so the text is bounded as well.
pub fn quoted(bytes: &[u8], limit: usize) -> String {
    format!("\"{}\"", plain(bytes, limit))
}

/// As [`quoted`], without the quotes.
pub fn plain(bytes: &[u8], limit: usize) -> String {
    let shown = &bytes[..bytes.len().min(limit)];
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_quotes_and_other_bytes_are_escaped() {
        assert_eq!(quoted(b"a\r\n\"\x1b[31m\xff", 100), r#""a\r\n\"\x1b[31m\xff""#);
    }

    #[test]
    fn what_exceeds_the_limit_is_left_out_and_marked() {
        assert_eq!(plain(b"abcdef", 6), "abcdef");
        assert_eq!(plain(b"abcdefg", 6), "abcdef…");
    }
}
