//! Records: the rows of whatever the base has no table for.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::ports::StoreError;

/// One row, named by its kind and key; changed and deleted only from the version it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is, for example `eab`; each kind has one file that makes and reads it.
    pub kind: String,
    /// At most 512 octets.
    pub key: String,
    /// Whose it is, by number, for kinds that are listed by owner.
    pub owner: Option<u64>,
    /// When it wants attention, for kinds that have a job.
    pub due: Option<Timestamp>,
    /// JSON.
    pub data: String,
    pub version: u32,
}

impl Record {
    /// A new record without owner and due time.
    pub fn new(kind: &str, key: impl Into<String>, content: &impl Serialize) -> Self {
        Self {
            kind: kind.to_owned(),
            key: key.into(),
            owner: None,
            due: None,
            data: text(content),
            version: 0,
        }
    }

    pub fn owned_by(self, owner: u64) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    pub fn due_at(self, due: Timestamp) -> Self {
        Self { due: Some(due), ..self }
    }

    /// The same record with other content, still of the version it was read at.
    pub fn with(self, content: &impl Serialize) -> Self {
        Self {
            data: text(content),
            ..self
        }
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.data).map_err(|error| StoreError::Corrupt {
            table: "records",
            row: format!("{}/{}", self.kind, self.key),
            what: format!("column data: {error}"),
        })
    }
}

fn text(content: &impl Serialize) -> String {
    serde_json::to_string(content).expect("invariant: records are structs of texts and numbers, which JSON can hold")
}

/// What becomes of a record in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// Conflict when there is one already.
    Create(Record),
    /// The new content, with the version it was decided from.
    Update(Record),
    Delete {
        kind: String,
        key: String,
        version: u32,
    },
    /// Nothing, but the commit is conditional on there being no such record.
    Absent {
        kind: String,
        key: String,
    },
}

impl RecordChange {
    pub fn delete(record: &Record) -> Self {
        Self::Delete {
            kind: record.kind.clone(),
            key: record.key.clone(),
            version: record.version,
        }
    }
}
