//! The workers: one takes up what a crash, or another node, left behind; one makes revocations visible.

use std::{sync::Arc, time::Duration};

use authority::Authority;

use crate::Waiting;

/// Claims due work of every directory now and then, for ever. Work that this process began itself does not wait for this.
pub async fn work(authorities: Vec<Authority>, every: Duration) {
    loop {
        match Authority::resume_among(&authorities, BATCH).await {
            Ok(count) if count == BATCH => continue,
            Ok(_) => {}
            Err(failure) => tracing::warn!(%failure, "due work could not be claimed"),
        }
        for authority in &authorities {
            if let Err(failure) = authority.send_codes(BATCH).await {
                tracing::warn!(%failure, "codes that are due could not be sent");
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Revokes what goes with a compromised key and publishes the CRLs that are due: at once after a revocation on this
/// node, and now and then for those of other nodes and those whose time has come.
pub async fn publish(authority: Authority, waiting: Arc<Waiting>, every: Duration) {
    loop {
        if let Err(failure) = authority.revoke_compromised().await {
            tracing::warn!(%failure, "certificates of a compromised key are not all revoked yet");
        }
        if let Err(failure) = authority.publish_crls().await {
            tracing::warn!(%failure, "not every CRL is up to date");
        }
        tokio::select! {
            () = waiting.revocation() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// How much is taken at once; more than this and the next round follows immediately.
const BATCH: usize = 64;
/// Many revocations at once become one list, not one list for each.
const GATHER: Duration = Duration::from_millis(100);
