//! The store in one SQLite file, for one process.
//!
//! All writes go through one thread, which folds whatever waits into one transaction ([`writer`]); what is being worked
//! on is read from memory ([`cache`]), the rest from a few read-only connections.

mod apply;
mod cache;
mod claim;
mod connect;
mod health;
mod job;
mod limit;
mod read;
mod record;
mod reserve;
mod settings;
mod writer;

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
};

use acme::Identifier;
use authority::{
    model::{
        Account, AccountId, Authorization, AuthorizationId, CertificateId, CertificateRecord, OrderFacts, OrderId,
        Record, Revoked,
    },
    ports::{BoxFuture, CertificateFilter, Change, Claimed, Committed, IdKind, Spend, Spent, Store, StoreError},
};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::certificate::Serial;

use self::{
    cache::Cache,
    claim::Claim,
    health::Health,
    limit::Spending,
    read::{Readers, select},
    reserve::Reserve,
    settings::Secret,
    writer::{Setting, Writer},
};
use crate::{
    CommitFaults, Database, OnFatal, OpenError, Shared, Statistics,
    change::Prepared,
    numbers::{BLOCK, Numbers},
    row::{AuthorizationRow, key, key_tag},
};

/// Each may keep 4 MiB of pages; what is read often does not come here.
const READERS: usize = 2;

/// The store on SQLite.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    cache: Arc<Cache>,
    health: Arc<Health>,
    numbers: Numbers,
}

impl SqliteStore {
    /// Opens or creates the file, with `FILE.lock` beside it for as long as the store is open.
    pub fn open(path: impl AsRef<Path>, on_fatal: OnFatal) -> Result<Arc<Self>, OpenError> {
        Self::open_with_faults(path, on_fatal, None)
    }

    /// The same with a hand on every COMMIT, to show what a failing disk leaves behind.
    pub fn open_with_faults(
        path: impl AsRef<Path>,
        on_fatal: OnFatal,
        faults: Option<CommitFaults>,
    ) -> Result<Arc<Self>, OpenError> {
        let path = path.as_ref();
        let lock = connect::lock(path)?;
        let connection = Arc::new(Mutex::new(connect::for_writing(path)?));
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            readers.push(Arc::new(Mutex::new(connect::for_reading(path)?)));
        }
        let path = Some(path.to_owned());
        Self::start(readers, |cache, health| Setting {
            connection,
            cache,
            health,
            on_fatal,
            faults,
            _lock: Some(lock),
            path,
        })
    }

    /// A database that lives in this process and ends with it. Readers and the writer take turns on its one connection.
    pub fn in_memory() -> Result<Arc<Self>, OpenError> {
        let connection = Arc::new(Mutex::new(connect::in_memory()?));
        let (on_fatal, faults): (OnFatal, _) = (Box::new(|_| {}), None);
        let readers = vec![connection.clone()];
        Self::start(readers, |cache, health| Setting {
            connection,
            cache,
            health,
            on_fatal,
            faults,
            _lock: None,
            path: None,
        })
    }

    fn start(
        readers: Vec<Arc<Mutex<rusqlite::Connection>>>,
        setting: impl FnOnce(Arc<Cache>, Arc<Health>) -> Setting,
    ) -> Result<Arc<Self>, OpenError> {
        let (cache, health) = (Arc::new(Cache::default()), Arc::new(Health::default()));
        let writer = Writer::start(setting(cache.clone(), health.clone())).map_err(|error| OpenError::Database {
            database: "SQLite".into(),
            what: format!("no thread: {error}"),
        })?;
        Ok(Arc::new(Self {
            writer,
            readers: Readers::new(readers),
            cache,
            health,
            numbers: Numbers::default(),
        }))
    }

    fn read_account(&self, id: AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        self.health.check()?;
        let ticket = match self.cache.account(id) {
            Ok(account) => return Ok(Some(account)),
            Err(ticket) => ticket,
        };
        let sql = concat!(select!(account), " WHERE id = ?");
        let found = self
            .readers
            .with(|connection| read::one(connection, sql, [id.0.cast_signed()], read::account))?;
        if let Some(account) = &found {
            self.cache.fill(ticket, |objects| objects.put_account(account.clone()));
        }
        Ok(found)
    }

    fn read_order(&self, id: OrderId) -> Result<Option<OrderFacts>, StoreError> {
        self.health.check()?;
        let ticket = match self.cache.order(id) {
            Ok(facts) => return Ok(Some(facts)),
            Err(ticket) => ticket,
        };
        let found = self.readers.snapshot(|connection| read::facts(connection, id))?;
        if let Some(facts) = &found {
            self.cache.fill(ticket, |objects| objects.put_facts(facts));
        }
        Ok(found)
    }

    fn read_authorization(&self, id: AuthorizationId) -> Result<Option<Arc<Authorization>>, StoreError> {
        self.health.check()?;
        let ticket = match self.cache.authorization(id) {
            Ok(authorization) => return Ok(Some(authorization)),
            Err(ticket) => ticket,
        };
        let sql = concat!(select!(authorization), " WHERE id = ?");
        let found = self
            .readers
            .with(|connection| read::one(connection, sql, [id.0.cast_signed()], read::authorization))?;
        if let Some(authorization) = &found {
            self.cache
                .fill(ticket, |objects| objects.put_authorization(authorization.clone()));
        }
        Ok(found)
    }

    fn read_certificate(&self, id: CertificateId) -> Result<Option<Arc<CertificateRecord>>, StoreError> {
        self.health.check()?;
        if let Some(certificate) = self.cache.certificate(id) {
            return Ok(Some(certificate));
        }
        let sql = concat!(select!(certificate), " WHERE key = ?");
        self.readers
            .with(|connection| read::one(connection, sql, [key(id)], read::certificate))
    }
}

