//! Each change as statements of the writer.
//!
//! Conditions are part of the first statement that writes, so a conflict has written nothing.

use std::sync::Arc;

use authority::{
    model::{Authorization, CertificateRecord, CertificateState, Order},
    ports::{Committed, StoreError},
};
use rusqlite::{Connection, params};

use super::{
    cache::Objects,
    job::{Failure, Write},
    record,
};
use crate::{
    change::{Prepared, Row},
    row::{AccountRow, AuthorizationRow, key, key_tag},
};

impl Write for Prepared {
    type Output = Committed;

    fn apply(&self, connection: &Connection) -> Result<Committed, Failure> {
        let done = match self {
            Self::CreateAccount(Row { object, data }) => connection
                .prepare_cached(
                    "INSERT INTO accounts (id, directory, thumbprint, state, version, data) VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    object.id.0.cast_signed(),
                    object.directory,
                    object.key.thumbprint().as_bytes(),
                    AccountRow::state(object.state),
                    object.version,
                    data,
                ])?,
            // OR IGNORE: a new key (RFC 8555 §7.3.5) may be another account's already.
            Self::UpdateAccount(Row { object, data }) => connection
                .prepare_cached(
                    "UPDATE OR IGNORE accounts SET thumbprint = ?, state = ?, version = ?, data = ?
                     WHERE id = ? AND version = ?",
                )?
                .execute(params![
                    object.key.thumbprint().as_bytes(),
                    AccountRow::state(object.state),
                    object.version,
                    data,
                    object.id.0.cast_signed(),
                    object.version - 1,
                ])?,
            Self::CreateOrder {
                account,
                order,
                authorizations,
            } => {
                let unchanged = connection
                    .prepare_cached("SELECT 1 FROM accounts WHERE id = ? AND version = ?")?
                    .exists(params![account.0.0.cast_signed(), account.1])?;
                if unchanged {
                    create_order(connection, order, authorizations)?
                } else {
                    0
                }
            }
            Self::CreateAuthorization(row) => insert_authorization(connection, row)?,
            Self::UpdateAuthorization(Row { object, data }) => {
                let (due, lease) = AuthorizationRow::times(&object.state);
                connection
                    .prepare_cached(
                        "UPDATE authorizations SET state = ?, version = ?, expires = ?, due = ?, lease = ?, data = ?
                         WHERE id = ? AND version = ?",
                    )?
                    .execute(params![
                        AuthorizationRow::state(&object.state),
                        object.version,
                        object.expires.as_millisecond(),
                        due,
                        lease,
                        data,
                        object.id.0.cast_signed(),
                        object.version - 1,
                    ])?
            }
            Self::Plan {
                account,
                order,
                authorizations,
                certificate,
            } => {
                for (id, version) in authorizations {
                    let unchanged = connection
                        .prepare_cached("SELECT 1 FROM authorizations WHERE id = ? AND version = ?")?
                        .exists(params![id.0.cast_signed(), version])?;
                    if !unchanged {
                        return Ok(Committed::Conflict);
                    }
                }
                plan(connection, (account.0.0, account.1), (order.0.0, order.1), certificate)?
            }
            Self::Complete {
                id,
                version,
                certificate,
            } => connection
                .prepare_cached(
                    "UPDATE certificates SET state = 'issued', certificate = ?, lease = NULL, version = version + 1
                     WHERE key = ? AND version = ? AND state = 'planned'",
                )?
                .execute(params![certificate, key(*id), version])?,
            // OR IGNORE: the number may be another certificate's already.
            Self::Adopt {
                id,
                version,
                serial,
                not_after,
                certificate,
            } => connection
                .prepare_cached(
                    "UPDATE OR IGNORE certificates
                     SET state = 'issued', serial = ?, not_after = ?, certificate = ?, lease = NULL, version = version + 1
                     WHERE key = ? AND version = ? AND state = 'planned'",
                )?
                .execute(params![
                    serial.der_content(),
                    not_after.as_millisecond(),
                    certificate,
                    key(*id),
                    version
                ])?,
            Self::Abandon {
                id, version, failure, ..
            } => {
                let abandoned = connection
                    .prepare_cached(
                        "UPDATE certificates SET state = 'abandoned', lease = NULL, version = version + 1
                         WHERE key = ? AND version = ? AND state = 'planned'",
                    )?
                    .execute(params![key(*id), version])?;
                if abandoned == 1 {
                    let failed = connection
                        .prepare_cached("UPDATE orders SET failure = ?, version = version + 1 WHERE id = ?")?
                        .execute(params![failure, id.order.0.cast_signed()])?;
                    if failed != 1 {
                        let row = format!("{} of order {}", id.n, id.order);
                        let what = "column order_id: the order does not exist".into();
                        return Err(StoreError::Corrupt {
                            table: "certificates",
                            row,
                            what,
                        }
                        .into());
                    }
                }
                abandoned
            }
            Self::Revoke {
                id,
                version,
                revocation,
            } => connection
                .prepare_cached(
                    "UPDATE certificates SET revoked = ?, reason = ?, version = version + 1
                     WHERE key = ? AND version = ?",
                )?
                .execute(params![
                    revocation.at.as_millisecond(),
                    revocation.reason.map(|reason| reason.code().cast_signed()),
                    key(*id),
                    version,
                ])?,
            Self::Records { records, with } => {
                if !record::all_hold(connection, records)? {
                    return Ok(Committed::Conflict);
                }
                if let Some(change) = with
                    && change.apply(connection)? == Committed::Conflict
                {
                    return Ok(Committed::Conflict);
                }
                record::write(connection, records)?;
                1
            }
        };
        Ok(if done == 1 {
            Committed::Done
        } else {
            Committed::Conflict
        })
    }

    fn publish(self, output: &Committed, objects: &mut Objects) {
        if *output == Committed::Conflict {
            return self.forget(objects);
        }
        match self {
            Self::CreateAccount(Row { object, .. }) | Self::UpdateAccount(Row { object, .. }) => {
                objects.put_account(object);
            }
            Self::CreateOrder {
                order, authorizations, ..
            } => {
                objects.put_order(order.object, None);
                for authorization in authorizations {
                    objects.put_authorization(authorization.object);
                }
            }
            Self::CreateAuthorization(Row { object, .. }) | Self::UpdateAuthorization(Row { object, .. }) => {
                objects.put_authorization(object);
            }
            Self::Plan { certificate, .. } => objects.put_certificate(certificate.object),
            Self::Complete {
                id,
                version,
                certificate,
            } => objects.change_certificate(id, version, |record, _| {
                record.state = CertificateState::Issued { certificate };
            }),
            Self::Adopt {
                id,
                version,
                serial,
                not_after,
                certificate,
            } => objects.change_certificate(id, version, |record, _| {
                record.serial = serial;
                record.not_after = not_after;
                record.state = CertificateState::Issued { certificate };
            }),
            Self::Abandon {
                id, version, problem, ..
            } => objects.change_certificate(id, version, |record, order| {
                record.state = CertificateState::Abandoned;
                let mut failed = Order::clone(order);
                failed.failure = Some(problem);
                failed.version += 1;
                *order = Arc::new(failed);
            }),
            Self::Revoke {
                id,
                version,
                revocation,
            } => objects.change_certificate(id, version, |record, _| {
                record.revoked = Some(revocation);
            }),
            Self::Records { with, .. } => {
                if let Some(change) = with {
                    change.publish(output, objects);
                }
            }
        }
    }
}

