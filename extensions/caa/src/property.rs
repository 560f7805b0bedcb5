//! One CAA record (RFC 8659 §4.1).

use std::fmt;

use validation::excerpt;

/// A property: what one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub flags: u8,
    /// Lower case.
    pub tag: String,
    pub value: Vec<u8>,
}

/// Data that is no property. Somebody meant something by it, and nobody can say what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is too short to have a tag")]
    Short,
    #[error("its tag has no letter")]
    NoTag,
    #[error("its tag has other characters than letters and digits")]
    Tag,
}

impl Property {
    /// Reads a record's data.
    pub fn read(data: &[u8]) -> Result<Self, Unreadable> {
        let [flags, length, rest @ ..] = data else {
            return Err(Unreadable::Short);
        };
        let (tag, value) = rest.split_at_checked(usize::from(*length)).ok_or(Unreadable::Short)?;
        if tag.is_empty() {
            return Err(Unreadable::NoTag);
        }
        if !tag.iter().all(u8::is_ascii_alphanumeric) {
            return Err(Unreadable::Tag);
        }
        Ok(Self {
            flags: *flags,
            tag: String::from_utf8_lossy(tag).to_ascii_lowercase(),
            value: value.to_vec(),
        })
    }

    /// The most significant bit; the others are reserved and mean nothing yet (RFC 8659 §4.1).
    pub fn is_critical(&self) -> bool {
        self.flags & 0x80 != 0
    }

    /// A record as text for evidence, whether or not it can be read.
    pub fn show(data: &[u8]) -> String {
        match Self::read(data) {
            Ok(property) => property.to_string(),
            Err(_) => format!("\\# {} {}", data.len(), excerpt::quoted(data, SHOWN)),
        }
    }
}

/// The presentation form (RFC 8659 §4.1.1), escaped, and cut where it is longer than anybody means.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = excerpt::quoted(&self.value, SHOWN);
        write!(f, "{} {} {value}", self.flags, self.tag)
    }
}

/// An issuer's name and an account's URL fit.
const SHOWN: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    // 8659-4-2, 8659-4.1-1
    #[test]
    fn a_record_is_flags_tag_and_value() {
        let property = Property::read(b"\x80\x05IsSuEca.example").unwrap();
        assert_eq!(
            (property.tag.as_str(), property.value.as_slice()),
            ("issue", &b"ca.example"[..])
        );
        assert!(property.is_critical());
        assert_eq!(property.to_string(), "128 issue \"ca.example\"");
        for reserved in [0, 1, 2, 64, 127] {
            assert!(!Property::read(&[reserved, 1, b'a']).unwrap().is_critical());
        }
        assert!(Property::read(&[255, 1, b'a']).unwrap().is_critical());
        assert_eq!(Property::read(b"\0\x05issue").unwrap().value, b"");
    }

    // T10
    #[test]
    fn t10_data_that_is_no_property_is_told_from_one() {
        for (data, why) in [
            (&b""[..], Unreadable::Short),
            (b"\0", Unreadable::Short),
            (b"\0\x06issue", Unreadable::Short),
            (b"\0\xff", Unreadable::Short),
            (b"\0\0", Unreadable::NoTag),
            (b"\0\0issue", Unreadable::NoTag),
            (b"\0\x06is-sueca.example", Unreadable::Tag),
            (b"\0\x06issue ca.example", Unreadable::Tag),
            (b"\0\x02\xc3\xa9", Unreadable::Tag),
        ] {
            assert_eq!(Property::read(data), Err(why), "{data:?}");
            assert!(Property::show(data).starts_with("\\# "));
        }
    }

    #[test]
    fn a_value_is_shown_escaped_and_bounded() {
        let text = Property::show(&[b"\0\x05issue", &b"\"\n\xff".repeat(30_000)[..]].concat());
        assert!(text.starts_with(r#"0 issue "\"\n\xff"#), "{text}");
        assert!(text.is_ascii() || text.contains('…'));
        assert!(text.len() < 4 * SHOWN + 64, "{}", text.len());
    }
}
