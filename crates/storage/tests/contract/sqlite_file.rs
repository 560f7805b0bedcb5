//! What holds for a file only.

use std::sync::atomic::Ordering;

use authority::{
    model::{CertificateState, OrderId},
    ports::{Change, Committed, IdKind, StoreError},
};
use storage::{CommitFault, OpenError};

use crate::{objects::*, world::World};

#[tokio::test]
async fn a_second_process_is_refused_and_told_which_file_is_locked() {
    let world = World::file();
    let store = world.open().await;
    let refused = world.try_open().await.err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("vidimus.db.lock"), "{refused}");
    drop(store);
    world.open().await;
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_nothing_is_answered_and_the_process_is_asked_to_end() {
    for fault in [CommitFault::NotWritten, CommitFault::WrittenButReported] {
        let world = World::file();
        let store = world.open().await;
        let account = new_account(&*store).await;
        *world.fault.lock().unwrap() = Some(fault);
        assert!(store.commit(Change::CreateAccount(fresh_account())).await.is_err());
        for outcome in [
            store.account(account.id).await.map(drop),
            store.reserve(IdKind::Order, 1).await.map(drop),
            store.commit(Change::CreateAccount(fresh_account())).await.map(drop),
            store.claim(at(0), at(0), 1).await.map(drop),
        ] {
            let Err(StoreError::Unavailable(what)) = outcome else {
                panic!("{outcome:?}")
            };
            assert!(what.contains("nothing is certain"), "{what}");
        }
        drop(store);
        assert_eq!(world.fatal.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_change_and_the_store_goes_on() {
    let world = World::file();
    let store = world.open().await;
    let account = fresh_account();
    *world.fault.lock().unwrap() = Some(CommitFault::NoRoom);
    assert!(matches!(
        store.commit(Change::CreateAccount(account.clone())).await,
        Err(StoreError::Unavailable(_))
    ));
    assert_eq!(
        store.commit(Change::CreateAccount(account)).await.unwrap(),
        Committed::Done
    );
    assert_eq!(world.fatal.load(Ordering::SeqCst), 0);
}

/// A change that cannot be made (its account does not exist) is undone by itself; those beside it are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_write_does_not_sink_its_group() {
    let world = World::file();
    let store = world.open().await;
    let account = new_account(&*store).await;
    let holder = account.id;
    let tasks: Vec<_> = (1..200u64)
        .map(|n| {
            let store = store.clone();
            let owner = if n % 10 == 0 {
                authority::model::AccountId(1_000_000)
            } else {
                account.id
            };
            let order = order(10_000 + n, owner, &[10_000 + n]);
            let authorizations = vec![authorization(10_000 + n, owner)];
            tokio::spawn(async move {
                (
                    n,
                    store
                        .commit(Change::CreateOrder {
                            account: (holder, 0),
                            order,
                            authorizations,
                        })
                        .await,
                )
            })
        })
        .collect();
    for task in tasks {
        match task.await.unwrap() {
            (n, Err(StoreError::Unavailable(what))) if n % 10 == 0 => assert!(what.contains("FOREIGN KEY"), "{what}"),
            (n, Ok(Committed::Done)) if n % 10 != 0 => {}
            other => panic!("{other:?}"),
        }
    }
    let kept = store.orders_of(account.id, OrderId(0), 1000).await.unwrap();
    assert_eq!(kept.len(), 180);
}

#[tokio::test]
async fn t45_a_changed_step_of_the_schema_is_refused() {
    let world = World::file();
    drop(world.open().await);
    world.execute("UPDATE migrations SET sha256 = x'00'").await;
    assert!(matches!(
        world.try_open().await.err().unwrap(),
        OpenError::Altered { version: 1, .. }
    ));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let world = World::file();
    std::fs::write(world.path(), [7; 4096]).unwrap();
    let refused = world.try_open().await.err().unwrap().to_string();
    assert!(
        refused.contains("vidimus.db") && refused.contains("is it a database"),
        "{refused}"
    );
}

#[tokio::test]
async fn closing_leaves_everything_in_one_file() {
    let world = World::file();
    let store = world.open().await;
    let account = new_account(&*store).await;
    store.close().await;
    drop(store);
    let copy = World::file();
    std::fs::copy(world.path(), copy.path()).unwrap();
    assert!(copy.open().await.account(account.id).await.unwrap().is_some());
}

/// What a crash leaves is the file and some beginning of its log: all of it when the machine stayed up, and at least
/// what was synced, so that only what nobody was told of can be missing.
#[tokio::test]
async fn t23_after_a_crash_everything_answered_is_there_and_nothing_half() {
    let world = World::file();
    let store = world.open().await;
    let account = new_account(&*store).await;
    for serial_number in 0..5 {
        let ready = Ready::of(&*store, &account).await;
        done(&*store, ready.plan(serial_number)).await;
        let abandon = Change::Abandon {
            id: ready.certificate(),
            version: 0,
            problem: problem(),
        };
        done(&*store, abandon).await;
    }
    let (file, log) = (
        std::fs::read(world.path()).unwrap(),
        std::fs::read(log_of(&world)).unwrap(),
    );
    let mut most = 0;
    for cut in (0..log.len()).step_by(1777).chain([log.len()]) {
        let crashed = World::file();
        std::fs::write(crashed.path(), &file).unwrap();
        std::fs::write(log_of(&crashed), &log[..cut]).unwrap();
        let store = crashed.open().await;
        let orders = store.orders_of(account.id, OrderId(0), 100).await.unwrap();
        for facts in &orders {
            assert_eq!(facts.authorizations.len(), 2);
            let abandoned = facts
                .certificate
                .as_ref()
                .is_some_and(|c| c.state == CertificateState::Abandoned);
            assert_eq!(
                abandoned,
                facts.order.failure.is_some(),
                "order {}, log cut at {cut}",
                facts.order.id
            );
        }
        assert!(orders.len() >= most, "log cut at {cut}");
        most = orders.len();
        if cut == log.len() {
            assert!(orders.len() == 5 && orders.iter().all(|facts| facts.order.failure.is_some()));
        }
    }
}

fn log_of(world: &World) -> std::path::PathBuf {
    world.path().with_extension("db-wal")
}

#[tokio::test]
async fn an_url_that_names_no_database_says_what_to_write() {
    for url in ["", "vidimus.db", "mysql://x", "sqlite:"] {
        let refused = storage::open(url, Box::new(|_| {})).await.err().unwrap().to_string();
        assert!(refused.contains("sqlite:FILE"), "{refused}");
    }
    let refused = storage::open("mysql://user:secret@host/x", Box::new(|_| {}))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(!refused.contains("secret"), "{refused}");
    assert!(storage::open("sqlite::memory:", Box::new(|_| {})).await.is_ok());
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("a.db").display());
    assert!(storage::open(&url, Box::new(|_| {})).await.is_ok());
    let refused = storage::open("sqlite:/does/not/exist/a.db", Box::new(|_| {}))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains("/does/not/exist/a.db") && refused.contains("directory must exist"),
        "{refused}"
    );
}

fn fresh_account() -> authority::model::Account {
    account(7_000)
}