impl Prepared {
    /// After a conflict the caller loads again: from the database, so that a mistake in the cache, if there were one,
    /// could not make it go round for ever.
    fn forget(&self, objects: &mut Objects) {
        match self {
            Self::CreateAccount(Row { object, .. }) | Self::UpdateAccount(Row { object, .. }) => {
                objects.forget_account(object.id);
            }
            Self::CreateOrder { account, order, .. } => {
                objects.forget_account(account.0);
                objects.forget_order(order.object.id);
            }
            Self::CreateAuthorization(Row { object, .. }) | Self::UpdateAuthorization(Row { object, .. }) => {
                objects.forget_authorization(object.id);
            }
            Self::Plan {
                account,
                order,
                authorizations,
                ..
            } => {
                objects.forget_account(account.0);
                objects.forget_order(order.0);
                for (id, _) in authorizations {
                    objects.forget_authorization(*id);
                }
            }
            Self::Complete { id, .. } | Self::Adopt { id, .. } | Self::Abandon { id, .. } | Self::Revoke { id, .. } => {
                objects.forget_order(id.order);
            }
            Self::Records { with, .. } => {
                if let Some(change) = with {
                    change.forget(objects);
                }
            }
        }
    }
}

fn create_order(
    connection: &Connection,
    order: &Row<Order>,
    authorizations: &[Row<Authorization>],
) -> Result<usize, Failure> {
    let id = order.object.id.0.cast_signed();
    let inserted = connection
        .prepare_cached(
            "INSERT INTO orders (id, account, expires, version, failure, data) VALUES (?, ?, ?, ?, NULL, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id,
            order.object.account.0.cast_signed(),
            order.object.expires.as_millisecond(),
            order.object.version,
            order.data,
        ])?;
    if inserted == 0 {
        return Ok(0);
    }
    for (count, row) in authorizations.iter().enumerate() {
        let inserted = insert_authorization(connection, row)?;
        if inserted == 0 {
            // A number that somebody has: everything written so far goes again, which leaves what was there before.
            for Row { object, .. } in &authorizations[..count] {
                connection.execute("DELETE FROM authorizations WHERE id = ?", [object.id.0.cast_signed()])?;
            }
            connection.execute("DELETE FROM orders WHERE id = ?", [id])?;
            return Ok(0);
        }
    }
    Ok(1)
}

