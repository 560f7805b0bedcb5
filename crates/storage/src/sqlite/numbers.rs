//! Numbers that nobody has had: taken from the database in blocks, handed out from memory.

use std::ops::Range;

use authority::ports::{IdKind, StoreError};
use rusqlite::{Connection, params};
use tokio::sync::Mutex;

use super::{
    cache::Objects,
    writer::{Failure, Write, Writer},
};
use crate::row::counter;

/// What a crash loses at most, of 2^43; and how seldom an order costs one more write.
const BLOCK: u64 = 1024;

#[derive(Default)]
pub(super) struct Numbers {
    accounts: Mutex<Range<u64>>,
    orders: Mutex<Range<u64>>,
    authorizations: Mutex<Range<u64>>,
}

impl Numbers {
    pub async fn reserve(&self, writer: &Writer, kind: IdKind, count: u64) -> Result<Range<u64>, StoreError> {
        let block = match kind {
            IdKind::Account => &self.accounts,
            IdKind::Order => &self.orders,
            IdKind::Authorization => &self.authorizations,
        };
        let mut block = block.lock().await;
        if block.end - block.start < count {
            *block = writer
                .write(Reserve {
                    kind,
                    count: count.max(BLOCK),
                })
                .await?;
        }
        let start = block.start;
        block.start += count;
        Ok(start..block.start)
    }
}

struct Reserve {
    kind: IdKind,
    count: u64,
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
