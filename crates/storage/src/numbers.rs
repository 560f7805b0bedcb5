//! Numbers that nobody has had: taken from the database in blocks, handed out from memory.

use std::ops::Range;

use authority::ports::{IdKind, StoreError};
use tokio::sync::Mutex;

/// What a crash loses at most, of 2^43; and how seldom an order costs one more write.
pub(crate) const BLOCK: u64 = 1024;

/// What is left of the blocks.
#[derive(Default)]
pub(crate) struct Numbers {
    accounts: Mutex<Range<u64>>,
    orders: Mutex<Range<u64>>,
    authorizations: Mutex<Range<u64>>,
}

impl Numbers {
    /// Hands out numbers; `take` fetches a block of at least so many.
    pub async fn reserve<F>(
        &self,
        kind: IdKind,
        count: u64,
        take: impl FnOnce(u64) -> F,
    ) -> Result<Range<u64>, StoreError>
    where
        F: Future<Output = Result<Range<u64>, StoreError>>,
    {
        let block = match kind {
            IdKind::Account => &self.accounts,
            IdKind::Order => &self.orders,
            IdKind::Authorization => &self.authorizations,
        };
        // Held while a block is fetched, so that all who wait share it.
        let mut block = block.lock().await;
        if block.end - block.start < count {
            *block = take(count).await?;
        }
        let start = block.start;
        block.start += count;
        Ok(start..block.start)
    }
}
