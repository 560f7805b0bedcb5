//! Which key is meant: subjectKeyIdentifier and authorityKeyIdentifier (RFC 5280 §4.2.1.2, §4.2.1.1).

use der::Sequence;
use der::asn1::OctetStringRef;

use super::{Extension, ExtensionError};
use crate::encoding::{self, Raw};
use crate::oid;

/// AuthorityKeyIdentifier; issuer and serial number of the issuer's certificate are carried along unread.
#[derive(Sequence)]
struct AuthorityKeyIdentifier<'a> {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    key_identifier: Option<&'a OctetStringRef>,
    #[asn1(
        context_specific = "1",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    issuer: Option<Vec<Raw<'a>>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    serial: Option<der::asn1::IntRef<'a>>,
}

pub fn subject_key_identifier(identifier: &[u8]) -> Extension {
    Extension {
        oid: oid::SUBJECT_KEY_IDENTIFIER,
        critical: false,
        value: encoding::encode(&octets(identifier)),
    }
}

pub fn read_subject_key_identifier(value: &[u8]) -> Result<Vec<u8>, ExtensionError> {
    Ok(encoding::decode::<&OctetStringRef>(value)?.as_bytes().to_vec())
}

/// Names the issuer's key, not its certificate: that can be replaced by another for the same key.
pub fn authority_key_identifier(identifier: &[u8]) -> Extension {
    let value = AuthorityKeyIdentifier {
        key_identifier: Some(octets(identifier)),
        issuer: None,
        serial: None,
    };
    Extension {
        oid: oid::AUTHORITY_KEY_IDENTIFIER,
        critical: false,
        value: encoding::encode(&value),
    }
}

/// The key identifier, which certificates may lack though those of conforming authorities do not.
pub fn read_authority_key_identifier(value: &[u8]) -> Result<Option<Vec<u8>>, ExtensionError> {
    let value: AuthorityKeyIdentifier<'_> = encoding::decode(value)?;
    Ok(value.key_identifier.map(|identifier| identifier.as_bytes().to_vec()))
}

fn octets(identifier: &[u8]) -> &OctetStringRef {
    OctetStringRef::new(identifier).expect("invariant: a key identifier is a hash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_written_and_read_alike() {
        assert_eq!(subject_key_identifier(&[1, 2]).value, [4, 2, 1, 2]);
        assert_eq!(read_subject_key_identifier(&[4, 2, 1, 2]).unwrap(), [1, 2]);
        assert_eq!(authority_key_identifier(&[1, 2]).value, [0x30, 4, 0x80, 2, 1, 2]);
        assert_eq!(
            read_authority_key_identifier(&[0x30, 4, 0x80, 2, 1, 2]).unwrap(),
            Some(vec![1, 2])
        );
    }

    #[test]
    fn an_issuers_name_and_serial_beside_the_key_do_not_hinder() {
        let with_issuer = b"\x30\x0f\x80\x01\x07\xa1\x07\x82\x05a.org\x82\x01\x05";
        assert_eq!(read_authority_key_identifier(with_issuer).unwrap(), Some(vec![7]));
        assert_eq!(read_authority_key_identifier(&[0x30, 0]).unwrap(), None);
    }
}
