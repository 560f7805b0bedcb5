//! acmeIdentifier, by which tls-alpn-01 shows that it holds a name (RFC 8737 §3).

use der::asn1::OctetStringRef;

use super::{Extension, ExtensionError};
use crate::{encoding, oid};

/// The digest is the SHA-256 of the key authorization.
pub fn acme_identifier(digest: &[u8; 32]) -> Extension {
    let digest = OctetStringRef::new(digest).expect("invariant: 32 octets are not too many");
    Extension {
        oid: oid::ACME_IDENTIFIER,
        critical: true,
        value: encoding::encode(&digest),
    }
}

pub fn read_acme_identifier(value: &[u8]) -> Result<[u8; 32], ExtensionError> {
    let digest = encoding::decode::<&OctetStringRef>(value)?.as_bytes();
    digest
        .try_into()
        .map_err(|_| ExtensionError::DigestLength(digest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::sha256;

    // REQUIREMENTS 14, 8737-3-2
    #[test]
    fn the_digest_is_an_octet_string_inside_a_critical_extension() {
        let authorization = b"DGyRejmCefe7v4NfDGDKfA.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        let extension = acme_identifier(&sha256(authorization));
        let expected = "042006cef643b07e052490a38a038c0daa051d3b181eac7378621bdcea6aabc7c7b5";
        assert_eq!(extension.value, encoding::from_hex(expected).unwrap());
        assert!(extension.critical);
        assert_eq!(read_acme_identifier(&extension.value).unwrap(), sha256(authorization));
    }

    // 8737-3-7, 8737-3-8
    #[test]
    fn a_raw_digest_or_one_of_another_length_is_refused() {
        assert!(read_acme_identifier(&[7; 32]).is_err());
        assert_eq!(
            read_acme_identifier(&[4, 2, 1, 2]),
            Err(ExtensionError::DigestLength(2))
        );
    }
}
