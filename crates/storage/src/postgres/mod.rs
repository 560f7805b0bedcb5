//! The store on PostgreSQL 13 or later, shared by as many nodes as there are.
//!
//! There is no leader and nothing is kept in memory but numbers: every read asks the database, every change is one
//! statement ([`apply`]), work is claimed past the locks of others.

mod apply;
mod connect;
mod limit;
mod read;
mod record;
mod tls;

use std::{
    error::Error as _,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use acme::Identifier;
use authority::{
    model::{
        Account, AccountId, Authorization, AuthorizationId, CertificateId, CertificateRecord, OrderFacts, OrderId,
        Record, Revoked,
    },
    ports::{BoxFuture, CertificateFilter, Change, Claimed, Committed, IdKind, Spend, Spent, Store, StoreError},
};
use deadpool_postgres::{Client, Pool, PoolError};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::certificate::Serial;
use tokio_postgres::{Row, types::ToSql};

use self::read::{columns, facts_of};
use crate::{
    CommitFault, CommitFaults, Database, OpenError, Shared, Statistics,
    change::Prepared,
    numbers::{BLOCK, Numbers},
    row::legible,
    row::{AuthorizationRow, counter, key, key_tag},
};

/// The store on PostgreSQL.
pub struct PostgresStore {
    pool: Pool,
    numbers: Numbers,
    faults: Option<CommitFaults>,
    commits: AtomicU64,
    rows: AtomicU64,
}

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl PostgresStore {
    /// Connects, and brings the schema up to date.
    pub async fn open(url: &str) -> Result<Arc<Self>, OpenError> {
        Self::open_with_faults(url, None).await
    }

    /// The same with a hand on every commit, to show what a lost connection leaves behind.
    pub async fn open_with_faults(url: &str, faults: Option<CommitFaults>) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self {
            pool: connect::connect(url).await?,
            numbers: Numbers::default(),
            faults,
            commits: AtomicU64::new(0),
            rows: AtomicU64::new(0),
        }))
    }

    async fn client(&self) -> Result<Client, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Closed => StoreError::Unavailable("the store has been closed".into()),
            error => StoreError::Unavailable(explain_pool(&error)),
        })
    }

    async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(unavailable)?;
        client.query(&statement, params).await.map_err(unavailable)
    }

    async fn one<T>(
        &self,
        sql: &str,
        params: Params<'_>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<Arc<T>>, StoreError> {
        self.query(sql, params)
            .await?
            .first()
            .map(|row| read(row).map(Arc::new))
            .transpose()
    }

    async fn write<T>(&self, sql: &str, params: Params<'_>, read: fn(&Row) -> T) -> Result<Vec<T>, StoreError> {
        let rows = self.query(sql, params).await?;
        self.count(rows.len() as u64);
        Ok(rows.iter().map(read).collect())
    }

    fn count(&self, rows: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    async fn make(&self, change: Prepared) -> Result<Committed, StoreError> {
        let fault = self.faults.as_ref().and_then(|faults| faults());
        let injected = || StoreError::Unavailable("an injected fault".into());
        if matches!(fault, Some(CommitFault::NoRoom | CommitFault::NotWritten)) {
            return Err(injected());
        }
        let mut client = self.client().await?;
        let (committed, rows) = apply::apply(&mut client, &change).await.map_err(unavailable)?;
        self.count(rows);
        if fault == Some(CommitFault::WrittenButReported) {
            return Err(injected());
        }
        Ok(committed)
    }

    async fn take_block(&self, kind: IdKind, count: u64) -> Result<Range<u64>, StoreError> {
        let sql = "INSERT INTO counters (kind, next) VALUES ($1, 1 + $2::bigint)
                   ON CONFLICT (kind) DO UPDATE SET next = counters.next + $2::bigint RETURNING next";
        let taken = self
            .write(sql, &[&counter(kind), &count.cast_signed()], |row| row.get::<_, i64>(0))
            .await?;
        let end = taken
            .first()
            .expect("an upsert without a condition returns its row")
            .cast_unsigned();
        Ok(end - count..end)
    }

    async fn claim_work(&self, now: Timestamp, lease: Timestamp, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let validations = concat!(
            "WITH due AS (
                 SELECT id AS claimed FROM authorizations
                 WHERE due IS NOT NULL AND GREATEST(due, lease) <= $1
                 ORDER BY GREATEST(due, lease) LIMIT $3 FOR UPDATE SKIP LOCKED
             )
             UPDATE authorizations SET lease = $2, version = version + 1 FROM due WHERE id = due.claimed RETURNING ",
            columns!(authorization)
        );
        let issuances = concat!(
            "WITH due AS (
                 SELECT key AS claimed FROM certificates
                 WHERE lease IS NOT NULL AND lease <= $1 ORDER BY lease LIMIT $3 FOR UPDATE SKIP LOCKED
             )
             UPDATE certificates SET lease = $2, version = version + 1 FROM due WHERE key = due.claimed RETURNING ",
            columns!(certificate)
        );
        let (now, lease) = (now.as_millisecond(), lease.as_millisecond());
        let mut claimed = Vec::new();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        for row in self.query(validations, &[&now, &lease, &limit]).await? {
            claimed.extend(legible(read::authorization(&row, 0)).map(|read| Claimed::Validation(Arc::new(read))));
        }
        let limit = limit - claimed.len() as i64;
        if limit > 0 {
            for row in self.query(issuances, &[&now, &lease, &limit]).await? {
                claimed.extend(legible(read::certificate(&row, 0)).map(|read| Claimed::Issuance(Arc::new(read))));
            }
        }
        if !claimed.is_empty() {
            self.count(claimed.len() as u64);
        }
        Ok(claimed)
    }
}

