//! One order, one certificate: together, twice, and across deaths (INCIDENTS T22, T23).

use std::sync::Arc;

use acme::{AccountUpdate, OrderStatus};
use authority::{
    Failure, Refusal,
    model::{Account, CertificateState, OrderFacts},
    ports::Store,
};
use pkix::{certificate::Certificate, key::KeyPair};

use crate::world::{World, csr, csr_of, issuing::Signing, refusal};

async fn at_once(
    world: &World,
    account: &Arc<Account>,
    order: &OrderFacts,
    csrs: Vec<Vec<u8>>,
) -> Vec<Result<OrderFacts, Failure>> {
    let id = order.order.id;
    let requests = csrs.into_iter().map(|csr| {
        let (authority, account) = (world.authority.clone(), account.clone());
        tokio::spawn(async move { authority.finalize(&account, id, &csr).await })
    });
    let requests: Vec<_> = requests.collect();
    let mut outcomes = Vec::new();
    for request in requests {
        outcomes.push(request.await.unwrap());
    }
    outcomes
}

/// The one certificate of an order, and that nothing else was planned or signed.
async fn the_certificate(world: &World, account: &Arc<Account>, order: &OrderFacts) -> Certificate {
    let (record, der) = world.certificate(account, order.order.id).await.unwrap();
    assert_eq!(world.store.plans(), 1);
    assert_eq!(world.issuance.signed(), std::slice::from_ref(&record.to_be_signed));
    let certificate = Certificate::parse(&der).unwrap();
    assert_eq!(certificate.tbs_der(), record.to_be_signed);
    certificate
}

// T22, 8555-7.4-14
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t22_simultaneous_finalizes_with_one_csr_issue_one_certificate() {
    for count in [2, 8, 64] {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.ready(&account, &["a.example"]).await;
        let csr = csr(&["a.example"]);
        for outcome in at_once(&world, &account, &order, vec![csr; count]).await {
            let status = world.status(&outcome.unwrap());
            assert!(
                matches!(status, OrderStatus::Processing | OrderStatus::Valid),
                "{status:?}"
            );
        }
        the_certificate(&world, &account, &order).await;
    }
}

// T37: nobody waits for somebody who waits for him; the runner ends what hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t37_whoever_polls_responds_and_finalizes_at_once_gets_an_answer() {
    let world = World::new().await;
    let account = world.account().await;
    for _ in 0..20 {
        let order = world.ready(&account, &["a.example"]).await;
        let id = order.order.id;
        let polls = (0..4).map(|_| {
            let (authority, account, order) = (world.authority.clone(), account.clone(), order.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    authority.order(&account, id).await.unwrap();
                    let authorization = order.authorizations[0].id;
                    authority.authorization(&account, authorization).await.unwrap();
                }
            })
        });
        let polls: Vec<_> = polls.collect();
        let finalized = at_once(&world, &account, &order, vec![csr(&["a.example"]); 8]).await;
        assert!(finalized.iter().all(Result::is_ok));
        for poll in polls {
            poll.await.unwrap();
        }
        assert_eq!(world.status_now(&order).await, OrderStatus::Valid);
    }
}

// T22, 8555-7.4-14
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t22_simultaneous_finalizes_with_different_csrs_issue_one_certificate() {
    for count in [2, 8, 64] {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.ready(&account, &["a.example"]).await;
        let keys: Vec<_> = (0..count).map(|_| KeyPair::generate_p256()).collect();
        let csrs = keys.iter().map(|key| csr_of(key, &["a.example"])).collect();
        let outcomes = at_once(&world, &account, &order, csrs).await;
        let winners: Vec<_> = outcomes
            .iter()
            .zip(&keys)
            .filter(|(outcome, _)| outcome.is_ok())
            .collect();
        let [(_, winner)] = winners[..] else {
            panic!("{} of {count} were told they had won", winners.len());
        };
        let certificate = the_certificate(&world, &account, &order).await;
        assert_eq!(certificate.spki_der(), winner.public_key().spki_der());
        for outcome in outcomes.into_iter().filter(|outcome| outcome.is_err()) {
            assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
        }
    }
}

// 8555-7.4-15, T23
#[tokio::test]
async fn t23_a_failed_signature_leaves_the_plan_and_resuming_signs_the_same_bytes() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    world.issuance.signing(Signing::FailsOnce);
    let facts = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await
        .unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Processing);
    let planned = facts.certificate.unwrap();
    assert_eq!(
        refusal(world.certificate(&account, order.order.id).await),
        Refusal::NotFound
    );

    assert_eq!(world.resume().await, 0, "its lease is not over");
    world.pass(world.policy.lease).await;
    world.told.take();
    assert_eq!(world.resume().await, 1);
    assert_eq!(world.told.take().len(), 1);
    assert_eq!(world.status_now(&order).await, OrderStatus::Valid);
    let certificate = the_certificate(&world, &account, &order).await;
    assert_eq!(certificate.tbs_der(), planned.to_be_signed);
    assert_eq!(*certificate.serial(), planned.serial);
    assert_eq!(world.resume().await, 0);
}

