//! The record of what was seen.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything one attempt at validation observed, in the order it was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub method: String,
    /// From where; what others saw of the same stands in it as [`Observation::Perspective`].
    pub perspective: String,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub observations: Vec<Observation>,
}

/// One thing seen. Texts that come from the network are bounded and escaped by whoever records them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saw", rename_all = "kebab-case")]
pub enum Observation {
    /// A DNS answer, or its failure.
    Resolved {
        name: String,
        #[serde(rename = "type")]
        record_type: String,
        resolver: String,
        dnssec: DnssecStatus,
        /// Presentation form, aliases on the way first.
        answers: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An address that policy forbids to dial.
    Refused {
        address: IpAddr,
        rule: String,
    },
    Connected {
        address: SocketAddr,
    },
    NotConnected {
        address: SocketAddr,
        error: String,
    },
    /// An HTTP exchange: status, where it redirects, how the body begins.
    Http {
        url: String,
        address: SocketAddr,
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
        body_start: String,
    },
    /// A TLS handshake with the facts that the decision rests on.
    Tls {
        address: SocketAddr,
        server_name: String,
        version: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alpn: Option<String>,
        /// SHA-256 of the end-entity certificate, hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
    },
    /// A document that came with a request, with what the decision rests on.
    Document {
        what: String,
        /// Of its octets, hex.
        sha256: String,
        says: Vec<String>,
    },
    /// A session with a mail server, as far as it came.
    Mail {
        service: String,
        port: u16,
        address: SocketAddr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls_version: Option<String>,
        /// SHA-256 of the end-entity certificate, hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
        /// SHA-256 of every line that the server sent, hex.
        transcript: String,
        /// The values that stood where a proof stands.
        found: Vec<String>,
    },
    /// The proof of receiving: what was sent there alone came back.
    Received {
        /// Where it was sent to.
        at: String,
        sent: Timestamp,
        /// Who took it, and what was said.
        by: String,
        returned: Timestamp,
        /// How the answer was made of it.
        answer: String,
    },
    /// The proof of sending: a mail, and who vouches for it.
    Sent {
        from: String,
        /// Of the message, hex.
        sha256: String,
        /// Every DKIM signature, the one that counted first.
        dkim: Vec<String>,
        dmarc: String,
        spf: String,
        /// The host that delivered it, and by which version of TLS.
        delivered_by: String,
    },
    /// What another perspective reported of the same look, or why it counts as none.
    Perspective {
        name: String,
        region: String,
        corroborates: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        observations: Vec<Observation>,
    },
    /// How many of them agreed, like `3/4 (primary + a, b, c; not d)`.
    Quorum {
        about: Vec<String>,
        result: String,
    },
    /// Something that failed in a way no other variant tells.
    Failed {
        what: String,
    },
}

/// What is known of an answer's authenticity (RFC 4035 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DnssecStatus {
    Secure,
    Insecure,
    Bogus,
    Indeterminate,
    /// No validation was asked for.
    Unchecked,
}
