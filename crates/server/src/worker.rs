//! The worker: takes up what a crash, or another node, left behind.

use std::time::Duration;

use authority::Authority;

/// Claims due work now and then, for ever. Work that this process began itself does not wait for this.
pub async fn work(authority: Authority, every: Duration) {
    loop {
        match authority.resume(BATCH).await {
            Ok(count) if count == BATCH => continue,
            Ok(_) => {}
            Err(failure) => tracing::warn!(%failure, "due work could not be claimed"),
        }
        tokio::time::sleep(every).await;
    }
}

/// How much is taken at once; more than this and the next round follows immediately.
const BATCH: usize = 64;
