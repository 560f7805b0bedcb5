//! Records as statements of the writer: conditions first, since a conflict must have written nothing.

use authority::model::{Record, RecordChange};
use rusqlite::{Connection, params};

use super::job::Failure;

/// Whether every change is decided from what is there now.
pub(super) fn all_hold(connection: &Connection, changes: &[RecordChange]) -> Result<bool, Failure> {
    for change in changes {
        let (kind, key, expected) = match change {
            RecordChange::Create(Record { kind, key, .. }) | RecordChange::Absent { kind, key } => (kind, key, None),
            RecordChange::Update(Record { kind, key, version, .. }) | RecordChange::Delete { kind, key, version } => {
                (kind, key, Some(*version))
            }
        };
        let mut statement = connection.prepare_cached("SELECT version FROM records WHERE kind = ? AND key = ?")?;
        let mut rows = statement.query(params![kind, key])?;
        let found: Option<u32> = rows.next()?.map(|row| row.get(0)).transpose()?;
        if found != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes changes of which [`all_hold`] is true in this transaction.
pub(super) fn write(connection: &Connection, changes: &[RecordChange]) -> Result<(), Failure> {
    for change in changes {
        match change {
            RecordChange::Create(record) => connection
                .prepare_cached("INSERT INTO records (owner, due, version, data, kind, key) VALUES (?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    record.owner.map(u64::cast_signed),
                    record.due.map(|due| due.as_millisecond()),
                    record.version,
                    record.data,
                    record.kind,
                    record.key,
                ])?,
            RecordChange::Update(record) => connection
                .prepare_cached(
                    "UPDATE records SET owner = ?, due = ?, version = ?, data = ? WHERE kind = ? AND key = ?",
                )?
                .execute(params![
                    record.owner.map(u64::cast_signed),
                    record.due.map(|due| due.as_millisecond()),
                    record.version + 1,
                    record.data,
                    record.kind,
                    record.key,
                ])?,
            RecordChange::Delete { kind, key, .. } => connection
                .prepare_cached("DELETE FROM records WHERE kind = ? AND key = ?")?
                .execute(params![kind, key])?,
            RecordChange::Absent { .. } => 0,
        };
    }
    Ok(())
}
