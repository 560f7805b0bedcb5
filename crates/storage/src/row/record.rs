//! The table `records`.

use authority::{model::Record, ports::StoreError};
use jiff::Timestamp;

/// A row as it is read.
pub(crate) struct RecordRow<'a> {
    pub kind: &'a str,
    pub key: &'a str,
    pub owner: Option<i64>,
    pub due: Option<i64>,
    pub version: i64,
    pub data: &'a str,
}

impl RecordRow<'_> {
    pub fn read(&self) -> Result<Record, StoreError> {
        let corrupt = |what: String| StoreError::Corrupt {
            table: "records",
            row: format!("{}/{}", self.kind, self.key),
            what,
        };
        Ok(Record {
            kind: self.kind.to_owned(),
            key: self.key.to_owned(),
            owner: self.owner.map(i64::cast_unsigned),
            due: match self.due {
                None => None,
                Some(due) => {
                    Some(Timestamp::from_millisecond(due).map_err(|error| corrupt(format!("column due: {error}")))?)
                }
            },
            data: self.data.to_owned(),
            version: u32::try_from(self.version).map_err(|_| corrupt(format!("column version: {}", self.version)))?,
        })
    }
}
