//! What a key may do: basicConstraints, keyUsage, extendedKeyUsage (RFC 5280 §4.2.1.9, §4.2.1.3, §4.2.1.12).

use std::fmt;
use std::ops::BitOr;

use der::flagset::FlagSet;
use x509_cert::ext::pkix::{BasicConstraints as Encoded, KeyUsages};

use super::{Extension, ExtensionError, read_list};
use crate::{ObjectIdentifier, encoding, oid};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BasicConstraints {
    pub ca: bool,
    /// How many authorities may follow below this one.
    pub path_length: Option<u8>,
}

/// Critical, as it must be for authorities and may be for others.
pub fn basic_constraints(ca: bool, path_length: Option<u8>) -> Extension {
    let value = encoding::encode(&Encoded {
        ca,
        path_len_constraint: path_length,
    });
    Extension {
        oid: oid::BASIC_CONSTRAINTS,
        critical: true,
        value,
    }
}

pub fn read_basic_constraints(value: &[u8]) -> Result<BasicConstraints, ExtensionError> {
    let Encoded {
        ca,
        path_len_constraint,
    } = encoding::decode(value)?;
    Ok(BasicConstraints {
        ca,
        path_length: path_len_constraint,
    })
}

/// A set of purposes; combined with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUsage(u16);

impl KeyUsage {
    pub const NONE: Self = Self(0);
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 0);
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    pub const CRL_SIGN: Self = Self(1 << 6);
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = FlagSet::<KeyUsages>::new_truncated(self.0);
        f.debug_set().entries(flags).finish()
    }
}

/// Critical, as conforming authorities should mark it.
pub fn key_usage(usage: KeyUsage) -> Extension {
    let value = encoding::encode(&FlagSet::<KeyUsages>::new_truncated(usage.0));
    Extension {
        oid: oid::KEY_USAGE,
        critical: true,
        value,
    }
}

pub fn read_key_usage(value: &[u8]) -> Result<KeyUsage, ExtensionError> {
    let flags: FlagSet<KeyUsages> = encoding::decode(value)?;
    match flags.is_empty() {
        true => Err(ExtensionError::Empty),
        false => Ok(KeyUsage(flags.bits())),
    }
}

pub fn extended_key_usage(purposes: &[ObjectIdentifier]) -> Extension {
    Extension {
        oid: oid::EXTENDED_KEY_USAGE,
        critical: false,
        value: encoding::encode(&purposes.to_vec()),
    }
}

pub fn read_extended_key_usage(value: &[u8]) -> Result<Vec<ObjectIdentifier>, ExtensionError> {
    read_list(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out_of_basic_constraints() {
        assert_eq!(basic_constraints(false, None).value, [0x30, 0]);
        assert_eq!(basic_constraints(true, Some(0)).value, [0x30, 6, 1, 1, 0xff, 2, 1, 0]);
        assert!(basic_constraints(false, None).critical);
        let read = read_basic_constraints(&[0x30, 6, 1, 1, 0xff, 2, 1, 3]).unwrap();
        assert_eq!(
            read,
            BasicConstraints {
                ca: true,
                path_length: Some(3)
            }
        );
        assert!(read_basic_constraints(&[0x30, 3, 1, 1, 0]).is_err());
        assert!(read_basic_constraints(&[0x30, 3, 1, 1, 1]).is_err());
    }

    #[test]
    fn key_usage_drops_its_trailing_zero_bits() {
        let signing = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
        assert_eq!(key_usage(signing).value, [3, 2, 1, 6]);
        assert_eq!(key_usage(KeyUsage::DIGITAL_SIGNATURE).value, [3, 2, 7, 0x80]);
        assert_eq!(key_usage(KeyUsage::DECIPHER_ONLY).value, [3, 3, 7, 0, 0x80]);
        assert_eq!(read_key_usage(&[3, 2, 1, 6]).unwrap(), signing);
        assert!(signing.contains(KeyUsage::CRL_SIGN) && !signing.intersects(KeyUsage::DIGITAL_SIGNATURE));
        assert!(read_key_usage(&[3, 2, 0, 6]).is_err());
        assert_eq!(read_key_usage(&[3, 1, 0]), Err(ExtensionError::Empty));
        assert_eq!(format!("{signing:?}"), "{KeyCertSign, CRLSign}");
    }

    #[test]
    fn purposes_are_a_list_that_is_not_empty() {
        let purposes = [oid::SERVER_AUTH, oid::CLIENT_AUTH];
        let extension = extended_key_usage(&purposes);
        assert!(!extension.critical);
        assert_eq!(read_extended_key_usage(&extension.value).unwrap(), purposes);
        assert_eq!(read_extended_key_usage(&[0x30, 0]), Err(ExtensionError::Empty));
    }
}
