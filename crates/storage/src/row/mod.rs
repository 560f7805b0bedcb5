//! Rows: the one place where what is true becomes columns, and columns become what is true again.
//!
//! Numbers and states that conditions look at are columns, and columns win; the rest is one JSON text, `data`. Times in
//! columns are milliseconds. Reading is fallible: a row that cannot be true names its table, key and column.

mod account;
mod authorization;
mod certificate;
mod order;
mod record;

use std::{borrow::Cow, fmt::Display};

use authority::ports::{IdKind, StoreError};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::{
    account::AccountRow,
    authorization::AuthorizationRow,
    certificate::{CertificateRow, RevokedRow, key, key_tag, keys_of},
    order::{OrderRow, without_authorization},
    record::RecordRow,
};

/// Where a row stands, for whoever has to say that it cannot be true.
#[derive(Clone, Copy)]
struct Place {
    table: &'static str,
    row: i64,
}

impl Place {
    fn corrupt(self, column: &str, what: impl Display) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            row: self.row.to_string(),
            what: format!("column {column}: {what}"),
        }
    }

    fn time(self, column: &str, milliseconds: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(milliseconds).map_err(|error| self.corrupt(column, error))
    }

    fn version(self, version: i64) -> Result<u32, StoreError> {
        u32::try_from(version).map_err(|_| self.corrupt("version", version))
    }

    fn bytes<const N: usize>(self, column: &str, bytes: &[u8]) -> Result<[u8; N], StoreError> {
        bytes
            .try_into()
            .map_err(|_| self.corrupt(column, format_args!("{} bytes instead of {N}", bytes.len())))
    }

    fn data<T: DeserializeOwned>(self, data: &str) -> Result<T, StoreError> {
        serde_json::from_str(data).map_err(|error| self.corrupt("data", error))
    }
}

/// The JSON of the column `data`.
fn json<T: Serialize>(data: &T) -> String {
    serde_json::to_string(data).expect("rows are structs of texts and numbers, which JSON can always hold")
}

/// As a column will hold it, so that what is kept in memory is what would be read back.
pub(crate) fn to_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).expect("rounding towards zero stays within a timestamp's range")
}

/// The key of a counter.
pub(crate) fn counter(kind: IdKind) -> &'static str {
    match kind {
        IdKind::Account => "account",
        IdKind::Order => "order",
        IdKind::Authorization => "authorization",
    }
}

/// A secret as `settings` holds it.
pub(crate) fn secret(name: &str, value: Vec<u8>) -> Result<[u8; 32], StoreError> {
    let length = value.len();
    value.try_into().map_err(|_| StoreError::Corrupt {
        table: "settings",
        row: name.to_owned(),
        what: format!("column value: a secret of {length} bytes instead of 32"),
    })
}

type Text<'a> = Cow<'a, str>;

/// A row of a list of work. One that cannot be read must not keep the others from being done: it is told and left out.
pub(crate) fn legible<T>(row: Result<T, StoreError>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "work that cannot be read is left alone"))
        .ok()
}
