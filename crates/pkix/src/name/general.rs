//! GeneralName (RFC 5280 §4.2.1.6).

use std::fmt;
use std::net::IpAddr;

use der::asn1::{AnyRef, Ia5StringRef, Utf8StringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::pkix::name::GeneralName as X509GeneralName;

use super::{DistinguishedName, NameError};
use crate::{ObjectIdentifier, encoding, oid};

/// A name of a subject, in the order of the ASN.1 alternatives that are in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeneralName {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    Uri(String),
    OtherName {
        oid: String,
        /// The element inside the explicit `[0]`.
        value_der: Vec<u8>,
    },
    /// The DER of a distinguished name.
    Directory(Vec<u8>),
    RegisteredId(String),
    /// x400Address, ediPartyName, or an alternative that no document has yet.
    Unknown {
        tag: u8,
        /// The whole element.
        der: Vec<u8>,
    },
}

impl GeneralName {
    /// SRV-ID: `_service.name`, an IA5String (RFC 4985 §2).
    pub fn srv(name: &str) -> Result<Self, NameError> {
        let value = Ia5StringRef::new(name).map_err(|_| NameError::NotAscii(name.to_owned()))?;
        Ok(GeneralName::OtherName {
            oid: oid::SRV_NAME.to_string(),
            value_der: encoding::encode(&value),
        })
    }

    /// A mailbox whose local part is not ASCII (RFC 9598 §3).
    pub fn smtp_utf8_mailbox(mailbox: &str) -> Result<Self, NameError> {
        let value = Utf8StringRef::new(mailbox)?;
        Ok(GeneralName::OtherName {
            oid: oid::SMTP_UTF8_MAILBOX.to_string(),
            value_der: encoding::encode(&value),
        })
    }

    /// The text of an SRV-ID, or nothing for other names and for an SRVName that is not an IA5String.
    pub fn as_srv(&self) -> Option<&str> {
        let text = self.other_name_value(&oid::SRV_NAME)?;
        Ia5StringRef::from_der(text).ok().map(|text| text.as_str())
    }

    /// The text of a SmtpUTF8Mailbox.
    pub fn as_smtp_utf8_mailbox(&self) -> Option<&str> {
        let text = self.other_name_value(&oid::SMTP_UTF8_MAILBOX)?;
        Utf8StringRef::from_der(text).ok().map(|text| text.as_str())
    }

    fn other_name_value(&self, wanted: &ObjectIdentifier) -> Option<&[u8]> {
        match self {
            GeneralName::OtherName { oid, value_der } if oid.parse() == Ok(*wanted) => Some(value_der),
            _ => None,
        }
    }

