use authority::{
    model::*,
    ports::{Change, IdKind, StoreError},
};

use crate::{objects::*, world::World};

pub async fn what_is_not_there_is_none(world: &World) {
    let store = world.open().await;
    for number in [0, 1, u64::MAX] {
        assert!(store.account(AccountId(number)).await.unwrap().is_none());
        assert!(store.order(OrderId(number)).await.unwrap().is_none());
        assert!(store.authorization(AuthorizationId(number)).await.unwrap().is_none());
        let certificate = CertificateId {
            order: OrderId(number),
            n: 0,
        };
        assert!(store.certificate(certificate).await.unwrap().is_none());
    }
    assert!(
        store
            .account_by_key("default", jose::Thumbprint::from([9; 32]))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.certificate_by_serial(serial(9)).await.unwrap().is_none());
    assert!(store.orders_of(AccountId(1), OrderId(0), 10).await.unwrap().is_empty());
}

pub async fn every_object_is_read_as_it_was_written(world: &World) {
    let store = world.open().await;
    let account = account(number(&*store, IdKind::Account).await);
    done(&*store, Change::CreateAccount(account.clone())).await;
    assert_eq!(text(&store.account(account.id).await.unwrap().unwrap()), text(&account));
    let by_key = store
        .account_by_key("default", account.key.thumbprint())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(text(&by_key), text(&account));

    let states = [
        AuthorizationState::Pending,
        processing(at(30), at(40)),
        valid(),
        invalid(),
        AuthorizationState::Deactivated { evidence: Vec::new() },
        AuthorizationState::Revoked { evidence: Vec::new() },
    ];
    let numbers: Vec<_> = store
        .reserve(IdKind::Authorization, states.len() as u64)
        .await
        .unwrap()
        .collect();
    let mut authorizations = Vec::new();
    for (id, state) in numbers.iter().zip(states) {
        authorizations.push(Authorization {
            state,
            ..authorization(*id, account.id)
        });
    }
    let order = order(number(&*store, IdKind::Order).await, account.id, &numbers);
    done(
        &*store,
        Change::CreateOrder {
            account: (account.id, 0),
            order: order.clone(),
            authorizations: authorizations.clone(),
        },
    )
    .await;
    let facts = store.order(order.id).await.unwrap().unwrap();
    assert_eq!(text(&facts.order), text(&order));
    assert_eq!(text(&facts.authorizations), text(&authorizations));
    let listed = store.orders_of(account.id, OrderId(0), 1).await.unwrap();
    assert_eq!(text(&listed), text(&[facts]));

    let ready = Ready::of(&*store, &store.account(account.id).await.unwrap().unwrap()).await;
    done(&*store, ready.plan(1)).await;
    let mut expected = planned(&ready.order, 1);
    for (change, next) in [
        (None, expected.state.clone()),
        (
            Some(Change::Complete {
                id: expected.id,
                version: 0,
                certificate: vec![0x30, 1],
            }),
            CertificateState::Issued {
                certificate: vec![0x30, 1],
            },
        ),
    ] {
        if let Some(change) = change {
            done(&*store, change).await;
            expected.version += 1;
        }
        expected.state = next;
        let by_id = store.certificate(expected.id).await.unwrap().unwrap();
        let by_serial = store
            .certificate_by_serial(expected.serial.clone())
            .await
            .unwrap()
            .unwrap();
        let by_order = store.order(ready.order.id).await.unwrap().unwrap().certificate.unwrap();
        for found in [by_id, by_serial, by_order] {
            assert_eq!(text(&found), text(&expected));
        }
    }
}

pub async fn orders_are_listed_by_account_after_a_number(world: &World) {
    let store = world.open().await;
    let (mine, other) = (new_account(&*store).await, new_account(&*store).await);
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(new_order(&*store, mine.id).await.order.id);
        new_order(&*store, other.id).await;
    }
    let listed = async |after: OrderId, limit| -> Vec<OrderId> {
        let orders = store.orders_of(mine.id, after, limit).await.unwrap();
        orders.iter().map(|facts| facts.order.id).collect()
    };
    assert_eq!(listed(OrderId(0), 100).await, numbers);
    assert_eq!(listed(OrderId(0), 2).await, numbers[..2]);
    assert_eq!(listed(numbers[1], 2).await, numbers[2..4]);
    assert!(listed(numbers[4], 2).await.is_empty());
}

pub async fn authorizations_are_listed_newest_first(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let numbers: Vec<_> = store.reserve(IdKind::Authorization, 4).await.unwrap().collect();
    let mut authorizations: Vec<_> = numbers.iter().map(|id| authorization(*id, account.id)).collect();
    for authorization in &mut authorizations[..3] {
        authorization.identifier = acme::Identifier::dns("same.example.org");
    }
    let order = order(number(&*store, IdKind::Order).await, account.id, &numbers);
    done(
        &*store,
        Change::CreateOrder {
            account: (order.account, 0),
            order,
            authorizations,
        },
    )
    .await;
    let same = acme::Identifier::dns("same.example.org");
    let listed = store.authorizations_for(account.id, same.clone(), 2).await.unwrap();
    assert_eq!(
        listed.iter().map(|a| a.id.0).collect::<Vec<_>>(),
        [numbers[2], numbers[1]]
    );
    assert!(
        store
            .authorizations_for(AccountId(account.id.0 + 1), same, 2)
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn a_reader_never_sees_half_of_a_commit(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (store, ended, account) = (store.clone(), ended.clone(), account.id);
        readers.push(tokio::spawn(async move {
            let (mut last, mut seen) = (OrderId(0), 0);
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                let mut found = store.orders_of(account, last, 10).await.unwrap();
                if let [.., facts] = &*found {
                    last = OrderId(facts.order.id.0.saturating_sub(2));
                    found.extend(store.order(facts.order.id).await.unwrap());
                }
                for facts in found {
                    assert_eq!(facts.authorizations.len(), 2);
                    let abandoned = facts
                        .certificate
                        .is_some_and(|c| c.state == CertificateState::Abandoned);
                    assert_eq!(abandoned, facts.order.failure.is_some(), "order {}", facts.order.id);
                    seen += 1;
                }
                tokio::task::yield_now().await;
            }
            seen
        }));
    }
    for serial_number in 0..100 {
        let ready = Ready::of(&*store, &account).await;
        done(&*store, ready.plan(serial_number)).await;
        done(
            &*store,
            Change::Abandon {
                id: ready.certificate(),
                version: 0,
                problem: problem(),
            },
        )
        .await;
    }
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

/// Once a change was seen, or its commit was answered, every later look sees it.
pub async fn a_reader_never_goes_back_in_time(world: &World) {
    let store = world.open().await;
    let account = new_account(&*store).await;
    let id = new_order(&*store, account.id).await.authorizations[0].id;
    let identifier = store.authorization(id).await.unwrap().unwrap().identifier.clone();
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..200 {
                let mut changed = Authorization::clone(&*store.authorization(id).await?.unwrap());
                assert_eq!(changed.version, version);
                changed.state = processing(at(i64::from(version)), at(0));
                done(&*store, Change::UpdateAuthorization(changed)).await;
            }
            Ok::<_, StoreError>(())
        })
    };
    let mut last = 0;
    while last < 200 {
        let by_id = store.authorization(id).await.unwrap().unwrap().version;
        assert!(by_id >= last, "{by_id} after {last}");
        last = by_id;
        let listed = store
            .authorizations_for(account.id, identifier.clone(), 1)
            .await
            .unwrap()[0]
            .version;
        assert!(listed >= by_id, "{listed} after {by_id}");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap().unwrap();
}
