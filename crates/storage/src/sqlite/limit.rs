//! Buckets of the rate limits.

use authority::ports::{Spend, Spent};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    job::{Failure, Write},
};
use crate::limit::decide;

pub(super) struct Spending {
    pub spends: Vec<Spend>,
    pub now: Timestamp,
    pub only_look: bool,
}

impl Write for Spending {
    type Output = Spent;

    fn apply(&self, connection: &Connection) -> Result<Spent, Failure> {
        let mut fills = Vec::with_capacity(self.spends.len());
        for spend in &self.spends {
            let mut statement = connection.prepare_cached("SELECT full_at FROM limits WHERE key = ?")?;
            let mut rows = statement.query([&spend.key])?;
            fills.push(rows.next()?.map(|row| row.get(0)).transpose()?);
        }
        let drawn = match decide(&self.spends, &fills, self.now) {
            Ok(drawn) => drawn,
            Err(refused) => return Ok(refused),
        };
        if self.only_look {
            return Ok(Spent::Allowed);
        }
        for (spend, full_at) in self.spends.iter().zip(drawn) {
            connection
                .prepare_cached("INSERT INTO limits (key, full_at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET full_at = excluded.full_at")?
                .execute(params![spend.key, full_at])?;
            // Each that is written takes two with it that are full again: the table grows no further than it is used.
            connection
                .prepare_cached("DELETE FROM limits WHERE key IN (SELECT key FROM limits WHERE full_at < ? LIMIT 2)")?
                .execute([self.now.as_millisecond()])?;
        }
        Ok(Spent::Allowed)
    }

    fn publish(self, _: &Spent, _: &mut Objects) {}
}
