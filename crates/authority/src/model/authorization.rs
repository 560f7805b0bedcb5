//! Authorizations and their challenges (RFC 8555 §7.1.4, §7.1.6).

use acme::{AuthorizationStatus, ChallengeStatus, Identifier, Problem};
use jiff::Timestamp;
use jose::Thumbprint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AccountId, AuthorizationId, Evidence};

/// An account's right, or its attempt, to act for one identifier.
#[derive(Clone, Debug)]
pub struct Authorization {
    pub id: AuthorizationId,
    pub account: AccountId,
    /// Canonical, without `*.` (RFC 8555 §7.1.4).
    pub identifier: Identifier,
    pub wildcard: bool,
    /// Members that an extension gave it and that it shows.
    pub members: Map<String, Value>,
    /// In the order they are offered, `dns-01` before anything newer that begins with `dns`.
    pub challenges: Vec<Challenge>,
    /// Until when it may be answered, then until when it is valid.
    pub expires: Timestamp,
    pub state: AuthorizationState,
    pub version: u32,
}

/// An offer: the method's name and its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub method: String,
    pub token: String,
}

/// What the subscriber bound when answering: the key authorization is computed from these and nothing later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Index into `challenges`.
    pub challenge: u8,
    pub at: Timestamp,
    /// Of the account key that signed the response (RFC 8555 §8.1), base64url in a row.
    #[serde(with = "thumbprint_text")]
    pub thumbprint: Thumbprint,
    /// What the method kept of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// What cannot be computed. `expired` is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum AuthorizationState {
    Pending,
    /// Answered; the validation runs or is due.
    Processing {
        response: Response,
        attempts: u32,
        /// When the next attempt is to be made.
        due: Timestamp,
        /// Until when some node is working on it.
        lease: Timestamp,
        /// Of the last failed attempt (RFC 8555 §8.2), with one subproblem for each attempt so far.
        error: Option<Problem>,
        evidence: Vec<Evidence>,
    },
    Valid {
        response: Response,
        validated: Timestamp,
        evidence: Vec<Evidence>,
    },
    Invalid {
        response: Response,
        problem: Problem,
        evidence: Vec<Evidence>,
    },
    /// By its holder (RFC 8555 §7.5.2). What was seen before stays: a certificate may rest on it.
    Deactivated {
        #[serde(default)]
        evidence: Vec<Evidence>,
    },
    /// By the operator.
    Revoked {
        #[serde(default)]
        evidence: Vec<Evidence>,
    },
}

impl Authorization {
    /// RFC 8555 §7.1.6.
    pub fn status(&self, now: Timestamp) -> AuthorizationStatus {
        match &self.state {
            AuthorizationState::Invalid { .. } => AuthorizationStatus::Invalid,
            AuthorizationState::Deactivated { .. } => AuthorizationStatus::Deactivated,
            AuthorizationState::Revoked { .. } => AuthorizationStatus::Revoked,
            _ if self.expires <= now => AuthorizationStatus::Expired,
            AuthorizationState::Valid { .. } => AuthorizationStatus::Valid,
            AuthorizationState::Pending | AuthorizationState::Processing { .. } => AuthorizationStatus::Pending,
        }
    }

    /// The status, time and error of one challenge (RFC 8555 §8), `None` for an index that was never offered.
    pub fn challenge_status(&self, index: u8) -> Option<(ChallengeStatus, Option<Timestamp>, Option<&Problem>)> {
        self.challenges.get(usize::from(index))?;
        Some(match &self.state {
            AuthorizationState::Processing { response, error, .. } if response.challenge == index => {
                (ChallengeStatus::Processing, None, error.as_ref())
            }
            AuthorizationState::Valid {
                response, validated, ..
            } if response.challenge == index => (ChallengeStatus::Valid, Some(*validated), None),
            AuthorizationState::Invalid { response, problem, .. } if response.challenge == index => {
                (ChallengeStatus::Invalid, None, Some(problem))
            }
            _ => (ChallengeStatus::Pending, None, None),
        })
    }

    /// The challenges to show: all while it can be answered, then the one that decided (RFC 8555 §7.1.4).
    pub fn shown_challenges(&self) -> impl Iterator<Item = u8> + '_ {
        let decided = match &self.state {
            AuthorizationState::Valid { response, .. } | AuthorizationState::Invalid { response, .. } => {
                Some(response.challenge)
            }
            _ => None,
        };
        (0..self.challenges.len() as u8).filter(move |index| decided.is_none_or(|d| d == *index))
    }

    /// The challenge type by which it became valid, and when; `None` while it is not.
    pub fn proof(&self) -> Option<(&str, Timestamp)> {
        match &self.state {
            AuthorizationState::Valid {
                response, validated, ..
            } => {
                let challenge = self.challenges.get(usize::from(response.challenge))?;
                Some((&challenge.method, *validated))
            }
            _ => None,
        }
    }

    pub fn evidence(&self) -> &[Evidence] {
        match &self.state {
            AuthorizationState::Processing { evidence, .. }
            | AuthorizationState::Valid { evidence, .. }
            | AuthorizationState::Invalid { evidence, .. }
            | AuthorizationState::Deactivated { evidence }
            | AuthorizationState::Revoked { evidence } => evidence,
            AuthorizationState::Pending => &[],
        }
    }
}

mod thumbprint_text {
    use jose::Thumbprint;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(thumbprint: &Thumbprint, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(thumbprint)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Thumbprint, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: [u8; 32] = jose::base64url::decode(&text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a thumbprint")))?;
        Ok(Thumbprint::from(bytes))
    }
}
