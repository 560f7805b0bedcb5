//! Whether the store may still be believed.

use std::sync::OnceLock;

use authority::ports::StoreError;

/// Once it is no longer serving, it never serves again.
#[derive(Default)]
pub(super) struct Health {
    end: OnceLock<End>,
}

enum End {
    Closed,
    Dead(String),
}

impl Health {
    pub fn check(&self) -> Result<(), StoreError> {
        if self.end.get().is_some() {
            Err(self.closed())
        } else {
            Ok(())
        }
    }

    pub fn set_closed(&self) {
        let _ = self.end.set(End::Closed);
    }

    pub fn set_dead(&self, what: String) {
        let _ = self.end.set(End::Dead(what));
    }

    /// What to answer when the writer is gone.
    pub fn closed(&self) -> StoreError {
        StoreError::Unavailable(match self.end.get() {
            Some(End::Dead(what)) => format!("after an earlier failure nothing is certain any more ({what})"),
            Some(End::Closed) | None => "the store has been closed".into(),
        })
    }
}
