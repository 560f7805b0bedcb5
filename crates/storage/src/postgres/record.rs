//! Records as statements, each of which tells whether its condition held.

use authority::model::RecordChange;
use deadpool_postgres::GenericClient;
use tokio_postgres::Error;

use super::apply::execute;

/// 0 when the change was decided from something else than what is there.
pub(super) async fn change(client: &impl GenericClient, change: &RecordChange) -> Result<u64, Error> {
    match change {
        RecordChange::Create(record) => {
            let sql = "INSERT INTO records (kind, key, owner, due, version, data) VALUES ($1, $2, $3, $4, $5, $6)
                       ON CONFLICT DO NOTHING";
            execute(
                client,
                sql,
                &[
                    &record.kind,
                    &record.key,
                    &record.owner.map(u64::cast_signed),
                    &record.due.map(|due| due.as_millisecond()),
                    &i64::from(record.version),
                    &record.data,
                ],
            )
            .await
        }
        RecordChange::Update(record) => {
            let sql = "UPDATE records SET owner = $3, due = $4, version = version + 1, data = $5
                       WHERE kind = $1 AND key = $2 AND version = $6";
            execute(
                client,
                sql,
                &[
                    &record.kind,
                    &record.key,
                    &record.owner.map(u64::cast_signed),
                    &record.due.map(|due| due.as_millisecond()),
                    &record.data,
                    &i64::from(record.version),
                ],
            )
            .await
        }
        RecordChange::Delete { kind, key, version } => {
            let sql = "DELETE FROM records WHERE kind = $1 AND key = $2 AND version = $3";
            execute(client, sql, &[kind, key, &i64::from(*version)]).await
        }
        RecordChange::Absent { kind, key } => {
            let sql = "SELECT WHERE NOT EXISTS (SELECT FROM records WHERE kind = $1 AND key = $2)";
            execute(client, sql, &[kind, key]).await
        }
    }
}
