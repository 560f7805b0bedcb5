//! Accounts (RFC 8555 §7.1.2).

use jiff::Timestamp;
use jose::Jwk;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AccountId;
use crate::Refusal;

/// A key and who answers for it. The key is the identity: it belongs to this account for ever (RFC 8555 §11.1).
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    /// The name of the directory it belongs to; a key may have one account in each.
    pub directory: String,
    pub key: Jwk,
    pub contact: Vec<String>,
    /// The terms that were agreed to, by their URL.
    pub agreed_terms: Option<String>,
    /// The binding as it was sent and verified (RFC 8555 §7.3.4), a JWS in JSON.
    pub external_binding: Option<Value>,
    pub state: AccountState,
    pub created: Timestamp,
    /// Counts the changes of the row; a commit names the one it was decided from.
    pub version: u32,
}

impl Account {
    /// RFC 8555 §7.3.6: a deactivated account's key opens nothing any more.
    pub fn require_active(&self) -> Result<(), Refusal> {
        if self.state == AccountState::Active {
            Ok(())
        } else {
            Err(Refusal::AccountInactive)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    Active,
    /// By its holder (RFC 8555 §7.3.6); final.
    Deactivated,
    /// By the operator; final.
    Revoked,
}
