//! Buckets of the rate limits: locked by being written as they are, then drawn on together.

use std::collections::HashMap;

use authority::ports::{Spend, Spent};
use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Error;

use crate::limit::decide;

pub(super) async fn spend(
    client: &mut Client,
    spends: &[Spend],
    now: Timestamp,
    only_look: bool,
) -> Result<Spent, Error> {
    let keys: Vec<&str> = spends.iter().map(|spend| spend.key.as_str()).collect();
    let transaction = client.transaction().await?;
    let rows = if only_look {
        let look = transaction
            .prepare_cached("SELECT key, full_at FROM limits WHERE key = ANY($1)")
            .await?;
        transaction.query(&look, &[&keys]).await?
    } else {
        // In one sequence for everybody, so that nobody waits for somebody who waits for him.
        let lock = transaction
            .prepare_cached(
                "INSERT INTO limits (key, full_at) SELECT key, $2 FROM unnest($1::text[]) AS asked (key) ORDER BY key
                 ON CONFLICT (key) DO UPDATE SET full_at = limits.full_at RETURNING key, full_at",
            )
            .await?;
        transaction.query(&lock, &[&keys, &now.as_millisecond()]).await?
    };
    let found: HashMap<&str, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let fills: Vec<Option<i64>> = keys.iter().map(|key| found.get(key).copied()).collect();
    let drawn = match decide(spends, &fills, now) {
        Err(refused) => return transaction.rollback().await.map(|()| refused),
        Ok(_) if only_look => return transaction.rollback().await.map(|()| Spent::Allowed),
        Ok(drawn) => drawn,
    };
    let draw = transaction
        .prepare_cached(
            "WITH gone AS (
                 DELETE FROM limits WHERE key IN (
                     SELECT key FROM limits WHERE full_at < $3 AND key <> ALL ($1) LIMIT 2 FOR UPDATE SKIP LOCKED)
             )
             UPDATE limits SET full_at = drawn.full_at FROM unnest($1::text[], $2::bigint[]) AS drawn (key, full_at)
             WHERE limits.key = drawn.key",
        )
        .await?;
    transaction
        .execute(&draw, &[&keys, &drawn, &now.as_millisecond()])
        .await?;
    transaction.commit().await.map(|()| Spent::Allowed)
}