// T23, 8555-7.4-16
#[tokio::test]
async fn t23_a_node_that_dies_before_it_signs_is_replaced_by_one_that_signs_the_same_bytes() {
    let mut world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    world.issuance.signing(Signing::Hangs);
    let (authority, asking, id) = (world.authority.clone(), account.clone(), order.order.id);
    let csr = csr(&["a.example"]);
    let sent = csr.clone();
    let request = world
        .node
        .serve(async move { authority.finalize(&asking, id, &sent).await });
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Processing);

    world.restart();
    assert!(request.await.unwrap_err().is_cancelled());
    world.issuance.signing(Signing::Works);
    let again = world.authority.finalize(&account, id, &csr).await.unwrap();
    assert_eq!(world.status(&again), OrderStatus::Processing);
    world.pass(world.policy.lease).await;
    assert_eq!(world.resume().await, 1);
    the_certificate(&world, &account, &order).await;
    let again = world.authority.finalize(&account, id, &csr).await.unwrap();
    assert_eq!(world.status(&again), OrderStatus::Valid);
    assert_eq!(world.issuance.asked().len(), 2);
}

/// A plan whose signer is away, and the serial that is known of it.
async fn unsigned(world: &World, account: &Arc<Account>) -> OrderFacts {
    let order = world.ready(account, &["a.example"]).await;
    world.issuance.signing(Signing::Fails);
    world
        .authority
        .finalize(account, order.order.id, &csr(&["a.example"]))
        .await
        .unwrap()
}

async fn assert_abandoned(world: &World, account: &Arc<Account>, planned: &OrderFacts) {
    let order = world.reread(planned).await;
    assert_eq!(world.status(&order), OrderStatus::Invalid);
    assert!(order.error(world.clock.now()).is_some());
    let serial = planned.certificate.as_ref().unwrap().serial.clone();
    let record = world
        .store
        .certificate_by_serial(serial)
        .await
        .unwrap()
        .expect("its serial is known");
    assert_eq!(record.state, CertificateState::Abandoned);
    assert_eq!(record.to_be_signed, planned.certificate.as_ref().unwrap().to_be_signed);
    assert_eq!(
        refusal(world.certificate(account, order.order.id).await),
        Refusal::NotFound
    );
    let outcome = world
        .authority
        .finalize(account, order.order.id, &csr(&["a.example"]))
        .await;
    assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
}

// 8555-7.4-15, T23
#[tokio::test]
async fn t23_what_cannot_be_signed_in_time_is_abandoned() {
    let world = World::new().await;
    let account = world.account().await;
    let planned = unsigned(&world, &account).await;
    let limit = world.clock.now().checked_add(world.policy.issuance_limit).unwrap();
    loop {
        world.pass(world.policy.lease).await;
        assert_eq!(world.resume().await, 1);
        if world.clock.now() >= limit {
            break;
        }
        assert_eq!(world.status_now(&planned).await, OrderStatus::Processing);
    }
    world.issuance.signing(Signing::Works);
    assert_abandoned(&world, &account, &planned).await;
    world.pass(world.policy.lease).await;
    assert_eq!(world.resume().await, 0);
    assert_eq!(world.issuance.signed().len(), 0);
}

// T23
#[tokio::test]
async fn t23_a_plan_of_an_account_that_was_deactivated_is_abandoned() {
    let world = World::new().await;
    let account = world.account().await;
    let planned = unsigned(&world, &account).await;
    let deactivate = AccountUpdate {
        status: Some("deactivated".into()),
        ..AccountUpdate::default()
    };
    world
        .authority
        .update_account(account.clone(), deactivate)
        .await
        .unwrap();
    world.issuance.signing(Signing::Works);
    world.pass(world.policy.lease).await;
    assert_eq!(world.resume().await, 1);
    assert_abandoned(&world, &account, &planned).await;
    assert_eq!(world.issuance.signed().len(), 0);
}

// 8555-7.3.6-3: between the gate and PLAN.
#[tokio::test]
async fn an_account_deactivated_after_the_request_was_let_in_gets_no_certificate() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let deactivate = AccountUpdate {
        status: Some("deactivated".into()),
        ..AccountUpdate::default()
    };
    world
        .authority
        .update_account(account.clone(), deactivate)
        .await
        .unwrap();
    let outcome = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await;
    assert_eq!(refusal(outcome), Refusal::AccountInactive);
    assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));
}
