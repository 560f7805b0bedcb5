//! Notes of proofs that are being shown, so that a run that was killed can be tidied up after (8555-C-2).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CertificateName, Store, StoreError, atomic};
use crate::{clock::random, solver::Call};

/// What was made where others can see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trace {
    File { path: PathBuf },
    Dns(Call),
}

/// The notes of one certificate; used under its lock.
#[derive(Clone, Debug)]
pub struct Ledger {
    folder: PathBuf,
}

/// One note. It stays until it is settled.
#[derive(Debug)]
pub struct Note(PathBuf);

impl Note {
    /// What was noted has been taken away.
    pub fn settle(self) {
        if let Err(error) = atomic::remove(&self.0) {
            tracing::warn!(%error, "a note stays");
        }
    }
}

impl Store {
    pub fn ledger(&self, name: &CertificateName) -> Ledger {
        Ledger {
            folder: self.root().join("provisioned").join(name.as_str()),
        }
    }
}

impl Ledger {
    /// Written before the thing is made. Failing to write it is no reason not to issue.
    pub fn note(&self, trace: &Trace) -> Option<Note> {
        let written = self.write(trace);
        written
            .inspect_err(|error| tracing::warn!(%error, "no note is kept of a proof"))
            .ok()
    }

    fn write(&self, trace: &Trace) -> Result<Note, StoreError> {
        atomic::private_folder(&self.folder)?;
        let path = self
            .folder
            .join(format!("{}.json", jose::base64url::encode(random::<12>())));
        let content = serde_json::to_vec(trace).map_err(|error| StoreError::damaged(&path, error))?;
        atomic::write_new(&path, &content, atomic::PRIVATE)?;
        Ok(Note(path))
    }

    /// What earlier runs have left.
    pub fn leftovers(&self) -> Vec<(Note, Trace)> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths
            .filter_map(|path| read(&path).map(|trace| (Note(path), trace)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Store::open(folder.path()).unwrap().ledger(&"a.test".parse().unwrap());
        let trace = Trace::File {
            path: "/srv/www/x".into(),
        };
        let note = ledger.note(&trace).unwrap();
        assert_eq!(
            ledger
                .leftovers()
                .into_iter()
                .map(|(_, trace)| trace)
                .collect::<Vec<_>>(),
            [trace]
        );
        note.settle();
        assert_eq!(ledger.leftovers().len(), 0);
    }
}
