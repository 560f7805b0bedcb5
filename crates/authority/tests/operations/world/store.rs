//! The true store, with a hand on each commit and a count of the calls that are under way.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::certificate::Serial;
use storage::Database;

/// How one commit fails; both ways report the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NotWritten,
    WrittenAllTheSame,
}

/// Which changes a fault is for.
type Which = fn(&Change) -> bool;

pub struct WatchedStore {
    inner: Arc<dyn Database>,
    fault: Mutex<Option<(Which, Fault)>>,
    uncounted: AtomicBool,
    under_way: AtomicUsize,
    /// PLANs that the store took.
    plans: AtomicUsize,
    records: AtomicUsize,
}

impl WatchedStore {
    pub fn new(inner: Arc<dyn Database>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fault: Mutex::default(),
            uncounted: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            plans: AtomicUsize::new(0),
            records: AtomicUsize::new(0),
        })
    }

    /// The next commit of that kind fails.
    pub fn fail_next(&self, which: Which, fault: Fault) {
        *self.fault.lock().unwrap() = Some((which, fault));
    }

    /// From now on no bucket of the rate limits can be read or written.
    pub fn lose_the_counters(&self) {
        self.uncounted.store(true, Ordering::SeqCst);
    }

    pub fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    pub fn plans(&self) -> usize {
        self.plans.load(Ordering::SeqCst)
    }

    /// Records that lists were made of.
    pub fn records_listed(&self) -> usize {
        self.records.load(Ordering::SeqCst)
    }

    fn watched<'a, T: 'a>(&'a self, call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let _call = Call::begin(&self.under_way);
            call.await
        })
    }
}

/// Also a call whose caller has gone is over.
struct Call<'a>(&'a AtomicUsize);

impl<'a> Call<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Store for WatchedStore {
    fn reserve(&self, kind: IdKind, count: u64) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        self.watched(self.inner.reserve(kind, count))
    }

    fn account(&self, id: AccountId) -> BoxFuture<'_, Result<Option<Arc<Account>>, StoreError>> {
        self.watched(self.inner.account(id))
    }

    fn account_by_key<'a>(
        &'a self,
        directory: &'a str,
        thumbprint: Thumbprint,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>, StoreError>> {
        self.watched(self.inner.account_by_key(directory, thumbprint))
    }

    fn accounts_of_key(&self, thumbprint: Thumbprint) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        self.watched(self.inner.accounts_of_key(thumbprint))
    }

    fn order(&self, id: OrderId) -> BoxFuture<'_, Result<Option<OrderFacts>, StoreError>> {
        self.watched(self.inner.order(id))
    }

    fn authorization(&self, id: AuthorizationId) -> BoxFuture<'_, Result<Option<Arc<Authorization>>, StoreError>> {
        self.watched(self.inner.authorization(id))
    }

    fn certificate(&self, id: CertificateId) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        self.watched(self.inner.certificate(id))
    }

    fn certificate_by_serial(
        &self,
        serial: Serial,
    ) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>> {
        self.watched(self.inner.certificate_by_serial(serial))
    }

    fn orders_of(
        &self,
        account: AccountId,
        after: OrderId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderFacts>, StoreError>> {
        self.watched(self.inner.orders_of(account, after, limit))
    }

    fn authorizations_for(
        &self,
        account: AccountId,
        identifier: Identifier,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Authorization>>, StoreError>> {
        self.watched(self.inner.authorizations_for(account, identifier, limit))
    }

    fn certificates(
        &self,
        filter: CertificateFilter,
        after: Option<CertificateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<CertificateRecord>>, StoreError>> {
        self.watched(self.inner.certificates(filter, after, limit))
    }

    fn revoked<'a>(
        &'a self,
        issuer: &'a str,
        shard: u32,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Revoked>, StoreError>> {
        self.watched(self.inner.revoked(issuer, shard, since))
    }

    fn record<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        self.watched(self.inner.record(kind, key))
    }

    fn records<'a>(
        &'a self,
        kind: &'a str,
        owner: Option<u64>,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.watched(Box::pin(async move {
            let records = self.inner.records(kind, owner, after, limit).await?;
            self.records.fetch_add(records.len(), Ordering::SeqCst);
            Ok(records)
        }))
    }

    fn due_records<'a>(
        &'a self,
        kind: &'a str,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.watched(self.inner.due_records(kind, now, limit))
    }

    fn spend(&self, spends: Vec<Spend>, now: Timestamp, only_look: bool) -> BoxFuture<'_, Result<Spent, StoreError>> {
        if self.uncounted.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("the counters are gone".to_owned())) });
        }
        self.watched(self.inner.spend(spends, now, only_look))
    }

    fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>> {
        self.watched(self.inner.claim(now, lease, limit))
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, StoreError>> {
        let is_plan = matches!(change, Change::Plan { .. });
        let fault = self
            .fault
            .lock()
            .unwrap()
            .take_if(|(which, _)| which(&change))
            .map(|(_, fault)| fault);
        self.watched(Box::pin(async move {
            let failed = Err(StoreError::Unavailable("the disk went away".into()));
            if fault == Some(Fault::NotWritten) {
                return failed;
            }
            let committed = self.inner.commit(change).await?;
            if is_plan && committed == Committed::Done {
                self.plans.fetch_add(1, Ordering::SeqCst);
            }
            if fault.is_some() { failed } else { Ok(committed) }
        }))
    }
}
