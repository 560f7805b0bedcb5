//! Rows as they are read.

use std::sync::{
    Arc, Mutex, PoisonError, TryLockError,
    atomic::{AtomicUsize, Ordering},
};

use authority::{
    model::{Account, Authorization, CertificateRecord, Order, OrderFacts, OrderId, Record, Revoked},
    ports::StoreError,
};
use rusqlite::{
    Connection, Params, Row,
    types::{FromSqlResult, ValueRef},
};

use super::job::Failure;
use crate::row::{
    AccountRow, AuthorizationRow, CertificateRow, OrderRow, RecordRow, RevokedRow, keys_of, without_authorization,
};

/// The connections for reading. A point read of a page in memory takes less than handing it to another thread would;
/// so reads run where they are asked for.
pub(super) struct Readers {
    connections: Vec<Arc<Mutex<Connection>>>,
    next: AtomicUsize,
}

impl Readers {
    pub fn new(connections: Vec<Arc<Mutex<Connection>>>) -> Self {
        Self {
            connections,
            next: AtomicUsize::new(0),
        }
    }

    /// Runs several statements on one state of the database.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let found = read(&transaction)?;
            transaction.commit()?;
            Ok(found)
        })
    }

    /// Runs one statement, or several that need not agree.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.connections.len();
        for offset in 0..count {
            match self.connections[(start + offset) % count].try_lock() {
                Ok(connection) => return Ok(read(&connection)?),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(read(&poisoned.into_inner())?),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let connection = self.connections[start % count]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(read(&connection)?)
    }
}

macro_rules! select {
    (account) => {
        "SELECT id, directory, thumbprint, state, version, data FROM accounts"
    };
    (order) => {
        "SELECT id, account, expires, version, failure, data FROM orders"
    };
    (authorization) => {
        "SELECT id, account, identifier, state, version, expires, due, lease, data FROM authorizations"
    };
    (certificate) => {
        "SELECT key, account, serial, issuer, state, version, to_be_signed, certificate, not_after, evidence_root, salt,
                lease, revoked, reason, crl_shard, planned, data
         FROM certificates"
    };
    (record) => {
        "SELECT kind, key, owner, due, version, data FROM records"
    };
}
pub(super) use select;

/// An order with everything its status is computed from. Wants a snapshot.
pub(super) fn facts(connection: &Connection, id: OrderId) -> Result<Option<OrderFacts>, Failure> {
    match one(
        connection,
        concat!(select!(order), " WHERE id = ?"),
        [id.0.cast_signed()],
        order,
    )? {
        Some(order) => complete(connection, order).map(Some),
        None => Ok(None),
    }
}

/// An order of which the row is there already. Wants the same snapshot.
pub(super) fn complete(connection: &Connection, order: Arc<Order>) -> Result<OrderFacts, Failure> {
    let mut authorizations = Vec::with_capacity(order.authorizations.len());
    for id in &order.authorizations {
        let sql = concat!(select!(authorization), " WHERE id = ?");
        let found = one(connection, sql, [id.0.cast_signed()], authorization)?;
        authorizations.push(found.ok_or_else(|| without_authorization(order.id, *id))?);
    }
    let keys = keys_of(order.id);
    let newest = concat!(
        select!(certificate),
        " WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1"
    );
    let certificate = one(connection, newest, [keys.start(), keys.end()], certificate)?;
    Ok(OrderFacts {
        order,
        authorizations,
        certificate,
    })
}

/// The one row that a statement finds.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Option<Arc<T>>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => Ok(Some(Arc::new(read(row)?))),
        None => Ok(None),
    }
}

/// All rows that a statement finds.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<Arc<T>>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Arc::new(read(row)?));
    }
    Ok(found)
}

/// All rows that a statement finds, of which nobody else keeps one.
pub(super) fn plain<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The same for work: a row that cannot be read is left out and told.
pub(super) fn legible<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<Arc<T>>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(crate::row::legible(read(row)).map(Arc::new));
    }
    Ok(found)
}

pub(super) fn account(row: &Row) -> Result<Account, StoreError> {
    let columns = Columns { table: "accounts", row };
    AccountRow {
        id: columns.integer(0)?,
        directory: columns.text(1)?,
        thumbprint: columns.blob(2)?,
        state: columns.text(3)?,
        version: columns.integer(4)?,
        data: columns.text(5)?,
    }
    .read()
}

