//! Values of the store as a whole.

use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    job::{Failure, Write},
};
use crate::row::secret;

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
        Ok(secret(self.name, kept)?)
    }

    fn publish(self, _: &[u8; 32], _: &mut Objects) {}
}
