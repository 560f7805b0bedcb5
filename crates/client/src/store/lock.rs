//! One process at a time at one certificate or account.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    time::Duration,
};

use jiff::SignedDuration;

use super::{Store, StoreError, atomic};
use crate::clock::Clock;

/// Held until it is dropped, or its process ends in whatever way: the kernel keeps it, no stale file can.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl Store {
    /// Waits for whoever holds the lock, at most so long. `waiting` is called once if there is somebody.
    pub async fn lock(
        &self,
        what: &str,
        patience: Duration,
        clock: &dyn Clock,
        waiting: impl FnOnce(&StoreError),
    ) -> Result<Lock, StoreError> {
        let folder = self.root().join("locks");
        atomic::private_folder(&folder)?;
        let path = folder.join(format!("{what}.lock"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(atomic::PRIVATE)
            .open(&path)
            .map_err(|source| StoreError::io("open", &path, source))?;
        let started = clock.now();
        let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path, source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let locked = StoreError::Locked {
                what: what.to_owned(),
                holder: holder(&mut file),
            };
            if clock.now().duration_since(started) >= patience {
                return Err(locked);
            }
            if let Some(waiting) = waiting.take() {
                waiting(&locked);
            }
            clock.sleep(BETWEEN_TRIES).await;
        }
        // Only said to people, so that failing to write it is no matter.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Lock(file))
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

const BETWEEN_TRIES: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn a_second_holder_waits_and_says_for_whom() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = store
            .lock("a.test", Duration::ZERO, &SystemClock, |_| ())
            .await
            .unwrap();
        store
            .lock("b.test", Duration::ZERO, &SystemClock, |_| ())
            .await
            .unwrap();

        let error = store
            .lock("a.test", Duration::ZERO, &SystemClock, |_| ())
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(&format!("process {}", std::process::id())),
            "{error}"
        );

        let mut first = Some(first);
        let waiting = |_: &StoreError| drop(first.take());
        store
            .lock("a.test", Duration::from_secs(60), &SystemClock, waiting)
            .await
            .unwrap();
    }
}
