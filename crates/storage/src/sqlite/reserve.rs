//! A block of numbers.

use std::ops::Range;

use authority::ports::IdKind;
use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    job::{Failure, Write},
};
use crate::row::counter;

pub(super) struct Reserve {
    pub kind: IdKind,
    pub count: u64,
}

impl Write for Reserve {
    type Output = Range<u64>;

    fn apply(&self, connection: &Connection) -> Result<Range<u64>, Failure> {
        let end: i64 = connection
            .prepare_cached(
                "INSERT INTO counters (kind, next) VALUES (?1, 1 + ?2)
                 ON CONFLICT (kind) DO UPDATE SET next = next + ?2 RETURNING next",
            )?
            .query_row(params![counter(self.kind), self.count.cast_signed()], |row| row.get(0))?;
        let end = end.cast_unsigned();
        Ok(end - self.count..end)
    }

    fn publish(self, _: &Range<u64>, _: &mut Objects) {}
}
