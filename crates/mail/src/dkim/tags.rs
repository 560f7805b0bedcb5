//! Lists of tags, `a=b; c=d` (RFC 6376 §3.2): of signatures, of key records and of DMARC records.

use std::ops::Range;

/// The tags of a text, each with where its value stands.
#[derive(Clone, Debug)]
pub(crate) struct Tags<'a> {
    text: &'a str,
    tags: Vec<(&'a str, Range<usize>)>,
}

impl<'a> Tags<'a> {
    /// Strict: every piece has a name and a value, no name stands twice. The text may be folded.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TagError> {
        let mut tags: Vec<(&str, Range<usize>)> = Vec::new();
        let mut at = 0;
        let pieces: Vec<&str> = text.split(';').collect();
        for (index, piece) in pieces.iter().enumerate() {
            let start = at;
            at += piece.len() + 1;
            if piece.trim().is_empty() && index + 1 == pieces.len() {
                break;
            }
            let equals = piece.find('=').ok_or(TagError::NoValue)?;
            let name = piece[..equals].trim();
            if !is_name(name) {
                return Err(TagError::Name);
            }
            if tags.iter().any(|(known, _)| *known == name) {
                return Err(TagError::Twice);
            }
            if tags.len() == MAX_TAGS {
                return Err(TagError::TooMany);
            }
            tags.push((name, start + equals + 1..start + piece.len()));
        }
        Ok(Self { text, tags })
    }

    /// The value, trimmed; what is folded within stays.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.range(name).map(|range| self.text[range].trim())
    }

    /// The value without any white space.
    pub(crate) fn packed(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.split_whitespace().collect())
    }

    /// Where the value stands, with the white space around it.
    pub(crate) fn range(&self, name: &str) -> Option<Range<usize>> {
        let found = self.tags.iter().find(|(known, _)| *known == name);
        found.map(|(_, range)| range.clone())
    }

    pub(crate) fn first(&self) -> Option<&'a str> {
        self.tags.first().map(|(name, _)| *name)
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("a tag has no \"=\"")]
    NoValue,
    #[error("a tag has no name, or one that is none")]
    Name,
    #[error("a tag stands twice")]
    Twice,
    #[error("there are more than {MAX_TAGS} tags")]
    TooMany,
}

/// Twice as many as are defined.
const MAX_TAGS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_places() {
        let text = " v=1; a = rsa-sha256 ;\r\n b=A\r\n\tB= =; h=from : to;";
        let tags = Tags::parse(text).unwrap();
        assert_eq!(tags.value("a"), Some("rsa-sha256"));
        assert_eq!(tags.packed("b").unwrap(), "AB==");
        assert_eq!(&text[tags.range("b").unwrap()], "A\r\n\tB= =");
        assert_eq!((tags.first(), tags.value("x")), (Some("v"), None));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for (text, error) in [
            ("v=1; a", TagError::NoValue),
            ("v=1;; a=b", TagError::NoValue),
            ("=1", TagError::Name),
            ("1a=1", TagError::Name),
            ("a=1; b=2; a=3", TagError::Twice),
        ] {
            assert_eq!(Tags::parse(text).unwrap_err(), error, "{text}");
        }
    }
}