impl Store for SqliteStore {
    fn reserve(&self, kind: IdKind, count: u64) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let take = |count: u64| {
                self.writer.write(Reserve {
                    kind,
                    count: count.max(BLOCK),
                })
            };
            self.numbers.reserve(kind, count, take).await
        })
    }

    fn account(&self, id: AccountId) -> BoxFuture<'_, Result<Option<Arc<Account>>, StoreError>> {
        Box::pin(async move { self.read_account(id) })
    }

    fn account_by_key<'a>(
        &'a self,
        directory: &'a str,
        thumbprint: Thumbprint,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = concat!(select!(account), " WHERE thumbprint = ? AND directory = ?");
            let params = rusqlite::params![thumbprint.as_bytes(), directory];
            self.readers
                .with(|connection| read::one(connection, sql, params, read::account))
        })
    }

    fn accounts_of_key(&self, thumbprint: Thumbprint) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            self.readers.with(|connection| {
                let mut statement = connection.prepare_cached("SELECT id FROM accounts WHERE thumbprint = ?")?;
                let ids = statement.query_map([thumbprint.as_bytes()], |row| row.get::<_, i64>(0))?;
                let ids = ids.map(|id| Ok(AccountId(id?.cast_unsigned())));
                Ok(ids.collect::<rusqlite::Result<_>>()?)
            })
        })
    }

    fn order(&self, id: OrderId) -> BoxFuture<'_, Result<Option<OrderFacts>, StoreError>> {
        Box::pin(async move { self.read_order(id) })
    }

    fn authorization(&self, id: AuthorizationId) -> BoxFuture<'_, Result<Option<Arc<Authorization>>, StoreError>> {
        Box::pin(async move { self.read_authorization(id) })
    }

    fn certificate(&self, id: CertificateId) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move { self.read_certificate(id) })
    }

    fn certificate_by_serial(
        &self,
        serial: Serial,
    ) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = concat!(select!(certificate), " WHERE serial = ?");
            self.readers
                .with(|connection| read::one(connection, sql, [serial.der_content()], read::certificate))
        })
    }

    fn orders_of(
        &self,
        account: AccountId,
        after: OrderId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderFacts>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            self.readers.snapshot(|connection| {
                let sql = concat!(select!(order), " WHERE account = ? AND id > ? ORDER BY id LIMIT ?");
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let params = [account.0.cast_signed(), after.0.cast_signed(), limit];
                let orders = read::all(connection, sql, params, read::order)?;
                orders
                    .into_iter()
                    .map(|order| read::complete(connection, order))
                    .collect()
            })
        })
    }

    fn authorizations_for(
        &self,
        account: AccountId,
        identifier: Identifier,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Authorization>>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            self.readers.with(|connection| {
                let sql = concat!(
                    select!(authorization),
                    " WHERE account = ? AND identifier = ? ORDER BY id DESC LIMIT ?"
                );
                let identifier = AuthorizationRow::identifier(&identifier);
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let params = rusqlite::params![account.0.cast_signed(), identifier, limit];
                read::all(connection, sql, params, read::authorization)
            })
        })
    }

    fn certificates(
        &self,
        filter: CertificateFilter,
        after: Option<CertificateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<CertificateRecord>>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = concat!(
                select!(certificate),
                " WHERE key > ?1 AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR planned >= ?3)
                    AND (?4 IS NULL OR planned < ?4) AND (?5 IS NULL OR not_after >= ?5)
                  ORDER BY key LIMIT ?6"
            );
            let of_key = concat!(
                select!(certificate),
                " WHERE key_tag = ?7 AND key > ?1 AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR planned >= ?3)
                    AND (?4 IS NULL OR planned < ?4) AND (?5 IS NULL OR not_after >= ?5)
                  ORDER BY key LIMIT ?6"
            );
            let first = [
                after.map_or(-1, key).into(),
                filter.account.map(|id| id.0.cast_signed()),
                filter.planned.0.map(|at| at.as_millisecond()),
                filter.planned.1.map(|at| at.as_millisecond()),
                filter.unexpired_at.map(|at| at.as_millisecond()),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ];
            self.readers.with(|connection| match &filter.key_sha256 {
                None => read::all(connection, sql, first, read::certificate),
                Some(key_sha256) => {
                    let [a, b, c, d, e, f] = first;
                    let params = [a, b, c, d, e, f, Some(key_tag(key_sha256))];
                    let mut found = read::all(connection, of_key, params, read::certificate)?;
                    found.retain(|record| record.key_sha256 == *key_sha256);
                    Ok(found)
                }
            })
        })
    }

    fn revoked<'a>(
        &'a self,
        issuer: &'a str,
        shard: u32,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Revoked>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = "SELECT key, serial, revoked, reason, not_after FROM certificates
                       WHERE revoked IS NOT NULL AND issuer = ? AND crl_shard = ? AND not_after >= ?";
            let params = rusqlite::params![issuer, shard, since.as_millisecond()];
            self.readers
                .with(|connection| read::plain(connection, sql, params, read::revoked))
        })
    }

    fn record<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = concat!(select!(record), " WHERE kind = ? AND key = ?");
            let found = self
                .readers
                .with(|connection| read::plain(connection, sql, [kind, key], read::record))?;
            Ok(found.into_iter().next())
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
            self.health.check()?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            self.readers.with(|connection| match owner {
                None => {
                    let sql = concat!(select!(record), " WHERE kind = ? AND key > ? ORDER BY key LIMIT ?");
                    read::plain(connection, sql, rusqlite::params![kind, after, limit], read::record)
                }
                Some(owner) => {
                    let sql = concat!(
                        select!(record),
                        " WHERE kind = ? AND owner = ? AND key > ? ORDER BY key LIMIT ?"
                    );
                    let params = rusqlite::params![kind, owner.cast_signed(), after, limit];
                    read::plain(connection, sql, params, read::record)
                }
            })
        })
    }

    fn due_records<'a>(
        &'a self,
        kind: &'a str,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            self.health.check()?;
            let sql = concat!(select!(record), " WHERE kind = ? AND due <= ? ORDER BY due LIMIT ?");
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let params = rusqlite::params![kind, now.as_millisecond(), limit];
            self.readers
                .with(|connection| read::plain(connection, sql, params, read::record))
        })
    }

    fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        Box::pin(self.writer.write(Claim { now, lease, limit }))
    }

    fn spend(&self, spends: Vec<Spend>, now: Timestamp, only_look: bool) -> BoxFuture<'_, Result<Spent, StoreError>> {
        Box::pin(self.writer.write(Spending { spends, now, only_look }))
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(self.writer.write(Prepared::from(change)))
    }
}

impl Shared for SqliteStore {
    fn load_or_create_secret(
        &self,
        name: &'static str,
        fresh: [u8; 32],
    ) -> BoxFuture<'_, Result<[u8; 32], StoreError>> {
        Box::pin(self.writer.write(Secret { name, fresh }))
    }

    /// There is one process: itself.
    fn register_node(&self, _process: u64, _peer: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.health.check() })
    }

    fn node_peer(&self, _process: u64) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move { self.health.check().map(|()| None) })
    }
}

impl Database for SqliteStore {
    fn statistics(&self) -> Statistics {
        self.writer.statistics()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.writer.close())
    }
}
