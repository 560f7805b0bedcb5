//! The settings of extensions, one table each. Every table also has `enabled`.

use std::collections::BTreeMap;

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

/// `[extensions.email-tls]`: certificates of mail services, with SRV-IDs; off unless `enabled = true`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailTls {
    /// The profile whose orders may name mail services: what a mail port proves counts in no other.
    pub profile: String,
    /// Places that count beside the registered ports below 1024, like `"lmtp:24"` or `"sieve:4190"`. For a port that nobody has registered for the service the host also needs a TXT record with its number at `_acme-port.HOST`.
    pub ports: Vec<String>,
    /// Whether port 25 proves anything.
    pub relay: bool,
    /// Whether the methods of draft-ietf-acme-email-tls are offered, as it has them: their values do not say for which service they are.
    pub drafted: bool,
    /// Whether the record of dns-01 at a domain also proves the domain's services.
    pub srv_by_domain: bool,
    /// Whether a record about one of its services also proves a domain.
    pub domain_by_service: bool,
    /// Whether SRV records of a signed zone that name a host of the domain's own, and the word at that host (`mail-srv-01`), also prove the domain.
    pub domain_by_srv: bool,
    /// How the probe introduces itself to mail servers; without it by the host of `external_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greets_as: Option<String>,
    /// For tests: places and the ports that are dialled in their stead, like `{ "imaps:993" = 1993 }`.
    pub dial: BTreeMap<String, u16>,
}

impl Default for EmailTls {
    fn default() -> Self {
        Self {
            profile: "mail".to_owned(),
            ports: Vec::new(),
            relay: true,
            drafted: false,
            srv_by_domain: false,
            domain_by_service: false,
            domain_by_srv: false,
            greets_as: None,
            dial: BTreeMap::new(),
        }
    }
}
