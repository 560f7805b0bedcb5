//! Account objects and the requests that make and change them (RFC 8555 §7.1.2, §7.3).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// RFC 8555 §7.1.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub status: AccountStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    #[serde(rename = "termsOfServiceAgreed", default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// The binding as it was verified (RFC 8555 §7.3.4).
    #[serde(rename = "externalAccountBinding", default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<Value>,
    /// Required by the RFC, but some well-known servers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<String>,
}

/// RFC 8555 §7.1.6, account status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    Valid,
    Deactivated,
    Revoked,
}

/// The payload of newAccount (RFC 8555 §7.3). Other members are ignored and not reflected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<String>>,
    #[serde(rename = "termsOfServiceAgreed", default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// `false` is as good as absent.
    #[serde(rename = "onlyReturnExisting", default, skip_serializing_if = "std::ops::Not::not")]
    pub only_return_existing: bool,
    /// A JWS in JSON (RFC 8555 §7.3.4).
    #[serde(rename = "externalAccountBinding", default, skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<Value>,
}

/// The payload of an account update (RFC 8555 §7.3.2) or deactivation (§7.3.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Vec<String>>,
    /// Kept as text: only `deactivated` means something, every other value is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// The payload within the inner JWS of keyChange (RFC 8555 §7.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    pub account: String,
    /// A JWK.
    #[serde(rename = "oldKey")]
    pub old_key: Value,
}

/// What the `orders` URL returns (RFC 8555 §7.1.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersList {
    pub orders: Vec<String>,
}
