//! Failing on purpose.

use std::sync::Arc;

/// How a COMMIT can be made to fail, to show what is true afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is written, and that is known: the store goes on.
    NoRoom,
    /// Nothing is written, but the failure is one after which nobody knows.
    NotWritten,
    /// Everything is written, and a failure is reported all the same.
    WrittenButReported,
}

/// Asked at every COMMIT.
pub type CommitFaults = Arc<dyn Fn() -> Option<CommitFault> + Send + Sync>;
