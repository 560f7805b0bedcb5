use authority::{model::*, ports::Change};

use crate::{objects::*, world::World};

pub async fn a_key_has_one_account(world: &World) {
    let store = world.open().await;
    let first = new_account(&*store).await;
    let second = Account {
        key: first.key.clone(),
        ..account(first.id.0 + 1)
    };
    conflict(&*store, Change::CreateAccount(second.clone())).await;
    assert!(store.account(second.id).await.unwrap().is_none());
    conflict(&*store, Change::CreateAccount(account(first.id.0))).await;
    assert_eq!(text(&store.account(first.id).await.unwrap().unwrap()), text(&first));
}

pub async fn an_account_changes_from_the_version_it_was_read_at(world: &World) {
    let store = world.open().await;
    let first = new_account(&*store).await;
    let changed = Account {
        state: AccountState::Deactivated,
        contact: vec![],
        ..Account::clone(&first)
    };
    done(&*store, Change::UpdateAccount(changed.clone())).await;
    conflict(
        &*store,
        Change::UpdateAccount(Account {
            contact: vec!["mailto:late".into()],
            ..changed.clone()
        }),
    )
    .await;
    let found = store.account(first.id).await.unwrap().unwrap();
    assert_eq!(text(&found), text(&Account { version: 1, ..changed }));
    conflict(&*store, Change::UpdateAccount(account(first.id.0 + 1000))).await;
}

// RFC 8555 §7.3.5
pub async fn an_account_cannot_take_another_ones_key(world: &World) {
    let store = world.open().await;
    let (first, second) = (new_account(&*store).await, new_account(&*store).await);
    let changed = Account {
        key: first.key.clone(),
        ..Account::clone(&second)
    };
    conflict(&*store, Change::UpdateAccount(changed)).await;
    let fresh = Account {
        key: account(0).key,
        ..Account::clone(&second)
    };
    done(&*store, Change::UpdateAccount(fresh.clone())).await;
    assert!(
        store
            .account_by_key("default", second.key.thumbprint())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store
            .account_by_key("default", fresh.key.thumbprint())
            .await
            .unwrap()
            .unwrap()
            .id,
        second.id
    );
}

pub async fn an_order_number_is_used_once_and_a_conflict_writes_nothing(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let first = new_order(&*store, account.id).await;
    let taken = first.authorizations[1].id.0;
    let fresh = |number| {
        (
            order(number, account.id, &[7001]),
            vec![authorization(7001, account.id)],
        )
    };

    let (order_of_old_number, authorizations) = fresh(first.order.id.0);
    conflict(
        &*store,
        Change::CreateOrder {
            account: (account.id, 0),
            order: order_of_old_number,
            authorizations,
        },
    )
    .await;
    assert!(store.authorization(AuthorizationId(7001)).await.unwrap().is_none());

    let authorizations = vec![authorization(7002, account.id), authorization(taken, account.id)];
    conflict(
        &*store,
        Change::CreateOrder {
            account: (account.id, 0),
            order: order(7000, account.id, &[7002, taken]),
            authorizations,
        },
    )
    .await;
    assert!(store.order(OrderId(7000)).await.unwrap().is_none());
    assert!(store.authorization(AuthorizationId(7002)).await.unwrap().is_none());
    assert_eq!(text(&store.order(first.order.id).await.unwrap().unwrap()), text(&first));
}

pub async fn an_authorization_changes_from_the_version_it_was_read_at(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let pending = new_order(&*store, account.id).await.authorizations[0].clone();
    let changed = Authorization {
        state: valid(),
        expires: at(99_999),
        ..Authorization::clone(&pending)
    };
    done(&*store, Change::UpdateAuthorization(changed.clone())).await;
    conflict(
        &*store,
        Change::UpdateAuthorization(Authorization {
            state: invalid(),
            ..changed.clone()
        }),
    )
    .await;
    let found = store.authorization(pending.id).await.unwrap().unwrap();
    assert_eq!(text(&found), text(&Authorization { version: 1, ..changed }));
    conflict(&*store, Change::UpdateAuthorization(authorization(8000, account.id))).await;
}

pub async fn a_plan_holds_only_while_everything_it_was_decided_from_does(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    let stale = [
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.account).version += 1,
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.order).version += 1,
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.authorizations[0]).version += 1,
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.authorizations[1]).version -= 1,
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.authorizations[1]).id = AuthorizationId(9_999),
        |ready: &mut Ready| std::sync::Arc::make_mut(&mut ready.account).id = AccountId(9_999),
    ];
    for (serial_number, change) in stale.iter().enumerate() {
        let mut ready = Ready {
            account: ready.account.clone(),
            order: ready.order.clone(),
            authorizations: ready.authorizations.clone(),
        };
        change(&mut ready);
        conflict(&*store, ready.plan(serial_number as u64)).await;
    }
    assert!(
        store
            .order(ready.order.id)
            .await
            .unwrap()
            .unwrap()
            .certificate
            .is_none()
    );
    done(&*store, ready.plan(100)).await;
    conflict(&*store, ready.plan(101)).await;
    let certificate = store.order(ready.order.id).await.unwrap().unwrap().certificate.unwrap();
    assert_eq!(text(&certificate), text(&planned(&ready.order, 100)));
}

