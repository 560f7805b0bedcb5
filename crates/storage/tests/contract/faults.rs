use std::sync::atomic::Ordering;

use authority::{
    model::*,
    ports::{Change, Store, StoreError},
};
use storage::CommitFault;

use crate::{objects::*, world::World};

async fn fails(store: &dyn Store, change: Change) {
    let outcome = store.commit(change).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

pub async fn a_change_that_was_not_written_is_not_there(world: &World) {
    let store = world.open().await;
    let before = new_account(&*store).await;
    let changed = Account {
        state: AccountState::Deactivated,
        ..Account::clone(&before)
    };
    *world.fault.lock().unwrap() = Some(CommitFault::NotWritten);
    fails(&*store, Change::UpdateAccount(changed)).await;
    drop(store);
    let store = world.open().await;
    assert_eq!(text(&store.account(before.id).await.unwrap().unwrap()), text(&before));
}

pub async fn a_change_that_was_written_though_it_was_reported_failed_is_there(world: &World) {
    let store = world.open().await;
    let before = new_account(&*store).await;
    let changed = Account {
        state: AccountState::Deactivated,
        ..Account::clone(&before)
    };
    *world.fault.lock().unwrap() = Some(CommitFault::WrittenButReported);
    fails(&*store, Change::UpdateAccount(changed.clone())).await;
    drop(store);
    let store = world.open().await;
    assert_eq!(
        text(&store.account(before.id).await.unwrap().unwrap()),
        text(&Account { version: 1, ..changed })
    );
}

/// What may be signed is on disk: if PLAN is there after all, the same plan is not made a second time.
pub async fn t23_a_plan_reported_failed_is_found_by_whoever_comes_next(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    *world.fault.lock().unwrap() = Some(CommitFault::WrittenButReported);
    fails(&*store, ready.plan(1)).await;
    drop(store);
    let store = world.open().await;
    conflict(&*store, ready.plan(2)).await;
    assert_eq!(
        store
            .order(ready.order.id)
            .await
            .unwrap()
            .unwrap()
            .certificate
            .unwrap()
            .serial,
        serial(1)
    );
    assert_eq!(store.claim(at(50), at(80), 10).await.unwrap().len(), 1);
    assert!(world.fatal.load(Ordering::SeqCst) <= 1);
}
