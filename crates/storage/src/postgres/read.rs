//! Rows as they are read. An order comes with everything its status is computed from in one statement, and so from one
//! state of the database.

use std::sync::Arc;

use authority::{
    model::{Account, Authorization, CertificateRecord, Order, OrderFacts, Record, Revoked},
    ports::StoreError,
};
use tokio_postgres::{Row, types::FromSql};

use super::unavailable;
use crate::row::{
    AccountRow, AuthorizationRow, CertificateRow, OrderRow, RecordRow, RevokedRow, without_authorization,
};

macro_rules! columns {
    (account) => {
        "id, directory, thumbprint, state, version, data"
    };
    (authorization) => {
        "id, account, identifier, state, version, expires, due, lease, data"
    };
    (certificate) => {
        "key, account, serial, issuer, state, version, to_be_signed, certificate, not_after, evidence_root, salt, \
         lease, revoked, reason, crl_shard, planned, data"
    };
    (record) => {
        "kind, key, owner, due, version, data"
    };
}
pub(super) use columns;

/// Everything of the orders that a query gives: a row for each authorization, in sequence, or one if there is none.
/// What belongs to the order stands in its first row only: an order may have a hundred names.
macro_rules! facts_of {
    ($orders:literal) => {
        concat!(
            "SELECT o.id, o.account, o.expires, o.version,
                    CASE WHEN coalesce(listed.position, 1) = 1 THEN o.failure END,
                    CASE WHEN coalesce(listed.position, 1) = 1 THEN o.data END,
                    listed.id,
                    a.id, a.account, a.identifier, a.state, a.version, a.expires, a.due, a.lease, a.data,
                    c.key, c.account, c.serial, c.issuer, c.state, c.version, c.to_be_signed, c.certificate,
                    c.not_after, c.evidence_root, c.salt, c.lease, c.revoked, c.reason, c.crl_shard, c.planned, c.data
             FROM (",
            $orders,
            ") AS o
             LEFT JOIN LATERAL unnest(o.authorizations) WITH ORDINALITY AS listed (id, position) ON true
             LEFT JOIN authorizations AS a ON a.id = listed.id
             LEFT JOIN LATERAL (
                 SELECT * FROM certificates WHERE key BETWEEN o.id << 20 AND (o.id << 20) + 1048575
                 ORDER BY key DESC LIMIT 1
             ) AS c ON coalesce(listed.position, 1) = 1
             ORDER BY o.id, listed.position"
        )
    };
}
pub(super) use facts_of;

const LISTED: usize = 6;
const AUTHORIZATION: usize = 7;
const CERTIFICATE: usize = 16;

/// Reads what [`facts_of`] selects.
pub(super) fn facts(rows: &[Row]) -> Result<Vec<OrderFacts>, StoreError> {
    let mut all: Vec<OrderFacts> = Vec::new();
    for row in rows {
        let columns = Columns {
            table: "orders",
            row,
            offset: 0,
        };
        let id: i64 = columns.get(0)?;
        if all.last().is_none_or(|facts| facts.order.id.0.cast_signed() != id) {
            let certificate = match row.try_get::<_, Option<i64>>(CERTIFICATE).map_err(unavailable)? {
                Some(_) => Some(Arc::new(certificate(row, CERTIFICATE)?)),
                None => None,
            };
            let order = Arc::new(order(&columns)?);
            all.push(OrderFacts {
                order,
                authorizations: Vec::new(),
                certificate,
            });
        }
        let facts = all.last_mut().expect("the row's order was just put there");
        let listed: Option<i64> = row.try_get(LISTED).map_err(unavailable)?;
        let found: Option<i64> = row.try_get(AUTHORIZATION).map_err(unavailable)?;
        match (listed, found) {
            (None, _) => {}
            (Some(_), Some(_)) => facts.authorizations.push(Arc::new(authorization(row, AUTHORIZATION)?)),
            (Some(missing), None) => {
                let missing = authority::model::AuthorizationId(missing.cast_unsigned());
                return Err(without_authorization(facts.order.id, missing));
            }
        }
    }
    Ok(all)
}

fn order(columns: &Columns) -> Result<Order, StoreError> {
    OrderRow {
        id: columns.get(0)?,
        account: columns.get(1)?,
        expires: columns.get(2)?,
        version: columns.get(3)?,
        failure: columns.get(4)?,
        data: columns.get(5)?,
    }
    .read()
}

pub(super) fn account(row: &Row) -> Result<Account, StoreError> {
    let columns = Columns {
        table: "accounts",
        row,
        offset: 0,
    };
    AccountRow {
        id: columns.get(0)?,
        directory: columns.get(1)?,
        thumbprint: columns.get(2)?,
        state: columns.get(3)?,
        version: columns.get(4)?,
        data: columns.get(5)?,
    }
    .read()
}

pub(super) fn authorization(row: &Row, offset: usize) -> Result<Authorization, StoreError> {
    let columns = Columns {
        table: "authorizations",
        row,
        offset,
    };
    AuthorizationRow {
        id: columns.get(0)?,
        account: columns.get(1)?,
        identifier: columns.get(2)?,
        state: columns.get(3)?,
        version: columns.get(4)?,
        expires: columns.get(5)?,
        due: columns.get(6)?,
        lease: columns.get(7)?,
        data: columns.get(8)?,
    }
    .read()
}

pub(super) fn certificate(row: &Row, offset: usize) -> Result<CertificateRecord, StoreError> {
    let columns = Columns {
        table: "certificates",
        row,
        offset,
    };
    CertificateRow {
        key: columns.get(0)?,
        account: columns.get(1)?,
        serial: columns.get(2)?,
        issuer: columns.get(3)?,
        state: columns.get(4)?,
        version: columns.get(5)?,
        to_be_signed: columns.get(6)?,
        certificate: columns.get(7)?,
        not_after: columns.get(8)?,
        evidence_root: columns.get(9)?,
        salt: columns.get(10)?,
        lease: columns.get(11)?,
        revoked: columns.get(12)?,
        reason: columns.get(13)?,
        crl_shard: columns.get(14)?,
        planned: columns.get(15)?,
        data: columns.get(16)?,
    }
    .read()
}

/// key, serial, revoked, reason, not_after.
pub(super) fn revoked(row: &Row) -> Result<Revoked, StoreError> {
    let columns = Columns {
        table: "certificates",
        row,
        offset: 0,
    };
    RevokedRow {
        key: columns.get(0)?,
        serial: columns.get(1)?,
        revoked: columns.get(2)?,
        reason: columns.get(3)?,
        not_after: columns.get(4)?,
    }
    .read()
}

pub(super) fn record(row: &Row) -> Result<Record, StoreError> {
    let columns = Columns {
        table: "records",
        row,
        offset: 0,
    };
    RecordRow {
        kind: columns.get(0)?,
        key: columns.get(1)?,
        owner: columns.get(2)?,
        due: columns.get(3)?,
        version: columns.get(4)?,
        data: columns.get(5)?,
    }
    .read()
}

/// The columns of one table in a row, of which the first is the key.
struct Columns<'a> {
    table: &'static str,
    row: &'a Row,
    offset: usize,
}

impl<'a> Columns<'a> {
    fn get<T: FromSql<'a>>(&self, index: usize) -> Result<T, StoreError> {
        self.row.try_get(self.offset + index).map_err(|error| {
            let key = self
                .row
                .try_get::<_, i64>(self.offset)
                .map_or("without a key".into(), |key| key.to_string());
            let name = self.row.columns()[self.offset + index].name();
            StoreError::Corrupt {
                table: self.table,
                row: key,
                what: format!("column {name}: {}", super::explain(&error)),
            }
        })
    }
}
