//! Values of the store as a whole.

use authority::ports::StoreError;
use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    writer::{Failure, Write},
};

/// The secret of that name; the first to ask brings it.
pub(super) struct Secret {
    pub name: &'static str,
    pub fresh: [u8; 32],
}

impl Write for Secret {
    type Output = [u8; 32];

    fn apply(&self, connection: &Connection) -> Result<[u8; 32], Failure> {
        connection
            .prepare_cached("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING")?
            .execute(params![self.name, self.fresh])?;
        let kept: Vec<u8> = connection
            .prepare_cached("SELECT value FROM settings WHERE key = ?")?
            .query_row([self.name], |row| row.get(0))?;
        let length = kept.len();
        kept.try_into().map_err(|_| {
            let what = format!("column value: a secret of {length} bytes instead of 32");
            StoreError::Corrupt {
                table: "settings",
                row: self.name.into(),
                what,
            }
            .into()
        })
    }

    fn publish(self, _: &[u8; 32], _: &mut Objects) {}
}
