//! What is kept on disk: account keys, certificates, and how they were made.
//!
//! ```text
//! DIR/accounts/HOST-HASH/{key.pem,account.json}
//! DIR/certs/NAME            -> ../generations/NAME/0002     the one that servers read
//! DIR/generations/NAME/0002/{cert,chain,fullchain,privkey}.pem
//! DIR/settings/NAME.json
//! DIR/renewal/NAME.json                                     when it is to be renewed, and what went wrong
//! DIR/ahead/NAME.json                                     key and request that an order was placed with
//! DIR/provisioned/NAME/*.json                               proofs that are being shown just now
//! DIR/locks/NAME.lock
//! ```
//!
//! Whoever can read `generations` or `ahead` can impersonate the names in it; whoever can write `settings` can run programs at the
//! next renewal. All are for their owner alone. If all of it is lost, new keys and certificates are ordered.

mod accounts;
mod ahead;
mod atomic;
mod certificates;
mod ledger;
mod lock;
mod name;
mod renewal;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use accounts::{AccountFolder, AccountRecord};
pub use ahead::Ahead;
pub use certificates::{Files, Settings, Stored};
pub use ledger::{Ledger, Note, Trace};
pub use lock::Lock;
pub use name::{CertificateName, NameError};

/// A folder with everything of one subscriber.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Makes the folder if there is none.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        atomic::private_folder(&root)?;
        // Symbolic links and settings outlive the working directory of this run.
        let root = std::path::absolute(&root).map_err(|source| StoreError::io("find", &root, source))?;
        Ok(Self { root })
    }

    /// `~/.vidimus`
    pub fn default_root() -> Option<PathBuf> {
        std::env::home_dir()
            .filter(|home| !home.as_os_str().is_empty())
            .map(|home| home.join(".vidimus"))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Why something is not on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{} is in the way: it was not made by this program", .0.display())]
    InTheWay(PathBuf),
    #[error("another vidimus{} is at work on {what}", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked { what: String, holder: Option<u32> },
    #[error("there is no certificate named {0} in this folder")]
    NoCertificate(String),
}

impl StoreError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }

    pub(crate) fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Run as the user who owns the folder, or choose another with --dir."
            }
            Self::InTheWay(_) => "Move it away or choose another --name.",
            Self::Locked { .. } => "Wait for it, or wait longer with --lock-wait SECONDS.",
            Self::NoCertificate(_) => "See `vidimus cert list`.",
            Self::Io { .. } | Self::Damaged { .. } => return None,
        };
        Some(step.to_owned())
    }
}

/// Reads a file that may be missing.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}
