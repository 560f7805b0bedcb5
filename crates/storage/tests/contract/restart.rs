use std::collections::HashSet;

use authority::{
    model::*,
    ports::{Change, Claimed, IdKind, Store, StoreError},
};

use crate::{objects::*, world::World};

/// Everything a store says about an account.
async fn story(store: &dyn Store, account: AccountId) -> String {
    let mut story = text(&store.account(account).await.unwrap().unwrap());
    for facts in store.orders_of(account, OrderId(0), 100).await.unwrap() {
        story += &text(&facts);
        assert_eq!(text(&facts), text(&store.order(facts.order.id).await.unwrap().unwrap()));
        for authorization in &facts.authorizations {
            assert_eq!(
                text(authorization),
                text(&store.authorization(authorization.id).await.unwrap().unwrap())
            );
        }
        if let Some(certificate) = facts.certificate {
            assert_eq!(
                text(&certificate),
                text(&store.certificate(certificate.id).await.unwrap().unwrap())
            );
        }
    }
    story
}

pub async fn everything_is_there_after_a_restart(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    new_order(&*store, account.id).await;
    let planned = Ready::of(&*store, &account).await;
    let issued = Ready::of(&*store, &account).await;
    let abandoned = Ready::of(&*store, &account).await;
    let revoked = Ready::of(&*store, &account).await;
    for (serial_number, ready) in [&planned, &issued, &abandoned, &revoked].into_iter().enumerate() {
        done(&*store, ready.plan(serial_number as u64)).await;
    }
    for ready in [&issued, &revoked] {
        done(
            &*store,
            Change::Complete {
                id: ready.certificate(),
                version: 0,
                certificate: vec![0x30],
            },
        )
        .await;
    }
    done(
        &*store,
        Change::Abandon {
            id: abandoned.certificate(),
            version: 0,
            problem: problem(),
        },
    )
    .await;
    let revocation = Revocation {
        at: at(60),
        reason: Some(acme::RevocationReason::Superseded),
    };
    done(
        &*store,
        Change::Revoke {
            id: revoked.certificate(),
            version: 1,
            revocation,
        },
    )
    .await;

    let before = without_leases(&story(&*store, account.id).await);
    drop(store);
    let store = world.open().await;
    assert_eq!(without_leases(&story(&*store, account.id).await), before);
    store.close().await;
    drop(store);
    assert_eq!(without_leases(&story(&*world.open().await, account.id).await), before);
}

/// A store of one process ends its predecessor's leases; everything else stays.
fn without_leases(story: &str) -> String {
    let mut parts = story.split("lease: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        kept + part.trim_start_matches(|c: char| !matches!(c, ',' | ' ' | '}'))
    })
}

pub async fn t23_a_planned_certificate_is_known_after_a_restart_and_can_be_claimed(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    done(&*store, ready.plan(1)).await;
    drop(store);
    let store = world.open().await;
    assert_eq!(
        store.certificate_by_serial(serial(1)).await.unwrap().unwrap().id,
        ready.certificate()
    );
    let claimed = store.claim(at(50), at(80), 10).await.unwrap();
    let [Claimed::Issuance(record)] = &*claimed else {
        panic!("{claimed:?}")
    };
    assert_eq!(record.to_be_signed, planned(&ready.order, 1).to_be_signed);
    done(
        &*store,
        Change::Complete {
            id: record.id,
            version: record.version,
            certificate: vec![0x30],
        },
    )
    .await;
}

pub async fn no_number_is_handed_out_twice_across_restarts(world: &World) {
    let mut all = HashSet::new();
    for _ in 0..3 {
        let store = world.open().await;
        for count in [1, 10, 2000, 1] {
            for number in store.reserve(IdKind::Order, count).await.unwrap() {
                assert!(all.insert(number), "{number}");
            }
        }
    }
}

pub async fn after_closing_nothing_is_answered(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    store.close().await;
    store.close().await;
    let closed = |error: StoreError| error.to_string().contains("closed");
    assert!(closed(store.account(account.id).await.unwrap_err()));
    assert!(closed(store.reserve(IdKind::Order, 1).await.unwrap_err()));
    assert!(closed(
        store
            .commit(Change::UpdateAccount(Account::clone(&account)))
            .await
            .unwrap_err()
    ));
}
