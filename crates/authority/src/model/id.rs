//! Identities of stored objects. On the wire they are sealed (see the server's links); here they are numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An account's number, never used twice.
    AccountId
);
number!(OrderId);
number!(AuthorizationId);

/// A challenge is the n-th of its authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChallengeId {
    pub authorization: AuthorizationId,
    pub index: u8,
}

/// A certificate is the n-th of its order; the base issues one, n = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId {
    pub order: OrderId,
    pub n: u32,
}