pub(super) fn order(row: &Row) -> Result<Order, StoreError> {
    let columns = Columns { table: "orders", row };
    OrderRow {
        id: columns.integer(0)?,
        account: columns.integer(1)?,
        expires: columns.integer(2)?,
        version: columns.integer(3)?,
        failure: columns.get(4, ValueRef::as_str_or_null)?,
        data: columns.text(5)?,
    }
    .read()
}

pub(super) fn authorization(row: &Row) -> Result<Authorization, StoreError> {
    let columns = Columns {
        table: "authorizations",
        row,
    };
    AuthorizationRow {
        id: columns.integer(0)?,
        account: columns.integer(1)?,
        identifier: columns.text(2)?,
        state: columns.text(3)?,
        version: columns.integer(4)?,
        expires: columns.integer(5)?,
        due: columns.get(6, ValueRef::as_i64_or_null)?,
        lease: columns.get(7, ValueRef::as_i64_or_null)?,
        data: columns.text(8)?,
    }
    .read()
}

pub(super) fn certificate(row: &Row) -> Result<CertificateRecord, StoreError> {
    let columns = Columns {
        table: "certificates",
        row,
    };
    CertificateRow {
        key: columns.integer(0)?,
        account: columns.integer(1)?,
        serial: columns.blob(2)?,
        issuer: columns.text(3)?,
        state: columns.text(4)?,
        version: columns.integer(5)?,
        to_be_signed: columns.blob(6)?,
        certificate: columns.get(7, ValueRef::as_blob_or_null)?,
        not_after: columns.integer(8)?,
        evidence_root: columns.blob(9)?,
        salt: columns.blob(10)?,
        lease: columns.get(11, ValueRef::as_i64_or_null)?,
        revoked: columns.get(12, ValueRef::as_i64_or_null)?,
        reason: columns.get(13, ValueRef::as_i64_or_null)?,
        crl_shard: columns.get(14, ValueRef::as_i64_or_null)?,
        planned: columns.integer(15)?,
        data: columns.text(16)?,
    }
    .read()
}

/// key, serial, revoked, reason, not_after.
pub(super) fn revoked(row: &Row) -> Result<Revoked, StoreError> {
    let columns = Columns {
        table: "certificates",
        row,
    };
    RevokedRow {
        key: columns.integer(0)?,
        serial: columns.blob(1)?,
        revoked: columns.integer(2)?,
        reason: columns.get(3, ValueRef::as_i64_or_null)?,
        not_after: columns.integer(4)?,
    }
    .read()
}

pub(super) fn record(row: &Row) -> Result<Record, StoreError> {
    let columns = Columns { table: "records", row };
    RecordRow {
        kind: columns.text(0)?,
        key: columns.text(1)?,
        owner: columns.get(2, ValueRef::as_i64_or_null)?,
        due: columns.get(3, ValueRef::as_i64_or_null)?,
        version: columns.integer(4)?,
        data: columns.text(5)?,
    }
    .read()
}

/// The columns of a row, of which the first is its key. STRICT tables hold no value of another type than the column's,
/// unless the file was damaged or edited by a program that switched that off.
struct Columns<'a> {
    table: &'static str,
    row: &'a Row<'a>,
}

impl<'a> Columns<'a> {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        self.get(index, ValueRef::as_i64)
    }

    fn text(&self, index: usize) -> Result<&'a str, StoreError> {
        self.get(index, ValueRef::as_str)
    }

    fn blob(&self, index: usize) -> Result<&'a [u8], StoreError> {
        self.get(index, ValueRef::as_blob)
    }

    fn get<T>(&self, index: usize, read: fn(&ValueRef<'a>) -> FromSqlResult<T>) -> Result<T, StoreError> {
        read(&self.row.get_ref_unwrap(index)).map_err(|error| {
            let name = self.row.as_ref().column_name(index).unwrap_or("?");
            let key = self
                .row
                .get_ref_unwrap(0)
                .as_i64()
                .map_or("without a key".into(), |key| key.to_string());
            StoreError::Corrupt {
                table: self.table,
                row: key,
                what: format!("column {name}: {error}"),
            }
        })
    }
}
