//! Each change as one statement: one round trip, one implicit transaction.
//!
//! Conditions are looked at in the statement's snapshot, without locking what they look at. That is enough: no change
//! writes a row that depends on one it only read and that the other writes, so whatever commits in between can be
//! counted as having come just after. What must happen once rests on a key: of an account, a number, a certificate.
//! An `UPDATE` that waited for another looks at `version` again, in the row as the other one left it.

use authority::ports::Committed;
use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::{Error, error::SqlState, types::ToSql};

use super::record;
use crate::{
    change::{Prepared, Row},
    row::{AccountRow, AuthorizationRow, key, key_tag},
};
use authority::model::{AccountId, Authorization, CertificateRecord, CertificateState, Order, RecordChange};

/// Makes the change, and tells how many rows it wrote.
pub(super) async fn apply(client: &mut Client, change: &Prepared) -> Result<(Committed, u64), Error> {
    let outcome = match change {
        Prepared::Records { records, with } => together(client, records, with.as_deref()).await,
        change => one(client, change).await,
    };
    match outcome {
        Ok(0) => Ok((Committed::Conflict, 0)),
        Ok(rows) => Ok((Committed::Done, rows)),
        // Somebody was first, and PostgreSQL undid the statement.
        Err(error) if error.code().is_some_and(lost) => Ok((Committed::Conflict, 0)),
        Err(error) => Err(error),
    }
}

/// The rows that one statement wrote, 0 for a conflict.
async fn one(client: &impl GenericClient, change: &Prepared) -> Result<u64, Error> {
    let (done, rows) = match change {
        Prepared::CreateOrder {
            account,
            order,
            authorizations,
        } => (
            create_order(client, *account, order, authorizations).await?,
            1 + authorizations.len() as u64,
        ),
        Prepared::Abandon { .. } => (single(client, change).await?, 2),
        _ => (single(client, change).await?, 1),
    };
    Ok(if done == 0 { 0 } else { rows })
}

/// Records, and a change with them: the one case of several statements in a transaction, undone when one conflicts.
async fn together(client: &mut Client, records: &[RecordChange], with: Option<&Prepared>) -> Result<u64, Error> {
    let transaction = client.transaction().await?;
    let mut rows = records.len() as u64;
    for record in records {
        if record::change(&transaction, record).await? == 0 {
            return transaction.rollback().await.map(|()| 0);
        }
    }
    if let Some(change) = with {
        match one(&transaction, change).await? {
            0 => return transaction.rollback().await.map(|()| 0),
            more => rows += more,
        }
    }
    transaction.commit().await.map(|()| rows)
}

fn lost(state: &SqlState) -> bool {
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(state)
}

