//! What was there before a greeting was changed, on disk before it is changed: whatever becomes of this run, the next one
//! brings it back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::daemon::{Change, replace};

/// The file. Used under the lock of all mail commands.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    schema: u32,
    changes: Vec<Change>,
}

impl Journal {
    pub fn of(root: &Path) -> Self {
        Self {
            path: super::folder(root).join("journal.json"),
        }
    }

    /// What an earlier run has changed and not brought back.
    pub fn read(&self) -> Result<Vec<Change>, JournalError> {
        match fs::read(&self.path) {
            Ok(content) => match serde_json::from_slice::<Content>(&content) {
                Ok(content) => Ok(content.changes),
                Err(error) => Err(self.failed(io::Error::other(error))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// On disk when this returns.
    pub fn write(&self, changes: &[Change]) -> Result<(), JournalError> {
        if changes.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(error)),
                _ => Ok(()),
            };
        }
        let content = Content {
            schema: 1,
            changes: changes.to_vec(),
        };
        let written = || {
            if let Some(folder) = self.path.parent() {
                super::make_folder(folder)?;
            }
            let content = serde_json::to_vec_pretty(&content).map_err(io::Error::other)?;
            replace(&self.path, &content, Some(0o600))
        };
        written().map_err(|error| self.failed(error))
    }

    /// Brings back what earlier runs have left; says how much that was. What cannot be brought back stays in the journal.
    pub fn undo(&self) -> Result<usize, JournalError> {
        let changes = self.read()?;
        let (mut left, mut undone, mut first) = (Vec::new(), 0, None);
        for change in changes {
            match change.undo() {
                Ok(()) => undone += 1,
                Err(error) => {
                    first.get_or_insert(error);
                    left.push(change);
                }
            }
        }
        self.write(&left)?;
        match first {
            Some(error) => Err(JournalError::Undo(error.to_string())),
            None => Ok(undone),
        }
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::File {
            path: self.path.clone(),
            source,
        }
    }
}

/// Why it is not known, or not undone, what was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("a greeting that an earlier run has changed is not brought back: {0}; repeat `vidimus mail restore`")]
    Undo(String),
}
