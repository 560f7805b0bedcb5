//! Revocation requests (RFC 8555 §7.6).

use serde::{Deserialize, Serialize};

/// The payload of revokeCert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeCert {
    /// base64url DER.
    pub certificate: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<u64>,
}

/// A CRLReason (RFC 5280 §5.3.1) that a subscriber may give; the code is the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum RevocationReason {
    Unspecified = 0,
    KeyCompromise = 1,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    PrivilegeWithdrawn = 9,
}

impl RevocationReason {
    /// `None` for 7 (undefined), 2, 6, 8, 10 (not for end-entity certificates of subscribers) and anything above.
    pub fn from_code(code: u64) -> Option<Self> {
        [
            Self::Unspecified,
            Self::KeyCompromise,
            Self::AffiliationChanged,
            Self::Superseded,
            Self::CessationOfOperation,
            Self::PrivilegeWithdrawn,
        ]
        .into_iter()
        .find(|reason| reason.code() == code)
    }

    pub fn code(self) -> u64 {
        self as u64
    }
}
