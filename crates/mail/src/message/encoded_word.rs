//! Encoded words in unstructured text (RFC 2047, with the languages of RFC 2231 §5).

use super::{charset, transfer};

/// The text with its encoded words decoded. One that cannot be stays as it is (RFC 2047 §6.3).
pub(crate) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = String::new();
    let mut after_word = false;
    for piece in text.split_inclusive([' ', '\t']) {
        let content = piece.trim_end_matches([' ', '\t']);
        let space = &piece[content.len()..];
        if content.is_empty() {
            gap.push_str(space);
            continue;
        }
        let mut rest = content;
        while !rest.is_empty() {
            let (word, len) = match first(rest) {
                Some((word, len)) => (Some(word), len),
                None => (None, next_start(rest)),
            };
            // White space between two encoded words is no part of the text (§6.2).
            if !(after_word && word.is_some()) {
                out.push_str(&gap);
            }
            gap.clear();
            after_word = word.is_some();
            out.push_str(word.as_deref().unwrap_or(&rest[..len]));
            rest = &rest[len..];
        }
        gap.push_str(space);
    }
    out.push_str(&gap);
    out
}

/// An encoded word at the beginning, and its length.
fn first(text: &str) -> Option<(String, usize)> {
    let text = &text[..text.floor_char_boundary(MAX_WORD)];
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, _) = rest.split_once("?=")?;
    let charset = charset.split('*').next()?;
    let octets = match encoding {
        "Q" | "q" => transfer::q(content.as_bytes()),
        "B" | "b" => transfer::base64(content.as_bytes())?,
        _ => return None,
    };
    let len = "=????=".len() + text[2..].find('?')? + encoding.len() + content.len();
    Some((charset::decode(&octets, charset)?, len))
}

/// Where the next encoded word could begin.
fn next_start(text: &str) -> usize {
    let skipped = text.chars().next().map_or(0, char::len_utf8);
    text[skipped..].find("=?").map_or(text.len(), |at| skipped + at)
}

/// RFC 2047 §2 allows 75; some programs write longer ones. The bound keeps words without an end from being looked through
/// again and again.
const MAX_WORD: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    // 8823-3.1-1
    #[test]
    fn encoded_words_are_read_and_white_space_between_them_is_not() {
        for (text, decoded) in [
            ("Re: ACME: abc", "Re: ACME: abc"),
            ("=?utf-8?Q?ACME:_ab?= =?UTF-8?B?Y2Q=?=", "ACME: abcd"),
            ("=?us-ascii*en?q?ACME=3A?=  abc", "ACME:  abc"),
            ("=?ISO-8859-1?Q?R=E9p_=3A?= ACME: abc", "R\u{e9}p : ACME: abc"),
            ("x=?utf-8?q?y?=z", "xyz"),
            (
                "=?utf-16?b?AAAA?= =?bad =?utf-8?x?a?=",
                "=?utf-16?b?AAAA?= =?bad =?utf-8?x?a?=",
            ),
            ("  a  b ", "  a  b "),
        ] {
            assert_eq!(decode(text), decoded);
        }
    }

    // 8823-3-14
    #[test]
    fn words_without_an_end_cost_no_more_than_others() {
        let text = "=?a?q?x".repeat(9000);
        assert_eq!(decode(&text), text);
    }
}
