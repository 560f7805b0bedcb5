//! Taking turns at an authorization on this node: one validation for all who ask at once.
//!
//! Between nodes the versions of the rows decide; this only saves the network from being asked the same thing twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_channel::oneshot;

use crate::model::AuthorizationId;

/// Who is at it, and who waits.
#[derive(Default)]
pub struct Turns {
    taken: Mutex<HashMap<AuthorizationId, Vec<oneshot::Sender<()>>>>,
}

/// A turn; the next in line gets it when this is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    id: AuthorizationId,
}

impl Turns {
    pub async fn take(self: &Arc<Self>, id: AuthorizationId) -> Turn {
        loop {
            let wait = {
                let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                match taken.get_mut(&id) {
                    None => {
                        taken.insert(id, Vec::new());
                        return Turn {
                            turns: Arc::clone(self),
                            id,
                        };
                    }
                    Some(waiting) => {
                        let (send, wait) = oneshot::channel();
                        waiting.push(send);
                        wait
                    }
                }
            };
            // Dropped senders wake everybody; whoever is first takes the turn.
            let _ = wait.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}
