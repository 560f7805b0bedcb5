use std::sync::Arc;

use authority::{
    model::*,
    ports::{Change, Committed},
};
use storage::Database;

use crate::{objects::*, world::World};

async fn how_many_are_done(store: &Arc<dyn Database>, changes: impl Iterator<Item = Change>) -> usize {
    let tasks: Vec<_> = changes
        .map(|change| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(change).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Committed::Done);
    }
    done
}

pub async fn t22_of_64_plans_at_once_one_is_made(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    assert_eq!(
        how_many_are_done(&store, (0..64).map(|serial_number| ready.plan(serial_number))).await,
        1
    );
    let mut known = 0;
    for serial_number in 0..64 {
        known += usize::from(
            store
                .certificate_by_serial(serial(serial_number))
                .await
                .unwrap()
                .is_some(),
        );
    }
    assert_eq!(known, 1);
}

pub async fn of_64_accounts_with_one_key_one_is_made(world: &World) {
    let store = world.open().await;
    let first = account(1);
    let same = |number| {
        Change::CreateAccount(Account {
            id: AccountId(number),
            ..first.clone()
        })
    };
    assert_eq!(how_many_are_done(&store, (1..65).map(same)).await, 1);
}

pub async fn of_64_changes_of_one_version_one_is_made(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let pending = new_order(&*store, account.id).await.authorizations[0].clone();
    let change = |_| {
        Change::UpdateAuthorization(Authorization {
            state: valid(),
            ..Authorization::clone(&pending)
        })
    };
    assert_eq!(how_many_are_done(&store, (0..64).map(change)).await, 1);
    assert_eq!(store.authorization(pending.id).await.unwrap().unwrap().version, 1);
}