pub async fn a_serial_is_planned_once(world: &World) {
    let store = world.open().await;
    let (first, second) = (Ready::create(&*store).await, Ready::create(&*store).await);
    done(&*store, first.plan(1)).await;
    conflict(&*store, second.plan(1)).await;
    done(&*store, second.plan(2)).await;
}

pub async fn a_certificate_completes_once_from_planned(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    let id = ready.certificate();
    let complete = |version| Change::Complete {
        id,
        version,
        certificate: vec![0x30],
    };
    conflict(&*store, complete(0)).await;
    done(&*store, ready.plan(1)).await;
    conflict(&*store, complete(1)).await;
    done(&*store, complete(0)).await;
    conflict(&*store, complete(0)).await;
    conflict(&*store, complete(1)).await;
    conflict(
        &*store,
        Change::Abandon {
            id,
            version: 1,
            problem: problem(),
        },
    )
    .await;
    let facts = store.order(ready.order.id).await.unwrap().unwrap();
    assert_eq!(facts.status(at(30)), acme::OrderStatus::Valid);
}

pub async fn a_certificate_of_others_takes_its_own_number_once(world: &World) {
    let store = world.open().await;
    let (first, second) = (Ready::create(&*store).await, Ready::create(&*store).await);
    done(&*store, first.plan(8101)).await;
    done(&*store, second.plan(8102)).await;
    let adopt = |of: &Ready, version, number| Change::Adopt {
        id: of.certificate(),
        version,
        serial: serial(number),
        not_after: at(30 * 86_400),
        certificate: vec![0x30, 1, 7],
    };
    conflict(&*store, adopt(&first, 1, 8103)).await;
    done(&*store, adopt(&first, 0, 8103)).await;
    conflict(&*store, adopt(&first, 1, 8104)).await;
    let found = store.certificate(first.certificate()).await.unwrap().unwrap();
    assert_eq!(
        (&found.serial, found.not_after, found.version),
        (&serial(8103), at(30 * 86_400), 1)
    );
    let certificate = vec![0x30, 1, 7];
    assert_eq!(found.state, CertificateState::Issued { certificate });
    assert_eq!(
        store
            .order(first.order.id)
            .await
            .unwrap()
            .unwrap()
            .certificate
            .unwrap()
            .serial,
        serial(8103)
    );
    assert!(store.certificate_by_serial(serial(8101)).await.unwrap().is_none());
    assert!(store.certificate_by_serial(serial(8103)).await.unwrap().is_some());
    // Another one has that number, and so it is another one's certificate.
    conflict(&*store, adopt(&second, 0, 8103)).await;
    let found = store.certificate(second.certificate()).await.unwrap().unwrap();
    assert!(matches!(found.state, CertificateState::Planned { .. }));
    assert_eq!(found.version, 0);
}

pub async fn an_abandoned_certificate_fails_its_order_and_is_final(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    let id = ready.certificate();
    done(&*store, ready.plan(1)).await;
    conflict(
        &*store,
        Change::Abandon {
            id,
            version: 1,
            problem: problem(),
        },
    )
    .await;
    assert!(
        store
            .order(ready.order.id)
            .await
            .unwrap()
            .unwrap()
            .order
            .failure
            .is_none()
    );
    done(
        &*store,
        Change::Abandon {
            id,
            version: 0,
            problem: problem(),
        },
    )
    .await;
    let facts = store.order(ready.order.id).await.unwrap().unwrap();
    assert_eq!((facts.order.version, &facts.order.failure), (1, &Some(problem())));
    assert_eq!(facts.certificate.unwrap().state, CertificateState::Abandoned);
    conflict(
        &*store,
        Change::Complete {
            id,
            version: 1,
            certificate: vec![0x30],
        },
    )
    .await;
    conflict(&*store, ready.plan(2)).await;
    assert!(store.certificate_by_serial(serial(1)).await.unwrap().is_some());
}

pub async fn a_revocation_needs_the_version_it_was_decided_from(world: &World) {
    let store = world.open().await;
    let ready = Ready::create(&*store).await;
    let id = ready.certificate();
    done(&*store, ready.plan(1)).await;
    done(
        &*store,
        Change::Complete {
            id,
            version: 0,
            certificate: vec![0x30],
        },
    )
    .await;
    let plain = Revocation {
        at: at(60),
        reason: None,
    };
    let compromised = Revocation {
        reason: Some(acme::RevocationReason::KeyCompromise),
        ..plain
    };
    conflict(
        &*store,
        Change::Revoke {
            id,
            version: 0,
            revocation: plain,
        },
    )
    .await;
    done(
        &*store,
        Change::Revoke {
            id,
            version: 1,
            revocation: plain,
        },
    )
    .await;
    assert_eq!(store.certificate(id).await.unwrap().unwrap().revoked, Some(plain));
    conflict(
        &*store,
        Change::Revoke {
            id,
            version: 1,
            revocation: compromised,
        },
    )
    .await;
    done(
        &*store,
        Change::Revoke {
            id,
            version: 2,
            revocation: compromised,
        },
    )
    .await;
    let found = store.certificate_by_serial(serial(1)).await.unwrap().unwrap();
    assert_eq!((found.revoked, found.version), (Some(compromised), 3));
}
