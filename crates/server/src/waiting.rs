//! Reads that wait for a change instead of being repeated.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use authority::ports::{Changes, Subject};
use tokio::sync::Notify;

/// Who waits for what, on this node. A subject has an entry only while somebody waits for it.
#[derive(Default)]
pub struct Waiting {
    subjects: Mutex<HashMap<Subject, Arc<Notify>>>,
    /// For the one that publishes; kept until it comes.
    revocations: Notify,
}

impl Changes for Waiting {
    fn changed(&self, subject: Subject) {
        if subject == Subject::Revocations {
            return self.revocations.notify_one();
        }
        let waiting = self
            .subjects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&subject);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
    }
}

impl Waiting {
    /// Reads until `settled`, at most for `hold`, again after each change of the subject the read names.
    pub async fn read_settled<T, E, R: Future<Output = Result<T, E>>>(
        &self,
        hold: Duration,
        read: impl Fn() -> R,
        working_on: impl Fn(&T) -> Option<Subject>,
    ) -> Result<T, E> {
        let deadline = tokio::time::Instant::now() + hold;
        let mut seen = read().await?;
        while let Some(subject) = working_on(&seen) {
            let notify = self.subscribe(subject);
            let mut changed = std::pin::pin!(notify.notified());
            changed.as_mut().enable();
            // Read again once the wait is armed: a change in between is not missed.
            seen = read().await?;
            if working_on(&seen) != Some(subject) {
                continue;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                // Another node's work is not announced here: it is seen now, or with the next request.
                return read().await;
            }
            seen = read().await?;
        }
        Ok(seen)
    }

    /// Ends when something was revoked on this node since the last call.
    pub async fn revocation(&self) {
        self.revocations.notified().await;
    }

    fn subscribe(&self, subject: Subject) -> Arc<Notify> {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        // Entries nobody waits for any more (a wait that timed out) go when there are many.
        if subjects.len() > MANY {
            subjects.retain(|_, notify| Arc::strong_count(notify) > 1);
        }
        Arc::clone(subjects.entry(subject).or_default())
    }
}

const MANY: usize = 10_000;
