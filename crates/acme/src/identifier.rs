//! Identifiers as they stand on the wire (RFC 8555 §9.7.7).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A typed name: `{"type": "dns", "value": "www.example.org"}`.
///
/// The value is not interpreted here; each identifier type has one file in the authority that states its
/// grammar and its canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identifier {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
}

impl Identifier {
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            value: value.into(),
        }
    }

    pub fn dns(value: impl Into<String>) -> Self {
        Self::new("dns", value)
    }

    pub fn ip(value: impl Into<String>) -> Self {
        Self::new("ip", value)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}