async fn single(client: &impl GenericClient, change: &Prepared) -> Result<u64, Error> {
    match change {
        Prepared::CreateAccount(Row { object, data }) => {
            let sql = "INSERT INTO accounts (id, directory, thumbprint, state, version, data)
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
            let thumbprint = object.key.thumbprint();
            execute(
                client,
                sql,
                &[
                    &object.id.0.cast_signed(),
                    &object.directory,
                    &thumbprint.as_ref(),
                    &AccountRow::state(object.state),
                    &i64::from(object.version),
                    data,
                ],
            )
            .await
        }
        Prepared::UpdateAccount(Row { object, data }) => {
            let sql = "UPDATE accounts SET thumbprint = $1, state = $2, version = version + 1, data = $3
                       WHERE id = $4 AND version = $5";
            let thumbprint = object.key.thumbprint();
            execute(
                client,
                sql,
                &[
                    &thumbprint.as_ref(),
                    &AccountRow::state(object.state),
                    data,
                    &object.id.0.cast_signed(),
                    &i64::from(object.version - 1),
                ],
            )
            .await
        }
        Prepared::CreateAuthorization(Row { object, data }) => {
            let sql = "INSERT INTO authorizations (id, account, identifier, state, version, expires, due, lease, data)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
            let (due, lease) = AuthorizationRow::times(&object.state);
            execute(
                client,
                sql,
                &[
                    &object.id.0.cast_signed(),
                    &object.account.0.cast_signed(),
                    &AuthorizationRow::identifier(&object.identifier),
                    &AuthorizationRow::state(&object.state),
                    &i64::from(object.version),
                    &object.expires.as_millisecond(),
                    &due,
                    &lease,
                    data,
                ],
            )
            .await
        }
        Prepared::UpdateAuthorization(Row { object, data }) => {
            let sql = "UPDATE authorizations
                       SET state = $1, version = version + 1, expires = $2, due = $3, lease = $4, data = $5
                       WHERE id = $6 AND version = $7";
            let (due, lease) = AuthorizationRow::times(&object.state);
            execute(
                client,
                sql,
                &[
                    &AuthorizationRow::state(&object.state),
                    &object.expires.as_millisecond(),
                    &due,
                    &lease,
                    data,
                    &object.id.0.cast_signed(),
                    &i64::from(object.version - 1),
                ],
            )
            .await
        }
        Prepared::Plan {
            account,
            order,
            authorizations,
            certificate,
        } => {
            let ids: Vec<_> = authorizations.iter().map(|(id, _)| id.0.cast_signed()).collect();
            let versions: Vec<_> = authorizations.iter().map(|(_, version)| i64::from(*version)).collect();
            let conditions = Conditions {
                account: (account.0.0.cast_signed(), i64::from(account.1)),
                order: (order.0.0.cast_signed(), i64::from(order.1)),
                authorizations: (ids, versions),
            };
            plan(client, &conditions, certificate).await
        }
        Prepared::Complete {
            id,
            version,
            certificate,
        } => {
            let sql = "UPDATE certificates
                       SET state = 'issued', certificate = $1, lease = NULL, version = version + 1
                       WHERE key = $2 AND version = $3 AND state = 'planned'";
            execute(client, sql, &[certificate, &key(*id), &i64::from(*version)]).await
        }
        Prepared::Adopt {
            id,
            version,
            serial,
            not_after,
            certificate,
        } => {
            let sql = "UPDATE certificates
                       SET state = 'issued', serial = $1, not_after = $2, certificate = $3, lease = NULL,
                           version = version + 1
                       WHERE key = $4 AND version = $5 AND state = 'planned'";
            execute(
                client,
                sql,
                &[
                    &serial.der_content(),
                    &not_after.as_millisecond(),
                    certificate,
                    &key(*id),
                    &i64::from(*version),
                ],
            )
            .await
        }
        Prepared::Abandon {
            id, version, failure, ..
        } => {
            let sql = "WITH abandoned AS (
                           UPDATE certificates SET state = 'abandoned', lease = NULL, version = version + 1
                           WHERE key = $1 AND version = $2 AND state = 'planned' RETURNING key
                       )
                       UPDATE orders SET failure = $3, version = version + 1
                       WHERE id = $4 AND EXISTS (SELECT FROM abandoned)";
            let order = id.order.0.cast_signed();
            execute(client, sql, &[&key(*id), &i64::from(*version), failure, &order]).await
        }
        Prepared::Revoke {
            id,
            version,
            revocation,
        } => {
            let sql = "UPDATE certificates SET revoked = $1, reason = $2, version = version + 1
                       WHERE key = $3 AND version = $4";
            let reason = revocation.reason.map(|reason| reason.code().cast_signed());
            execute(
                client,
                sql,
                &[
                    &revocation.at.as_millisecond(),
                    &reason,
                    &key(*id),
                    &i64::from(*version),
                ],
            )
            .await
        }
        Prepared::CreateOrder { .. } | Prepared::Records { .. } => {
            unreachable!("invariant: `one` and `apply` make these themselves")
        }
    }
}

