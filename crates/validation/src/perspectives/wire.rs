//! What a primary asks and a remote perspective answers: one JSON object each, over HTTP.

use acme::{Identifier, Problem};
use authority::model::Observation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A question to one perspective, and to no other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// Who is asked.
    pub perspective: String,
    /// Fresh; an answer repeats it.
    pub nonce: String,
    /// The URL of the account that asks to be validated.
    pub account: String,
    pub look: Look,
}

/// What is to be looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Look {
    /// One attempt at a validation.
    #[serde(rename_all = "camelCase")]
    Validation {
        method: String,
        identifier: Identifier,
        token: String,
        /// Of the account's key, base64url.
        thumbprint: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response: Option<Value>,
    },
    /// A check before issuance.
    #[serde(rename_all = "camelCase")]
    Check {
        check: String,
        profile: String,
        names: Vec<NamedProof>,
        /// Of the key to be certified, DER in base64url.
        spki: String,
        members: Map<String, Value>,
        now: Timestamp,
    },
}

/// A name of an order, and how it was proved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedProof {
    pub identifier: Identifier,
    pub method: String,
    pub validated: Timestamp,
}

/// What a perspective saw.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub perspective: String,
    pub nonce: String,
    pub verdict: Verdict,
    pub observations: Vec<Observation>,
}

/// Never by default: what is not said is not said.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Corroborated,
    Refused { problem: Problem, transient: bool },
}

impl Answer {
    /// Whether it tells of others than whoever gives it.
    pub fn is_hearsay(&self) -> bool {
        let mut observations = self.observations.iter();
        observations.any(|seen| matches!(seen, Observation::Perspective { .. } | Observation::Quorum { .. }))
    }
}

/// Where a perspective is asked; another version of question and answer has another path.
pub const PATH: &str = "/perspective/1";
/// An order of a hundred names has a tenth of it, and a finalize request is not longer.
pub const LONGEST_QUESTION: usize = 256 * 1024;
/// What is seen of one name is a few kilobytes. It is evidence, and kept.
pub const LONGEST_VALIDATION: usize = 64 * 1024;
/// What is seen of an order's names.
pub const LONGEST_CHECK: usize = 512 * 1024;
