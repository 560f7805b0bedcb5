//! What is happening, for a person who waits.

use std::{fmt, sync::Arc};

use crate::{challenge::Method, identifier::Identifier};

/// Receives events as they happen; must not block.
pub type Progress = Arc<dyn Fn(&Event) + Send + Sync>;

/// Listens to nothing.
pub fn silent() -> Progress {
    Arc::new(|_| ())
}

/// A step of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    Waiting { whom: String },
    TidiedUp { proofs: usize },
    AccountRegistered { url: String },
    Ordered { url: String, identifiers: Vec<Identifier> },
    LeftOut { identifiers: Vec<Identifier> },
    Presented { identifier: Identifier, method: Method },
    Proven { identifier: Identifier },
    NotCleanedUp { identifier: Identifier, why: String },
    Finalizing,
    Issued { url: String },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |identifiers: &[Identifier]| {
            identifiers
                .iter()
                .map(Identifier::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::Waiting { whom } => write!(f, "waiting: {whom}"),
            Self::TidiedUp { proofs } => write!(f, "took away {proofs} proofs that an earlier run has left"),
            Self::AccountRegistered { url } => write!(f, "registered the account {url}"),
            Self::Ordered { url, identifiers } => write!(f, "ordered {} as {url}", list(identifiers)),
            Self::LeftOut { identifiers } => write!(f, "left out what the CA refuses: {}", list(identifiers)),
            Self::Presented { identifier, method } => write!(f, "{identifier}: showing the proof by {method}"),
            Self::Proven { identifier } => write!(f, "{identifier}: proven"),
            Self::NotCleanedUp { identifier, why } => write!(f, "{identifier}: the proof was not taken away: {why}"),
            Self::Finalizing => f.write_str("sending the certificate request"),
            Self::Issued { url } => write!(f, "issued: {url}"),
        }
    }
}
