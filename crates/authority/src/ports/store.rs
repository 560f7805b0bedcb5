//! The store: facts with versions in, conditional changes out.

use std::{ops::Range, sync::Arc};

use acme::{Identifier, Problem};
use jiff::Timestamp;
use jose::Thumbprint;
use pkix::certificate::Serial;

use super::{BoxFuture, Spend, Spent};
use crate::model::{
    Account, AccountId, Authorization, AuthorizationId, CertificateId, CertificateRecord, Order, OrderFacts, OrderId,
    Record, RecordChange, Revocation, Revoked,
};

/// Where everything is kept. A [`Committed::Done`] is on disk.
pub trait Store: Send + Sync {
    /// Numbers nobody has had and nobody else will get, also after a crash or a restore.
    fn reserve(&self, kind: IdKind, count: u64) -> BoxFuture<'_, Result<Range<u64>, StoreError>>;

    fn account(&self, id: AccountId) -> BoxFuture<'_, Result<Option<Arc<Account>>, StoreError>>;
    /// The account of a key in a directory.
    fn account_by_key<'a>(
        &'a self,
        directory: &'a str,
        thumbprint: Thumbprint,
    ) -> BoxFuture<'a, Result<Option<Arc<Account>>, StoreError>>;
    /// The accounts of a key in all directories.
    fn accounts_of_key(&self, thumbprint: Thumbprint) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>>;
    fn order(&self, id: OrderId) -> BoxFuture<'_, Result<Option<OrderFacts>, StoreError>>;
    fn authorization(&self, id: AuthorizationId) -> BoxFuture<'_, Result<Option<Arc<Authorization>>, StoreError>>;
    fn certificate(&self, id: CertificateId) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>>;
    fn certificate_by_serial(
        &self,
        serial: Serial,
    ) -> BoxFuture<'_, Result<Option<Arc<CertificateRecord>>, StoreError>>;

    /// Up to `limit` of an account's orders with a number greater than `after`, ascending.
    fn orders_of(
        &self,
        account: AccountId,
        after: OrderId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OrderFacts>, StoreError>>;

    /// Up to `limit` of an account's authorizations for an identifier, newest first, in whatever state.
    fn authorizations_for(
        &self,
        account: AccountId,
        identifier: Identifier,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Authorization>>, StoreError>>;

    /// Up to `limit` certificates after one, by order, that a filter lets pass.
    fn certificates(
        &self,
        filter: CertificateFilter,
        after: Option<CertificateId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<CertificateRecord>>, StoreError>>;

    /// Everything of an issuer's shard that is revoked and did not expire before `since`.
    fn revoked<'a>(
        &'a self,
        issuer: &'a str,
        shard: u32,
        since: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Revoked>, StoreError>>;

    fn record<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>>;

    /// Up to `limit` records of a kind with keys after `after`, ascending; with an owner, only that one's.
    fn records<'a>(
        &'a self,
        kind: &'a str,
        owner: Option<u64>,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;

    /// Up to `limit` records of a kind whose due time has passed, the longest due first.
    fn due_records<'a>(
        &'a self,
        kind: &'a str,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;

    /// Takes up to `limit` pieces of work whose due time and lease have passed, and leases them until `lease`.
    fn claim(&self, now: Timestamp, lease: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, StoreError>>;

    /// Draws on all buckets or on none; `only_look` draws on none in any case.
    fn spend(&self, spends: Vec<Spend>, now: Timestamp, only_look: bool) -> BoxFuture<'_, Result<Spent, StoreError>>;

    /// Makes a change, whole, if everything it was decided from still holds.
    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, StoreError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    Account,
    Order,
    Authorization,
}

/// Work left behind: by a crash, or because its time has come.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// `Processing`, with the lease already moved.
    Validation(Arc<Authorization>),
    /// `Planned`, with the lease already moved.
    Issuance(Arc<CertificateRecord>),
}

/// One change of state. New rows carry version 0; a changed row carries its new content and the version it was
/// decided from, and the store counts it up.
#[derive(Clone, Debug)]
pub enum Change {
    /// Conflict when the key already has an account.
    CreateAccount(Account),
    UpdateAccount(Account),
    /// Conditional on the account being at the given version.
    CreateOrder {
        account: (AccountId, u32),
        order: Order,
        authorizations: Vec<Authorization>,
    },
    /// Outside any order (RFC 8555 §7.4.1).
    CreateAuthorization(Authorization),
    UpdateAuthorization(Authorization),
    /// PLAN. Conditional on the account, the order and every authorization being at the given version, and on the
    /// certificate's key being free.
    Plan {
        account: (AccountId, u32),
        order: (OrderId, u32),
        authorizations: Vec<(AuthorizationId, u32)>,
        certificate: CertificateRecord,
    },
    /// COMPLETE: the signed bytes of a record that was `Planned` at this version.
    Complete {
        id: CertificateId,
        version: u32,
        certificate: Vec<u8>,
    },
    /// COMPLETE of an issuer that is not ours: the record that was `Planned` at this version gets the certificate's own
    /// number and end. Conflict also when another certificate has that number.
    Adopt {
        id: CertificateId,
        version: u32,
        serial: Serial,
        not_after: Timestamp,
        certificate: Vec<u8>,
    },
    /// A planned certificate that will not be signed: record abandoned, order failed, in one.
    Abandon {
        id: CertificateId,
        version: u32,
        problem: Problem,
    },
    Revoke {
        id: CertificateId,
        version: u32,
        revocation: Revocation,
    },
    /// Records, and a change together with them if there is one: all of it or nothing.
    Records {
        records: Vec<RecordChange>,
        with: Option<Box<Change>>,
    },
}

impl Change {
    /// Records and nothing else.
    pub fn records(records: Vec<RecordChange>) -> Self {
        Self::Records { records, with: None }
    }

    /// This change together with records.
    pub fn and(self, records: Vec<RecordChange>) -> Self {
        match self {
            change if records.is_empty() => change,
            // One list, however many hands it came through.
            Self::Records { records: mut all, with } => {
                all.extend(records);
                Self::Records { records: all, with }
            }
            change => Self::Records {
                records,
                with: Some(Box::new(change)),
            },
        }
    }
}

/// Which certificates an operator, or a compromised key, is about. Everything that is named must hold.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    pub account: Option<AccountId>,
    /// SHA-256 of SubjectPublicKeyInfo.
    pub key_sha256: Option<[u8; 32]>,
    /// Planned at or after, and before.
    pub planned: (Option<Timestamp>, Option<Timestamp>),
    /// Not expired at this time.
    pub unexpired_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// Something changed since the decision. Nothing was written: load and decide again.
    Conflict,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It may or may not have been written: nothing may be promised.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A row that cannot be true.
    #[error("table {table}, row {row}: {what}")]
    Corrupt {
        table: &'static str,
        row: String,
        what: String,
    },
}
