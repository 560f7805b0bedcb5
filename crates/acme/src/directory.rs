//! The directory (RFC 8555 §7.1.1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where everything is. Unknown members are ignored by readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    pub new_nonce: String,
    pub new_account: String,
    pub new_order: String,
    /// Absent where pre-authorization is not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_authz: Option<String>,
    pub revoke_cert: String,
    pub key_change: String,
    /// Always written, since some clients dereference it; readers survive its absence.
    #[serde(default)]
    pub meta: Meta,
    /// What extensions add.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// RFC 8555 §9.7.6.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caa_identities: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external_account_required: bool,
    /// What extensions add.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}
