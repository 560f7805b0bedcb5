//! A commit that fails, written or not: nothing is promised, and a retry ends in exactly one certificate.

use acme::{NewAccount, OrderStatus};
use authority::{model::OrderFacts, ports::Change};
use jose::{Algorithm, SigningKey};

use crate::world::{HTTP, NEW_ACCOUNT, World, challenge, csr, new_order, store::Fault, unavailable};

const FAULTS: [Fault; 2] = [Fault::NotWritten, Fault::WrittenAllTheSame];

/// Sends finalize until the order is done, as a client would, with the node's own looking around in between.
async fn finish(world: &World, account: &std::sync::Arc<authority::model::Account>, order: &OrderFacts, csr: &[u8]) {
    for _ in 0..5 {
        let facts = world.authority.finalize(account, order.order.id, csr).await.unwrap();
        if world.status(&facts) == OrderStatus::Valid {
            assert_eq!(world.store.plans(), 1);
            let planned = facts.certificate.unwrap();
            assert!(
                world
                    .issuance
                    .signed()
                    .iter()
                    .all(|bytes| *bytes == planned.to_be_signed)
            );
            world.certificate(account, order.order.id).await.unwrap();
            return;
        }
        world.pass(world.policy.lease).await;
        world.resume().await;
    }
    panic!("the order does not end");
}

// T22, T23, 8555-7.4-14
#[tokio::test]
async fn a_plan_whose_commit_failed_is_not_promised_and_a_retry_issues_once() {
    for fault in FAULTS {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.ready(&account, &["a.example"]).await;
        let csr = csr(&["a.example"]);
        world
            .store
            .fail_next(|change| matches!(change, Change::Plan { .. }), fault);
        unavailable(world.authority.finalize(&account, order.order.id, &csr).await);
        assert_eq!(
            world.issuance.asked().len(),
            0,
            "nothing is signed that may not be on disk"
        );
        let expected = match fault {
            Fault::NotWritten => OrderStatus::Ready,
            Fault::WrittenAllTheSame => OrderStatus::Processing,
        };
        assert_eq!(world.status_now(&order).await, expected, "{fault:?}");
        finish(&world, &account, &order, &csr).await;
        assert_eq!(world.issuance.signed().len(), 1);
    }
}

// T23, 8555-7.4-16
#[tokio::test]
async fn a_signed_certificate_whose_commit_failed_is_signed_again_from_the_same_bytes() {
    for fault in FAULTS {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.ready(&account, &["a.example"]).await;
        let csr = csr(&["a.example"]);
        world
            .store
            .fail_next(|change| matches!(change, Change::Complete { .. }), fault);
        let facts = world.authority.finalize(&account, order.order.id, &csr).await.unwrap();
        let expected = match fault {
            Fault::NotWritten => OrderStatus::Processing,
            Fault::WrittenAllTheSame => OrderStatus::Valid,
        };
        assert_eq!(world.status(&facts), expected, "{fault:?}");
        finish(&world, &account, &order, &csr).await;
    }
}

// T23
#[tokio::test]
async fn an_abandonment_whose_commit_failed_is_made_again() {
    for fault in FAULTS {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.ready(&account, &["a.example"]).await;
        world.issuance.signing(crate::world::issuing::Signing::Fails);
        world
            .authority
            .finalize(&account, order.order.id, &csr(&["a.example"]))
            .await
            .unwrap();
        world
            .store
            .fail_next(|change| matches!(change, Change::Abandon { .. }), fault);
        world.pass(world.policy.issuance_limit).await;
        world.resume().await;
        world.pass(world.policy.lease).await;
        world.resume().await;
        assert_eq!(world.status_now(&order).await, OrderStatus::Invalid, "{fault:?}");
        world.pass(world.policy.lease).await;
        assert_eq!(world.resume().await, 0);
    }
}

#[tokio::test]
async fn an_account_whose_commit_failed_is_there_once_after_a_retry() {
    for fault in FAULTS {
        let world = World::new().await;
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let ask = || {
            world
                .authority
                .new_account(key.jwk().clone(), NEW_ACCOUNT, NewAccount::default())
        };
        world
            .store
            .fail_next(|change| matches!(change, Change::CreateAccount(_)), fault);
        unavailable(ask().await);
        let (account, created) = ask().await.unwrap();
        assert_eq!(created, fault == Fault::NotWritten);
        let (again, created) = ask().await.unwrap();
        assert_eq!((again.id, created), (account.id, false));
    }
}

#[tokio::test]
async fn an_order_whose_commit_failed_can_be_asked_for_again() {
    for fault in FAULTS {
        let world = World::new().await;
        let account = world.account().await;
        world
            .store
            .fail_next(|change| matches!(change, Change::CreateOrder { .. }), fault);
        unavailable(world.authority.new_order(&account, new_order(&["a.example"])).await);
        world.issue(&account, &["a.example"]).await;
    }
}

#[tokio::test]
async fn a_result_whose_commit_failed_is_found_again_by_whoever_asks() {
    for fault in FAULTS {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.order(&account, &["a.example"]).await;
        world
            .store
            .fail_next(|change| matches!(change, Change::UpdateAuthorization(_)), fault);
        unavailable(world.authority.respond(&account, challenge(&order, 0, HTTP)).await);
        world.respond(&account, &order, 0, HTTP).await;
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready, "{fault:?}");
        let attempts = match fault {
            Fault::NotWritten => 2,
            Fault::WrittenAllTheSame => 1,
        };
        assert_eq!(world.http.attempts(), attempts);
    }
}