impl Store for PostgresStore {
    fn reserve(&self, kind: IdKind, count: u64) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        Box::pin(async move {
            if self.pool.is_closed() {
                return Err(StoreError::Unavailable("the store has been closed".into()));
            }
            self.numbers
                .reserve(kind, count, |block| self.take_block(kind, block.max(BLOCK)))
                .await
        })
    }

    fn account(&self, id: AccountId) -> BoxFuture<'_, Result<Option<Arc<Account>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!("SELECT ", columns!(account), " FROM accounts WHERE id = $1");
            self.one(sql, &[&id.0.cast_signed()], read::account).await
        })
    }

    fn account_by_key<'a>(
        &'a self,
        directory: &'a str,
        thumbprint: Thumbprint,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!(
                "SELECT ",
                columns!(account),
                " FROM accounts WHERE thumbprint = $1 AND directory = $2"
            );
            self.one(sql, &[&thumbprint.as_ref(), &directory], read::account).await
        })
    }

    fn accounts_of_key(&self, thumbprint: Thumbprint) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT id FROM accounts WHERE thumbprint = $1";
            let rows = self.query(sql, &[&thumbprint.as_ref()]).await?;
            Ok(rows
                .iter()
                .map(|row| AccountId(row.get::<_, i64>(0).cast_unsigned()))
                .collect())
        })
    }

    fn order(&self, id: OrderId) -> BoxFuture<'_, Result<Option<OrderFacts>, StoreError>> {
        Box::pin(async move {
            let sql = facts_of!("SELECT * FROM orders WHERE id = $1");
            let rows = self.query(sql, &[&id.0.cast_signed()]).await?;
            Ok(read::facts(&rows)?.pop())
        })
    }

    fn authorization(&self, id: AuthorizationId) -> BoxFuture<'_, Result<Option<Arc<Authorization>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!("SELECT ", columns!(authorization), " FROM authorizations WHERE id = $1");
            self.one(sql, &[&id.0.cast_signed()], |row| read::authorization(row, 0))
                .await
        })
    }

    fn certificate(&self, id: CertificateId) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!("SELECT ", columns!(certificate), " FROM certificates WHERE key = $1");
            self.one(sql, &[&key(id)], |row| read::certificate(row, 0)).await
        })
    }

    fn certificate_by_serial(
        &self,
        serial: Serial,
    ) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!("SELECT ", columns!(certificate), " FROM certificates WHERE serial = $1");
            self.one(sql, &[&serial.der_content()], |row| read::certificate(row, 0))
                .await
        })
    }

    fn orders_of(
        &self,
        account: AccountId,
        after: OrderId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderFacts>, StoreError>> {
        Box::pin(async move {
            let sql = facts_of!("SELECT * FROM orders WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3");
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = self
                .query(sql, &[&account.0.cast_signed(), &after.0.cast_signed(), &limit])
                .await?;
            read::facts(&rows)
        })
    }

    fn authorizations_for(
        &self,
        account: AccountId,
        identifier: Identifier,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Authorization>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!(
                "SELECT ",
                columns!(authorization),
                " FROM authorizations WHERE account = $1 AND identifier = $2 ORDER BY id DESC LIMIT $3"
            );
            let identifier = AuthorizationRow::identifier(&identifier);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = self
                .query(sql, &[&account.0.cast_signed(), &identifier, &limit])
                .await?;
            rows.iter()
                .map(|row| Ok(Arc::new(read::authorization(row, 0)?)))
                .collect()
        })
    }

    fn certificates(
        &self,
        filter: CertificateFilter,
        after: Option<CertificateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move {
            let sql = concat!(
                "SELECT ",
                columns!(certificate),
                " FROM certificates
                  WHERE key > $1 AND ($2::bigint IS NULL OR account = $2) AND ($3::bigint IS NULL OR planned >= $3)
                    AND ($4::bigint IS NULL OR planned < $4) AND ($5::bigint IS NULL OR not_after >= $5)
                    AND ($6::bigint IS NULL OR key_tag = $6)
                  ORDER BY key LIMIT $7"
            );
            let rows = self
                .query(
                    sql,
                    &[
                        &after.map_or(-1, key),
                        &filter.account.map(|id| id.0.cast_signed()),
                        &filter.planned.0.map(|at| at.as_millisecond()),
                        &filter.planned.1.map(|at| at.as_millisecond()),
                        &filter.unexpired_at.map(|at| at.as_millisecond()),
                        &filter.key_sha256.as_ref().map(key_tag),
                        &i64::try_from(limit).unwrap_or(i64::MAX),
                    ],
                )
                .await?;
            let read = rows.iter().map(|row| Ok(Arc::new(read::certificate(row, 0)?)));
            let mut found: Vec<Arc<CertificateRecord>> = read.collect::<Result<_, StoreError>>()?;
            found.retain(|record| {
                filter
                    .key_sha256
                    .is_none_or(|key_sha256| record.key_sha256 == key_sha256)
            });
            Ok(found)
        })
    }

    fn revoked<'a>(
        &'a self,
        issuer: &'a str,
        shard: u32,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Revoked>, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT key, serial, revoked, reason, not_after FROM certificates
                       WHERE revoked IS NOT NULL AND issuer = $1 AND crl_shard = $2 AND not_after >= $3";
            let rows = self
                .query(sql, &[&issuer, &i64::from(shard), &since.as_millisecond()])
                .await?;
            rows.iter().map(read::revoked).collect()
        })
    }

    fn record<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        Box::pin(async move {
            let sql = concat!(
                "SELECT ",
                columns!(record),
                " FROM records WHERE kind = $1 AND key = $2"
            );
            let rows = self.query(sql, &[&kind, &key]).await?;
            rows.first().map(read::record).transpose()
        })
    }

    fn records<'a>(
        &'a self,
        kind: &'a str,
        owner: Option<u64>,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = match owner.map(u64::cast_signed) {
                None => {
                    let sql = concat!(
                        "SELECT ",
                        columns!(record),
                        " FROM records WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3"
                    );
                    self.query(sql, &[&kind, &after, &limit]).await?
                }
                Some(owner) => {
                    let sql = concat!(
                        "SELECT ",
                        columns!(record),
                        " FROM records WHERE kind = $1 AND owner = $2 AND key > $3 ORDER BY key LIMIT $4"
                    );
                    self.query(sql, &[&kind, &owner, &after, &limit]).await?
                }
            };
            rows.iter().map(read::record).collect()
        })
    }

    fn due_records<'a>(
        &'a self,
        kind: &'a str,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let sql = concat!(
                "SELECT ",
                columns!(record),
                " FROM records WHERE kind = $1 AND due <= $2 ORDER BY due LIMIT $3"
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = self.query(sql, &[&kind, &now.as_millisecond(), &limit]).await?;
            rows.iter().map(read::record).collect()
        })
    }

    fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        Box::pin(self.claim_work(now, lease, limit))
    }

    fn spend(&self, spends: Vec<Spend>, now: Timestamp, only_look: bool) -> BoxFuture<'_, Result<Spent, StoreError>> {
        Box::pin(async move {
            let mut client = self.client().await?;
            limit::spend(&mut client, &spends, now, only_look)
                .await
                .map_err(unavailable)
        })
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(self.make(Prepared::from(change)))
    }
}

