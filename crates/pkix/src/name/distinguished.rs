//! Distinguished names (RFC 5280 §4.1.2.4), kept as DER.

use std::fmt;

use der::asn1::{AnyRef, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Sequence, Tag, Tagged, ValueOrd};

use super::NameError;
use crate::{ObjectIdentifier, encoding, oid};

/// A name of issuer or subject. Compared octet by octet, since a chain must repeat the issuer's name as it stands
/// (RFC 5280 §6.1.3 (a)(4), §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence, ValueOrd)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    value: AnyRef<'a>,
}

type RelativeNames<'a> = Vec<SetOfVec<Attribute<'a>>>;

/// ub-common-name and ub-organization-name (RFC 5280 A.1), in characters.
const LONGEST: usize = 64;

impl DistinguishedName {
    /// The subject of a certificate whose names are all alternative names.
    pub fn empty() -> Self {
        Self { der: vec![0x30, 0x00] }
    }

    pub fn with_common_name(common_name: &str) -> Result<Self, NameError> {
        Self::of(&[(oid::COMMON_NAME, common_name)])
    }

    /// The usual name of an authority.
    pub fn with_organization(organization: &str, common_name: &str) -> Result<Self, NameError> {
        Self::of(&[(oid::ORGANIZATION, organization), (oid::COMMON_NAME, common_name)])
    }

    fn of(attributes: &[(ObjectIdentifier, &str)]) -> Result<Self, NameError> {
        let mut names = RelativeNames::new();
        for (kind, text) in attributes {
            let mut name = SetOfVec::new();
            name.insert(Attribute {
                kind: *kind,
                value: directory_string(text)?,
            })?;
            names.push(name);
        }
        Ok(Self {
            der: encoding::encode(&names),
        })
    }

    /// Takes a name whose structure is right; the strings in it are looked at when they are asked for.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        let names: RelativeNames<'_> = encoding::decode(der)?;
        if names.iter().any(SetOfVec::is_empty) {
            return Err(NameError::EmptyRelativeName);
        }
        Ok(Self { der: der.to_vec() })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn into_der(self) -> Vec<u8> {
        self.der
    }

    pub fn is_empty(&self) -> bool {
        self.der == [0x30, 0x00]
    }

    /// Every common name that says something, in order.
    pub fn common_names(&self) -> Result<Vec<String>, NameError> {
        let names = self.relative_names();
        let attributes = names
            .iter()
            .flat_map(SetOfVec::iter)
            .filter(|attribute| attribute.kind == oid::COMMON_NAME);
        let texts: Result<Vec<_>, _> = attributes.map(|attribute| text(attribute.value)).collect();
        Ok(texts?
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn relative_names(&self) -> RelativeNames<'_> {
        encoding::decode(&self.der).expect("invariant: every constructor made or checked this DER")
    }
}

/// RFC 5280 §4.1.2.4 allows two string types; the older one where it suffices, since everybody compares it alike.
fn directory_string(text: &str) -> Result<AnyRef<'_>, NameError> {
    if text.chars().count() > LONGEST {
        return Err(NameError::TooLong(text.to_owned()));
    }
    match PrintableStringRef::new(text) {
        Ok(printable) => Ok(printable.into()),
        Err(_) => Ok(Utf8StringRef::new(text)?.into()),
    }
}

fn text(value: AnyRef<'_>) -> Result<&str, NameError> {
    match value.tag() {
        Tag::Utf8String => Ok(value.decode_as::<Utf8StringRef<'_>>()?.as_str()),
        Tag::PrintableString => Ok(value.decode_as::<PrintableStringRef<'_>>()?.as_str()),
        other => Err(NameError::StringType(other.to_string())),
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.relative_names();
        let attributes = names.iter().flat_map(SetOfVec::iter);
        for (position, Attribute { kind, value }) in attributes.enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            match *kind {
                oid::COMMON_NAME => write!(f, "{separator}CN=")?,
                oid::COUNTRY => write!(f, "{separator}C=")?,
                oid::LOCALITY => write!(f, "{separator}L=")?,
                oid::STATE => write!(f, "{separator}ST=")?,
                oid::ORGANIZATION => write!(f, "{separator}O=")?,
                oid::ORGANIZATIONAL_UNIT => write!(f, "{separator}OU=")?,
                other => write!(f, "{separator}{other}=")?,
            }
            match text(*value) {
                Ok(text) => write!(f, "{}", text.escape_debug())?,
                Err(_) => {
                    f.write_str("#")?;
                    value.value().iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_the_oldest_string_type_that_can_write_it() {
        let printable = DistinguishedName::with_common_name("Vidimus Root").unwrap();
        assert_eq!(printable.der()[11], 0x13);
        let wildcard = DistinguishedName::with_common_name("*.example.org").unwrap();
        assert_eq!(wildcard.der()[11], 0x0c);
        assert_eq!(
            DistinguishedName::with_common_name("Jürgen")
                .unwrap()
                .common_names()
                .unwrap(),
            ["Jürgen"]
        );
    }

    #[test]
    fn organization_comes_before_common_name() {
        let name = DistinguishedName::with_organization("Vidimus", "Issuing 1").unwrap();
        assert_eq!(name.to_string(), "O=Vidimus, CN=Issuing 1");
        assert_eq!(DistinguishedName::from_der(name.der()).unwrap(), name);
    }

    // 5280-4.2-2
    #[test]
    fn a_common_name_ends_at_64_characters() {
        assert!(DistinguishedName::with_common_name(&"ü".repeat(64)).is_ok());
        assert!(matches!(
            DistinguishedName::with_common_name(&"a".repeat(65)),
            Err(NameError::TooLong(_))
        ));
    }

    #[test]
    fn the_empty_name_is_an_empty_sequence() {
        assert!(DistinguishedName::empty().is_empty());
        assert!(DistinguishedName::from_der(&[0x30, 0x00]).unwrap().is_empty());
        assert_eq!(
            DistinguishedName::from_der(&[0x30, 0x02, 0x31, 0x00]),
            Err(NameError::EmptyRelativeName)
        );
    }

    // T26: parsers disagree about BMPString and TeletexString
    #[test]
    fn t26_a_common_name_in_another_string_type_is_not_read() {
        let with_tag = |tag: u8, octets: &[u8]| {
            let mut attribute = vec![0x06, 3, 0x55, 4, 3, tag, octets.len() as u8];
            attribute.extend(octets);
            let mut der = vec![0x30, attribute.len() as u8 + 4, 0x31, attribute.len() as u8 + 2, 0x30];
            der.push(attribute.len() as u8);
            der.extend(attribute);
            DistinguishedName::from_der(&der).unwrap().common_names()
        };
        assert_eq!(with_tag(0x0c, b"a.example").unwrap(), ["a.example"]);
        assert!(with_tag(0x0c, b"").unwrap().is_empty());
        assert!(with_tag(0x1e, b"\0a\0.\0b").is_err());
        assert!(with_tag(0x14, b"a.example").is_err());
        assert!(with_tag(0x16, b"a.example").is_err());
        assert!(with_tag(0x0c, b"\xff").is_err());
        assert!(with_tag(0x13, b"*.example").is_err());
    }
}
