//! What an authorization is good for, and for whom (RFC 8555 §7.1.6, §7.5.2).

use acme::{AuthorizationStatus, OrderStatus, ProblemType};
use authority::{
    Policy, Refusal,
    model::{Authorization, AuthorizationState},
    ports::{Change, Committed, Store},
};

use crate::world::{DAY, HOUR, HTTP, World, csr, method::Answer, refusal};

// 8555-7.5.2-1, 8555-7.1.6-2
#[tokio::test]
async fn deactivating_an_authorization_makes_its_order_invalid_pending_or_ready() {
    let world = World::new().await;
    let account = world.account().await;
    let pending = world.order(&account, &["a.example", "b.example"]).await;
    let ready = world.ready(&account, &["a.example", "b.example"]).await;
    for order in [pending, ready] {
        let id = order.order.authorizations[1];
        let seen = world.authority.deactivate_authorization(&account, id).await.unwrap();
        assert_eq!(seen.status(world.clock.now()), AuthorizationStatus::Deactivated);
        let order = world.reread(&order).await;
        assert_eq!(world.status(&order), OrderStatus::Invalid);
        let error = order.error(world.clock.now()).unwrap();
        assert_eq!(error.kind, ProblemType::Unauthorized);
        assert!(error.detail.contains("b.example"), "{error}");
        let names = ["a.example", "b.example"];
        let outcome = world.authority.finalize(&account, order.order.id, &csr(&names)).await;
        assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
    }
}

// 8555-7.5.2-2
#[tokio::test]
async fn deactivation_is_final_and_leaves_what_is_final_alone() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    let order = world.order(&account, &["a.example", "b.example", "c.example"]).await;
    let [invalid, deactivated, expired] = order.order.authorizations[..] else {
        unreachable!()
    };
    world.http.will([Answer::Lasting("no")]);
    world.respond(&account, &order, 0, HTTP).await;
    world
        .authority
        .deactivate_authorization(&account, deactivated)
        .await
        .unwrap();
    let outcome = world.authority.deactivate_authorization(&other, expired).await;
    assert_eq!(refusal(outcome), Refusal::NotFound);
    world.pass(world.policy.order_lifetime).await;
    for (id, status) in [
        (invalid, AuthorizationStatus::Invalid),
        (deactivated, AuthorizationStatus::Deactivated),
        (expired, AuthorizationStatus::Expired),
    ] {
        let seen = world.authority.deactivate_authorization(&account, id).await.unwrap();
        assert_eq!(seen.status(world.clock.now()), status);
    }
}

// 8555-7.5.2-2
#[tokio::test]
async fn an_authorization_deactivated_in_the_middle_of_its_validation_stays_so() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held]);
    let id = order.order.authorizations[0];
    let response = world
        .authority
        .respond(&account, crate::world::challenge(&order, 0, HTTP));
    let (outcome, ()) = futures_util::future::join(response, async {
        world.settle().await;
        world.authority.deactivate_authorization(&account, id).await.unwrap();
        drop(release.send(Answer::Valid));
    })
    .await;
    assert!(matches!(refusal(outcome), Refusal::Malformed(_)));
    let stored = world.authority.authorization(&account, id).await.unwrap();
    assert_eq!(stored.status(world.clock.now()), AuthorizationStatus::Deactivated);
}

// T2
#[tokio::test]
async fn t2_no_authorization_of_the_past_satisfies_a_new_order() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    let deactivated = world.ready(&account, &["a.example"]).await;
    let id = deactivated.order.authorizations[0];
    world.authority.deactivate_authorization(&account, id).await.unwrap();
    let revoked = world.ready(&account, &["a.example"]).await;
    let changed = Authorization {
        state: AuthorizationState::Revoked { evidence: Vec::new() },
        ..Authorization::clone(&revoked.authorizations[0])
    };
    let committed = world.store.commit(Change::UpdateAuthorization(changed)).await.unwrap();
    assert_eq!(committed, Committed::Done);
    world.ready(&other, &["a.example"]).await;
    world.ready(&account, &["*.a.example"]).await;
    world.ready(&account, &["sub.a.example"]).await;

    let order = world.order(&account, &["a.example"]).await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Pending);
    assert!(matches!(order.authorizations[0].state, AuthorizationState::Pending));
    let outcome = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await;
    assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
    assert_eq!(world.store.plans(), 0);
}

// T2
#[tokio::test]
async fn t2_an_order_is_ready_only_while_every_authorization_of_its_own_is_valid() {
    type Break = fn(&mut Authorization);
    let breaks: [(&str, Break); 4] = [
        ("pending", |a| a.state = AuthorizationState::Pending),
        ("deactivated", |a| {
            a.state = AuthorizationState::Deactivated { evidence: Vec::new() }
        }),
        ("revoked", |a| {
            a.state = AuthorizationState::Revoked { evidence: Vec::new() }
        }),
        ("expired", |a| a.expires = "2026-03-01T12:00:00Z".parse().unwrap()),
    ];
    let names = ["a.example", "b.example", "*.b.example"];
    for (what, spoil) in breaks {
        for n in 0..names.len() {
            let world = World::new().await;
            let account = world.account().await;
            let order = world.ready(&account, &names).await;
            let mut changed = Authorization::clone(&order.authorizations[n]);
            spoil(&mut changed);
            let committed = world.store.commit(Change::UpdateAuthorization(changed)).await.unwrap();
            assert_eq!(committed, Committed::Done);
            assert_ne!(world.status_now(&order).await, OrderStatus::Ready, "{what} {n}");
            let outcome = world.authority.finalize(&account, order.order.id, &csr(&names)).await;
            assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)), "{what} {n}");
            assert_eq!(
                (world.store.plans(), world.issuance.signed().len()),
                (0, 0),
                "{what} {n}"
            );
        }
    }
}

// T2: the decision is repeated where the certificate is planned.
#[tokio::test]
async fn t2_an_authorization_lost_between_the_decision_and_the_plan_is_noticed() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let id = order.order.authorizations[0];
    let (go, gate) = tokio::sync::oneshot::channel();
    *world.check.gate.lock().unwrap() = Some(gate);
    let csr = csr(&["a.example"]);
    let finalize = world.authority.finalize(&account, order.order.id, &csr);
    let (outcome, ()) = futures_util::future::join(finalize, async {
        world.settle().await;
        world.authority.deactivate_authorization(&account, id).await.unwrap();
        go.send(()).unwrap();
    })
    .await;
    assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
    assert_eq!((world.store.plans(), world.issuance.signed().len()), (0, 0));
}

// 8555-7.4-17
#[tokio::test]
async fn a_valid_authorization_expires_and_its_order_with_it() {
    let world = World::with(Policy {
        order_lifetime: DAY * 7,
        authorization_lifetime: HOUR,
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    world.pass(HOUR).await;
    let order = world.reread(&order).await;
    assert_eq!(
        order.authorizations[0].status(world.clock.now()),
        AuthorizationStatus::Expired
    );
    assert_eq!(world.status(&order), OrderStatus::Invalid);
    assert!(order.error(world.clock.now()).is_some());
}
