//! Why a certificate was revoked (RFC 5280 §5.3.1).

use der::Enumerated;
use der::asn1::OctetStringRef;

use crate::extension::EncodedExtension;
use crate::{encoding, oid};

/// CRLReason, without those that complete lists do not say: unspecified, which is said by silence, and removeFromCRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enumerated)]
#[repr(u8)]
pub enum Reason {
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}

impl Reason {
    /// Nothing for 0, 7 and 8, and for what is not a reason.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::try_from(code).ok()
    }

    pub fn code(self) -> u8 {
        self as u8
    }

    /// reasonCode, the extension of an entry; not critical.
    pub(super) fn entry_extension(self) -> EncodedExtension<'static> {
        let value = OctetStringRef::new(self.encoded()).expect("invariant: three octets are fewer than 256 MiB");
        EncodedExtension {
            oid: oid::REASON_CODE,
            critical: false,
            value,
        }
    }

    pub(super) fn from_der(value: &[u8]) -> Option<Self> {
        encoding::decode(value).ok()
    }

    /// The ENUMERATED. Written out because a hundred thousand entries borrow it.
    fn encoded(self) -> &'static [u8] {
        match self {
            Reason::KeyCompromise => &[0x0a, 1, 1],
            Reason::CaCompromise => &[0x0a, 1, 2],
            Reason::AffiliationChanged => &[0x0a, 1, 3],
            Reason::Superseded => &[0x0a, 1, 4],
            Reason::CessationOfOperation => &[0x0a, 1, 5],
            Reason::CertificateHold => &[0x0a, 1, 6],
            Reason::PrivilegeWithdrawn => &[0x0a, 1, 9],
            Reason::AaCompromise => &[0x0a, 1, 10],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_as_it_is_written_and_silence_is_not_one() {
        let known: Vec<_> = (0..=u8::MAX).filter_map(Reason::from_code).collect();
        assert_eq!(
            known.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 9, 10]
        );
        for reason in known {
            assert_eq!(Reason::from_der(reason.encoded()), Some(reason));
            assert_eq!(encoding::encode(&reason), reason.encoded());
        }
        for unspecified_or_not_an_enumerated in [[0x0a, 1, 0], [0x0a, 1, 8], [2, 1, 1]] {
            assert_eq!(Reason::from_der(&unspecified_or_not_an_enumerated), None);
        }
    }
}
