//! Keys of certificates: what they are, whether they are any good, what they sign.

mod algorithm;
mod arithmetic;
mod blocklist;
mod pair;
mod public;
mod weakness;

pub use algorithm::SignatureAlgorithm;
pub use blocklist::{BlocklistError, KeyBlocklist};
pub use pair::{KeyPair, KeyPairError};
pub use public::{KeyError, KeyKind, SignatureError, SubjectPublicKey, sha256};
pub use weakness::Weakness;