impl Shared for PostgresStore {
    fn load_or_create_secret(
        &self,
        name: &'static str,
        fresh: [u8; 32],
    ) -> BoxFuture<'_, Result<[u8; 32], StoreError>> {
        Box::pin(async move {
            // Writing what is there already is how the statement comes to return it.
            let sql = "INSERT INTO settings (key, value) VALUES ($1, $2)
                       ON CONFLICT (key) DO UPDATE SET value = settings.value RETURNING value";
            let kept = self
                .write(sql, &[&name, &&fresh[..]], |row| row.get::<_, Vec<u8>>(0))
                .await?;
            let kept = kept
                .into_iter()
                .next()
                .expect("an upsert without a condition returns its row");
            crate::row::secret(name, kept)
        })
    }

    fn register_node(&self, process: u64, peer: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // A nonce is refused long before a week has passed, so nobody asks for the nodes that go here.
            let sql = "WITH gone AS (DELETE FROM nodes WHERE seen < now() - interval '7 days' AND process <> $1)
                       INSERT INTO nodes (process, peer) VALUES ($1, $2)
                       ON CONFLICT (process) DO UPDATE SET peer = $2, seen = now()";
            self.write(sql, &[&process.cast_signed(), &peer], |_| ())
                .await
                .map(drop)
        })
    }

    fn node_peer(&self, process: u64) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let rows = self
                .query("SELECT peer FROM nodes WHERE process = $1", &[&process.cast_signed()])
                .await?;
            Ok(rows.first().map(|row| row.get(0)))
        })
    }
}

impl Database for PostgresStore {
    fn statistics(&self) -> Statistics {
        let commits = self.commits.load(Ordering::Relaxed);
        Statistics {
            commits,
            jobs: commits,
            rows: self.rows.load(Ordering::Relaxed),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.pool.close() })
    }
}

fn unavailable(error: tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(explain(&error))
}

fn explain_pool(error: &PoolError) -> String {
    match error {
        PoolError::Backend(error) => explain(error),
        PoolError::Timeout(_) => "no connection became free in time; is the server overloaded?".into(),
        error => error.to_string(),
    }
}

/// The error with its cause, which has what there is to know.
fn explain(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