fn insert_authorization(connection: &Connection, Row { object, data }: &Row<Authorization>) -> rusqlite::Result<usize> {
    let (due, lease) = AuthorizationRow::times(&object.state);
    connection
        .prepare_cached(
            "INSERT INTO authorizations (id, account, identifier, state, version, expires, due, lease, data)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            object.id.0.cast_signed(),
            object.account.0.cast_signed(),
            AuthorizationRow::identifier(&object.identifier),
            AuthorizationRow::state(&object.state),
            object.version,
            object.expires.as_millisecond(),
            due,
            lease,
            data,
        ])
}

/// The row's key, together with the account and the order being as they were, is the exactly-once.
fn plan(
    connection: &Connection,
    (account, account_version): (u64, u32),
    (order, order_version): (u64, u32),
    Row { object, data }: &Row<CertificateRecord>,
) -> rusqlite::Result<usize> {
    let CertificateState::Planned { lease } = &object.state else {
        return Ok(0);
    };
    connection
        .prepare_cached(
            "INSERT INTO certificates (key, account, serial, issuer, state, version, to_be_signed, not_after,
                                       evidence_root, salt, lease, crl_shard, key_tag, planned, data)
             SELECT ?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
             WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ? AND version = ?)
               AND EXISTS (SELECT 1 FROM orders WHERE id = ? AND version = ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            key(object.id),
            object.account.0.cast_signed(),
            object.serial.der_content(),
            object.issuer,
            object.version,
            object.to_be_signed,
            object.not_after.as_millisecond(),
            object.evidence_root,
            object.salt,
            lease.as_millisecond(),
            object.crl_shard,
            key_tag(&object.key_sha256),
            object.planned.as_millisecond(),
            data,
            account.cast_signed(),
            account_version,
            order.cast_signed(),
            order_version,
        ])
}