    /// Reads one element; strict as everything here.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        Self::from_any(encoding::decode::<AnyRef<'_>>(der)?)
    }

    pub fn to_der(&self) -> Result<Vec<u8>, NameError> {
        let element = |number, constructed, content: &[u8]| {
            let tag = Tag::ContextSpecific {
                number: TagNumber(number),
                constructed,
            };
            Ok(encoding::encode(&AnyRef::new(tag, content)?))
        };
        let ascii = |text: &str| match text.is_ascii() {
            true => Ok(()),
            false => Err(NameError::NotAscii(text.to_owned())),
        };
        match self {
            GeneralName::OtherName { oid, value_der } => {
                let explicit = AnyRef::new(
                    Tag::ContextSpecific {
                        number: TagNumber(0),
                        constructed: true,
                    },
                    value_der,
                )?;
                let mut content = encoding::encode(&parse_oid(oid)?);
                content.extend(encoding::encode(&explicit));
                element(0, true, &content)
            }
            GeneralName::Email(text) => ascii(text).and_then(|()| element(1, false, text.as_bytes())),
            GeneralName::Dns(text) => ascii(text).and_then(|()| element(2, false, text.as_bytes())),
            GeneralName::Directory(der) => element(4, true, der),
            GeneralName::Uri(text) => ascii(text).and_then(|()| element(6, false, text.as_bytes())),
            GeneralName::Ip(IpAddr::V4(address)) => element(7, false, &address.octets()),
            GeneralName::Ip(IpAddr::V6(address)) => element(7, false, &address.octets()),
            GeneralName::RegisteredId(oid) => element(8, false, parse_oid(oid)?.as_bytes()),
            GeneralName::Unknown { der, .. } => Ok(der.clone()),
        }
    }

    pub(crate) fn from_any(element: AnyRef<'_>) -> Result<Self, NameError> {
        let Tag::ContextSpecific { number, constructed } = element.tag() else {
            return Err(element.tag().unexpected_error(None).to_error().into());
        };
        let content = element.value();
        let text = || match Ia5StringRef::new(content) {
            Ok(text) => Ok(text.as_str().to_owned()),
            Err(_) => Err(NameError::NotAscii(String::from_utf8_lossy(content).into_owned())),
        };
        match (number.value(), constructed) {
            (0, true) => other_name(content),
            (1, false) => text().map(GeneralName::Email),
            (2, false) => text().map(GeneralName::Dns),
            (4, true) => DistinguishedName::from_der(content).map(|name| GeneralName::Directory(name.into_der())),
            (6, false) => text().map(GeneralName::Uri),
            (7, false) => address(content).map(GeneralName::Ip),
            (8, false) => registered_id(content),
            (0 | 1 | 2 | 4 | 6 | 7 | 8, _) => Err(element.tag().unexpected_error(None).to_error().into()),
            (other, _) => Ok(GeneralName::Unknown {
                tag: u8::try_from(other).unwrap_or(u8::MAX),
                der: encoding::encode(&element),
            }),
        }
    }
}

fn other_name(content: &[u8]) -> Result<GeneralName, NameError> {
    let mut reader = SliceReader::new(content)?;
    let oid = ObjectIdentifier::decode(&mut reader)?;
    let explicit = AnyRef::decode(&mut reader)?;
    reader.finish()?;
    if explicit.tag()
        != (Tag::ContextSpecific {
            number: TagNumber(0),
            constructed: true,
        })
    {
        return Err(explicit.tag().unexpected_error(None).to_error().into());
    }
    let value: AnyRef<'_> = encoding::decode(explicit.value())?;
    Ok(GeneralName::OtherName {
        oid: oid.to_string(),
        value_der: encoding::encode(&value),
    })
}

fn address(octets: &[u8]) -> Result<IpAddr, NameError> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Ok(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets)
        .map(IpAddr::from)
        .map_err(|_| NameError::AddressLength(octets.len()))
}

fn registered_id(content: &[u8]) -> Result<GeneralName, NameError> {
    encoding::minimal_arcs(content)?;
    let oid = ObjectIdentifier::from_bytes(content).map_err(der::Error::from)?;
    Ok(GeneralName::RegisteredId(oid.to_string()))
}

fn parse_oid(text: &str) -> Result<ObjectIdentifier, NameError> {
    text.parse().map_err(|_| NameError::ObjectIdentifier(text.to_owned()))
}

impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a stranger wrote ends up in logs and terminals: control characters are shown, not sent.
        match self {
            GeneralName::Dns(text) => write!(f, "dns:{}", text.escape_debug()),
            GeneralName::Ip(address) => write!(f, "ip:{address}"),
            GeneralName::Email(text) => write!(f, "email:{}", text.escape_debug()),
            GeneralName::Uri(text) => write!(f, "uri:{}", text.escape_debug()),
            GeneralName::OtherName { oid, value_der } => {
                if let Some(text) = self.as_srv() {
                    write!(f, "srv:{}", text.escape_debug())
                } else if let Some(text) = self.as_smtp_utf8_mailbox() {
                    write!(f, "email:{}", text.escape_debug())
                } else {
                    write!(f, "other:{}:", oid.escape_debug())?;
                    value_der.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
                }
            }
            GeneralName::Directory(der) => match DistinguishedName::from_der(der) {
                Ok(name) => write!(f, "directory:{name}"),
                Err(_) => f.write_str("directory:?"),
            },
            GeneralName::RegisteredId(oid) => write!(f, "oid:{}", oid.escape_debug()),
            GeneralName::Unknown { tag, der } => {
                write!(f, "[{tag}]:")?;
                der.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl TryFrom<&X509GeneralName> for GeneralName {
    type Error = NameError;

    fn try_from(name: &X509GeneralName) -> Result<Self, NameError> {
        Self::from_der(&name.to_der()?)
    }
}

impl TryFrom<&GeneralName> for X509GeneralName {
    type Error = NameError;

    fn try_from(name: &GeneralName) -> Result<Self, NameError> {
        Ok(X509GeneralName::from_der(&name.to_der()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(name: GeneralName) {
        let der = name.to_der().unwrap();
        assert_eq!(GeneralName::from_der(&der).unwrap(), name, "{name}");
    }

    // REQUIREMENTS 14, 4985-2-1
    #[test]
    fn an_srv_id_is_an_ia5_string_in_an_other_name() {
        let name = GeneralName::srv("_imaps.example.net").unwrap();
        let expected = "a02006082b06010505070807a01416125f696d6170732e6578616d706c652e6e6574";
        let hex: String = name
            .to_der()
            .unwrap()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert_eq!(hex, expected);
        assert_eq!(name.as_srv(), Some("_imaps.example.net"));
        assert_eq!(name.to_string(), "srv:_imaps.example.net");
        round_trip(name);
    }

    #[test]
    fn every_kind_of_name_survives_the_round_trip() {
        round_trip(GeneralName::Dns("*.example.org".into()));
        round_trip(GeneralName::Ip("192.0.2.1".parse().unwrap()));
        round_trip(GeneralName::Ip("2001:db8::1".parse().unwrap()));
        round_trip(GeneralName::Email("ann@example.org".into()));
        round_trip(GeneralName::Uri("https://example.org/".into()));
        round_trip(GeneralName::smtp_utf8_mailbox("jürgen@example.org").unwrap());
        round_trip(GeneralName::Directory(
            DistinguishedName::with_common_name("Ann").unwrap().into_der(),
        ));
        round_trip(GeneralName::RegisteredId("1.2.3.4".into()));
        round_trip(GeneralName::Unknown {
            tag: 3,
            der: vec![0xa3, 0x02, 0x30, 0x00],
        });
    }

    #[test]
    fn names_that_are_not_what_their_tag_says_are_refused() {
        assert_eq!(
            GeneralName::from_der(&[0x87, 3, 1, 2, 3]),
            Err(NameError::AddressLength(3))
        );
        assert_eq!(
            GeneralName::from_der(&[0x87, 8, 1, 2, 3, 4, 255, 255, 255, 0]),
            Err(NameError::AddressLength(8))
        );
        assert!(matches!(
            GeneralName::from_der(&[0x82, 2, 0xc3, 0xa9]),
            Err(NameError::NotAscii(_))
        ));
        // a constructed dNSName, an otherName of two values, a SEQUENCE
        assert!(GeneralName::from_der(&[0xa2, 2, 0x16, 0]).is_err());
        assert!(GeneralName::from_der(&[0xa0, 9, 6, 1, 0x2a, 0xa0, 4, 5, 0, 5, 0]).is_err());
        assert!(GeneralName::from_der(&[0x30, 0]).is_err());
        assert!(GeneralName::Dns("é".into()).to_der().is_err());
        let other = GeneralName::OtherName {
            oid: "one.two".into(),
            value_der: vec![5, 0],
        };
        assert_eq!(other.to_der(), Err(NameError::ObjectIdentifier("one.two".into())));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            GeneralName::Dns("a\u{1b}[2J\0".into()).to_string(),
            "dns:a\\u{1b}[2J\\0"
        );
    }

    #[test]
    fn names_convert_to_the_types_of_x509_cert_and_back() {
        let ours = GeneralName::Dns("example.org".into());
        let theirs = X509GeneralName::try_from(&ours).unwrap();
        assert!(matches!(&theirs, X509GeneralName::DnsName(name) if name.as_str() == "example.org"));
        assert_eq!(GeneralName::try_from(&theirs).unwrap(), ours);
    }
}
