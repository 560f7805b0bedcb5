//! The settings of extensions, one table each. Every table also has `enabled`.

use serde::{Deserialize, Serialize};

use crate::Span;

/// `[extensions.ari]`: renewal information (RFC 9773); on unless `enabled = false`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ari {
    /// How soon clients ask again, from a minute to a day: the longest time until they learn of an incident.
    pub retry_after: Span,
    /// URL of a page that explains why certificates must be replaced early, named for those that are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

impl Default for Ari {
    fn default() -> Self {
        Self {
            retry_after: "6h"
                .parse()
                .expect("invariant: defaults are written right, and a test reads them all"),
            explanation_url: None,
        }
    }
}