async fn create_order(
    client: &impl GenericClient,
    account: (AccountId, u32),
    order: &Row<Order>,
    authorizations: &[Row<Authorization>],
) -> Result<u64, Error> {
    let sql = "WITH created AS (
                   INSERT INTO orders (id, account, expires, version, authorizations, data)
                   SELECT $1, $2, $3, $4, $5, $6
                   WHERE EXISTS (SELECT FROM accounts WHERE id = $16 AND version = $17)
                   ON CONFLICT DO NOTHING RETURNING id
               ), offered AS (
                   INSERT INTO authorizations (id, account, identifier, state, version, expires, due, lease, data)
                   SELECT new.* FROM created,
                       unnest($7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[],
                              $13::bigint[], $14::bigint[], $15::text[]) AS new
               )
               SELECT id FROM created";
    let list = |column: fn(&Authorization) -> i64| -> Vec<i64> {
        authorizations.iter().map(|row| column(&row.object)).collect()
    };
    let times: Vec<_> = authorizations
        .iter()
        .map(|row| AuthorizationRow::times(&row.object.state))
        .collect();
    let named: Vec<_> = order
        .object
        .authorizations
        .iter()
        .map(|id| id.0.cast_signed())
        .collect();
    execute(
        client,
        sql,
        &[
            &order.object.id.0.cast_signed(),
            &order.object.account.0.cast_signed(),
            &order.object.expires.as_millisecond(),
            &i64::from(order.object.version),
            &named,
            &order.data,
            &list(|authorization| authorization.id.0.cast_signed()),
            &list(|authorization| authorization.account.0.cast_signed()),
            &authorizations
                .iter()
                .map(|row| AuthorizationRow::identifier(&row.object.identifier))
                .collect::<Vec<_>>(),
            &authorizations
                .iter()
                .map(|row| AuthorizationRow::state(&row.object.state))
                .collect::<Vec<_>>(),
            &list(|authorization| i64::from(authorization.version)),
            &list(|authorization| authorization.expires.as_millisecond()),
            &times.iter().map(|(due, _)| *due).collect::<Vec<_>>(),
            &times.iter().map(|(_, lease)| *lease).collect::<Vec<_>>(),
            &authorizations.iter().map(|row| &*row.data).collect::<Vec<_>>(),
            &account.0.0.cast_signed(),
            &i64::from(account.1),
        ],
    )
    .await
}

/// What a plan was decided from: numbers and versions.
struct Conditions {
    account: (i64, i64),
    order: (i64, i64),
    authorizations: (Vec<i64>, Vec<i64>),
}

async fn plan(
    client: &impl GenericClient,
    conditions: &Conditions,
    Row { object, data }: &Row<CertificateRecord>,
) -> Result<u64, Error> {
    let CertificateState::Planned { lease } = &object.state else {
        return Ok(0);
    };
    let sql = "INSERT INTO certificates (key, account, serial, issuer, state, version, to_be_signed, not_after,
                                         evidence_root, salt, lease, data, crl_shard, key_tag, planned)
               SELECT $1, $2, $3, $4, 'planned', $5, $6, $7, $8, $9, $10, $11, $18, $19, $20
               WHERE EXISTS (SELECT FROM accounts WHERE id = $12 AND version = $13)
                 AND EXISTS (SELECT FROM orders WHERE id = $14 AND version = $15)
                 AND NOT EXISTS (
                     SELECT FROM unnest($16::bigint[], $17::bigint[]) AS used (id, version)
                     WHERE NOT EXISTS (
                         SELECT FROM authorizations AS a WHERE a.id = used.id AND a.version = used.version))
               ON CONFLICT DO NOTHING";
    execute(
        client,
        sql,
        &[
            &key(object.id),
            &object.account.0.cast_signed(),
            &object.serial.der_content(),
            &object.issuer,
            &i64::from(object.version),
            &object.to_be_signed,
            &object.not_after.as_millisecond(),
            &&object.evidence_root[..],
            &&object.salt[..],
            &lease.as_millisecond(),
            data,
            &conditions.account.0,
            &conditions.account.1,
            &conditions.order.0,
            &conditions.order.1,
            &conditions.authorizations.0,
            &conditions.authorizations.1,
            &object.crl_shard.map(i64::from),
            &key_tag(&object.key_sha256),
            &object.planned.as_millisecond(),
        ],
    )
    .await
}

pub(super) async fn execute(
    client: &impl GenericClient,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, params).await
}
