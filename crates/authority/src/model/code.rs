//! Codes: secrets sent to where only the holder of a name can read them, and what came back.

use acme::Identifier;
use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Observation;

/// A code on its way out and back, for one challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentCode {
    pub authorization: u64,
    /// Index into its challenges.
    pub challenge: u8,
    pub method: String,
    pub identifier: Identifier,
    /// See [`SentCode::place`].
    pub place: String,
    /// In base64url.
    pub code: String,
    pub offered: Timestamp,
    /// Until when it may come back.
    pub until: Timestamp,
    /// How often it was tried to get it out.
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Dispatched>,
    /// Why it cannot be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The first answer. There is no second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<CodeAnswer>,
}

/// That it left this authority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatched {
    pub at: Timestamp,
    /// Who took it, and what was said.
    pub to: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeAnswer {
    pub at: Timestamp,
    /// To be held against the key authorization.
    pub answer: String,
    /// What vouches for it.
    pub observations: Vec<Observation>,
}

impl SentCode {
    /// Where the code of a challenge is kept and where its answer goes to: known to who sends and to who receives the
    /// code, and of no use for finding the challenge's own token.
    pub fn place(token: &str) -> String {
        let digest = digest::digest(&digest::SHA256, format!("code\0{token}").as_bytes());
        digest.as_ref()[..16]
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    /// Whether nothing can be said of it yet.
    pub fn is_awaited(&self, now: Timestamp) -> bool {
        self.returned.is_none() && self.refused.is_none() && now < self.until
    }
}
