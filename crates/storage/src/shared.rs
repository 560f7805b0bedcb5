//! What belongs to the store as a whole.

use authority::ports::{BoxFuture, Store, StoreError};

/// A store with everything that the composition of a server asks of it.
pub trait Database: Store + Shared {
    /// Counts since the store was opened.
    fn statistics(&self) -> Statistics;

    /// Ends in order: what was promised is on disk, every later call is [`StoreError::Unavailable`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Facts that all nodes of one authority share.
pub trait Shared: Send + Sync {
    /// The secret of that name. The first to ask brings it: `fresh` is kept if there is none yet.
    fn load_or_create_secret(&self, name: &'static str, fresh: [u8; 32])
    -> BoxFuture<'_, Result<[u8; 32], StoreError>>;

    /// Tells the other nodes where a process answers questions about its nonces.
    fn register_node(&self, process: u64, peer: String) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Where that process answers, `None` when it never registered or the store has one process only.
    fn node_peer(&self, process: u64) -> BoxFuture<'_, Result<Option<String>, StoreError>>;
}

/// What the writing side did, for metrics and for whoever tunes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions that were made durable.
    pub commits: u64,
    /// Changes and other writes in them.
    pub jobs: u64,
    /// Rows in them; unknown (zero) where the database does not tell.
    pub rows: u64,
}

impl Statistics {
    /// How many writes share one transaction.
    pub fn mean_group(&self) -> f64 {
        if self.commits == 0 {
            0.0
        } else {
            self.jobs as f64 / self.commits as f64
        }
    }
}
