use authority::{
    model::*,
    ports::{Change, StoreError},
};
use storage::OpenError;

use crate::{objects::*, world::World};

pub async fn a_row_that_cannot_be_true_names_table_row_and_column(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let ready = Ready::of(&*store, &account).await;
    let processed = new_order(&*store, account.id).await.authorizations[0].clone();
    let state = processing(at(10), at(10));
    done(
        &*store,
        Change::UpdateAuthorization(Authorization {
            state,
            ..Authorization::clone(&processed)
        }),
    )
    .await;
    done(&*store, ready.plan(1)).await;
    drop(store);

    let certificate = ready.certificate().order.0 << 20;
    let (authorization, order) = (ready.authorizations[0].id.0, ready.order.id.0);
    let cases = [
        ("accounts", account.id.0, "state", "'paused'"),
        ("accounts", account.id.0, "data", "'{}'"),
        ("accounts", account.id.0, "version", "-1"),
        ("authorizations", authorization, "state", "'pending'"),
        ("authorizations", authorization, "due", "1"),
        ("authorizations", authorization, "expires", "9223372036854775807"),
        ("authorizations", authorization, "identifier", "'example.org'"),
        ("authorizations", processed.id.0, "due", "NULL"),
        ("orders", order, "data", "'{\"identifiers\":[]}'"),
        ("orders", order, "failure", "'no problem'"),
        ("certificates", certificate, "state", "'issued'"),
        ("certificates", certificate, "lease", "NULL"),
        ("certificates", certificate, "reason", "1"),
    ];
    for (table, row, column, value) in cases {
        let key = if table == "certificates" { "key" } else { "id" };
        world
            .execute(&format!(
                "CREATE TABLE kept AS SELECT {column} AS value FROM {table} WHERE {key} = {row}"
            ))
            .await;
        world
            .execute(&format!("UPDATE {table} SET {column} = {value} WHERE {key} = {row}"))
            .await;
        let store = world.open().await;
        let outcome = match table {
            "accounts" => store.account(account.id).await.map(drop),
            "authorizations" => store.authorization(AuthorizationId(row)).await.map(drop),
            "orders" => store.order(ready.order.id).await.map(drop),
            _ => store.certificate(ready.certificate()).await.map(drop),
        };
        let Err(StoreError::Corrupt {
            table: named,
            row: named_row,
            what,
        }) = outcome
        else {
            panic!("{table}.{column} = {value}: {outcome:?}")
        };
        assert_eq!((named, named_row), (table, row.to_string()), "{what}");
        let named_column = if matches!(column, "lease" | "certificate") {
            "state"
        } else {
            column
        };
        let named_column = if column == "reason" { "revoked" } else { named_column };
        assert!(
            what.starts_with(&format!("column {named_column}:")),
            "{table}.{column}: {what}"
        );
        store.close().await;
        drop(store);
        world
            .execute(&format!(
                "UPDATE {table} SET {column} = (SELECT value FROM kept) WHERE {key} = {row}"
            ))
            .await;
        world.execute("DROP TABLE kept").await;
    }
    let store = world.open().await;
    assert!(store.order(ready.order.id).await.unwrap().is_some());
}

pub async fn t45_a_newer_schema_is_refused(world: &World) {
    drop(world.open().await);
    world
        .execute(
            "INSERT INTO migrations (version, name, sha256) SELECT 999, name, sha256 FROM migrations WHERE version = 1",
        )
        .await;
    let refused = world.try_open().await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
    assert!(
        refused.to_string().contains("start the newer program again"),
        "{refused}"
    );
}
