//! A file with one word a line, for programs that read it into their greeting at every session: Exim by
//! `smtp_banner = … ${if exists{FILE}{${readfile{FILE}{ }}}}`, and `vidimus mail proxy --words-file FILE`.
//!
//! A word of the draft's capabilities stands there as `ACME=…`, which the proxy lists as its protocol has it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DaemonError, block};

/// Where the words stand. Nobody has to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordsFile {
    pub path: PathBuf,
}

impl WordsFile {
    pub(super) fn show(&self, words: &[String]) -> Result<(), DaemonError> {
        self.write(&format!("{}\n", words.join("\n")))
    }

    /// Emptied, not removed: who reads it need not mind whether it is there.
    pub(super) fn undo(&self) -> Result<(), DaemonError> {
        self.write("")
    }

    fn write(&self, content: &str) -> Result<(), DaemonError> {
        block::replace(&self.path, content.as_bytes(), None).map_err(|source| DaemonError::File {
            path: self.path.clone(),
            source,
        })
    }
}
