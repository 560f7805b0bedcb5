//! Rate limits (RFC 8555 §6.6) and names that only fail.

use std::time::Duration;

use acme::{NewAccount, OrderStatus};
use authority::{
    Failure, Policy, Refusal,
    operations::{Arrival, Limit, Limits, Uncounted},
    ports::IssuanceFailure,
};
use jose::{Algorithm, SigningKey};

use crate::{
    renewal_info::id_of,
    world::{DAY, HOUR, HTTP, NEW_ACCOUNT, World, method::Answer, new_order, new_order_with, refusal},
};

async fn world(limits: Limits) -> World {
    World::with(Policy {
        limits,
        ..Policy::default()
    })
    .await
}

fn limit(count: u32, period: Duration) -> Option<Limit> {
    Some(Limit { count, period })
}

fn until(outcome: Result<impl std::fmt::Debug, Failure>) -> (String, jiff::Timestamp) {
    match refusal(outcome) {
        Refusal::RateLimited { detail, until, .. } => (detail, until),
        other => panic!("{other:?}"),
    }
}

// 8555-6.6-1
#[tokio::test]
async fn orders_over_the_limit_are_refused_until_the_time_that_is_told() {
    let world = world(Limits {
        new_orders_per_account: limit(2, HOUR),
        ..Limits::none()
    })
    .await;
    let (account, other) = (world.account().await, world.account().await);
    world.order(&account, &["a.example"]).await;
    world.order(&account, &["b.example"]).await;
    let (detail, then) = until(world.authority.new_order(&account, new_order(&["c.example"])).await);
    assert!(detail.contains("2 in 1 h"), "{detail}");
    assert_eq!(then, world.clock.now() + HOUR / 2);
    world.order(&other, &["c.example"]).await;
    world.pass(HOUR / 2 - Duration::from_secs(1)).await;
    assert!(
        world
            .authority
            .new_order(&account, new_order(&["c.example"]))
            .await
            .is_err()
    );
    world.pass(Duration::from_secs(1)).await;
    world.order(&account, &["c.example"]).await;
    // A refused order cost nothing: a request that is malformed either.
    assert!(
        world
            .authority
            .new_order(&account, new_order(&["c..example"]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn new_accounts_are_counted_by_address_and_by_network_and_known_keys_are_not() {
    let world = world(Limits {
        new_accounts_per_address: limit(1, HOUR),
        new_accounts_per_network: limit(2, HOUR),
        ..Limits::none()
    })
    .await;
    let key = || SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone();
    let register = async |key: jose::Jwk, from: &str| {
        let arrival = Arrival {
            url: NEW_ACCOUNT,
            from: Some(from.parse().unwrap()),
        };
        world.authority.new_account(key, arrival, NewAccount::default()).await
    };
    let first = key();
    assert!(register(first.clone(), "192.0.2.1").await.is_ok());
    until(register(key(), "192.0.2.1").await);
    assert!(register(first, "192.0.2.1").await.is_ok(), "it has its account already");
    assert!(register(key(), "192.0.2.2").await.is_ok());
    until(register(key(), "192.0.2.3").await);
    assert!(register(key(), "198.51.100.1").await.is_ok());
}

#[tokio::test]
async fn certificates_are_counted_when_issued_by_domain_and_by_names_and_renewals_pass() {
    let world = world(Limits {
        certificates_per_domain: limit(2, DAY * 7),
        certificates_per_name_set: limit(2, DAY * 7),
        ..Limits::none()
    })
    .await;
    let account = world.account().await;
    // Orders alone cost nothing.
    for _ in 0..5 {
        world.order(&account, &["a.example"]).await;
    }
    world.issue(&account, &["a.example"]).await;
    let issued = world.issue(&account, &["a.example"]).await;
    let (detail, _) = until(world.authority.new_order(&account, new_order(&["a.example"])).await);
    assert!(detail.contains("a.example"), "{detail}");
    let renewal = |replaces: serde_json::Value| new_order_with(&["a.example", "b.example"], "replaces", replaces);
    // Whoever says so must be right.
    until(
        world
            .authority
            .new_order(&account, renewal(serde_json::Value::Null))
            .await,
    );
    let id = id_of(&issued).to_string();
    assert!(world.authority.new_order(&account, renewal(id.into())).await.is_ok());
}

// T29
#[tokio::test]
async fn the_first_order_that_replaces_a_certificate_is_free_and_those_after_one_that_failed_are_counted() {
    let world = world(Limits {
        new_orders_per_account: limit(2, DAY),
        ..Limits::none()
    })
    .await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    world.order(&account, &["b.example"]).await;
    until(world.authority.new_order(&account, new_order(&["b.example"])).await);
    let renewal = || new_order_with(&["a.example"], "replaces", id_of(&issued).to_string());
    let first = world.authority.new_order(&account, renewal()).await.unwrap();
    let authorization = first.authorizations[0].clone();
    let deactivated = world
        .authority
        .deactivate_authorization(&account, authorization.id)
        .await;
    assert!(deactivated.is_ok());
    until(world.authority.new_order(&account, renewal()).await);
}

#[tokio::test]
async fn an_issuance_is_counted_once_however_often_it_is_asked_for_and_a_refused_one_not_at_all() {
    let world = world(Limits {
        certificates_per_name_set: limit(2, DAY),
        ..Limits::none()
    })
    .await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let csr = crate::world::csr(&["a.example"]);
    let refuse = || IssuanceFailure::Refused("not like this".into());
    *world.issuance.refuse_to_prepare.lock().unwrap() = Some(refuse);
    assert!(world.authority.finalize(&account, order.order.id, &csr).await.is_err());
    *world.issuance.refuse_to_prepare.lock().unwrap() = None;
    let tries = (0..4).map(|_| world.authority.finalize(&account, order.order.id, &csr));
    for outcome in futures_util::future::join_all(tries).await {
        assert!(outcome.is_ok());
    }
    world.order(&account, &["a.example"]).await;
    world.issue(&account, &["a.example"]).await;
    until(world.authority.new_order(&account, new_order(&["a.example"])).await);
}

#[tokio::test]
async fn a_name_that_failed_too_often_waits_and_others_do_not() {
    let world = world(Limits {
        failed_validations: limit(2, HOUR),
        ..Limits::none()
    })
    .await;
    let account = world.account().await;
    for _ in 0..2 {
        let order = world.order(&account, &["a.example"]).await;
        world.http.will([Answer::Lasting("wrong")]);
        world.respond(&account, &order, 0, HTTP).await;
        world.settle().await;
        assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
    }
    until(world.authority.new_order(&account, new_order(&["a.example"])).await);
    world.order(&account, &["b.example"]).await;
    world.pass(HOUR / 2).await;
    world.order(&account, &["a.example"]).await;
}

/// INCIDENTS T38.
#[tokio::test]
async fn t38_an_account_that_only_fails_is_paused_for_the_name_until_somebody_asks_to_go_on() {
    let world = world(Limits {
        pause_after: Some(3),
        ..Limits::none()
    })
    .await;
    let (account, other) = (world.account().await, world.account().await);
    let fail = async |account| {
        let order = world.order(account, &["a.example"]).await;
        world.http.will([Answer::Lasting("wrong")]);
        world.respond(account, &order, 0, HTTP).await;
    };
    fail(&account).await;
    fail(&account).await;
    // Once that it works, all is forgotten.
    world.issue(&account, &["a.example"]).await;
    for _ in 0..3 {
        fail(&account).await;
    }
    let outcome = world
        .authority
        .new_order(&account, new_order(&["b.example", "a.example"]))
        .await;
    match refusal(outcome) {
        Refusal::Paused { detail, account: whose } => {
            assert_eq!(whose, account.id);
            assert!(detail.starts_with("a.example failed"), "{detail}");
        }
        refused => panic!("{refused:?}"),
    }
    world.order(&account, &["b.example"]).await;
    world.order(&other, &["a.example"]).await;
    assert_eq!(world.authority.unpause(account.id).await.unwrap(), 1);
    world.order(&account, &["a.example"]).await;
}

/// INCIDENTS T39.
#[tokio::test]
async fn t39_requests_that_cannot_be_counted_are_refused_with_a_time_to_come_back() {
    let world = world(Limits::public()).await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.store.lose_the_counters();
    let (detail, then) = until(world.authority.new_order(&account, new_order(&["b.example"])).await);
    assert!(detail.contains("cannot be read"), "{detail}");
    assert!(then > world.clock.now());
    // What was let in before goes to its end, certificate and all.
    world.respond(&account, &order, 0, HTTP).await;
    world.settle().await;
    let csr = crate::world::csr(&["a.example"]);
    assert!(world.authority.finalize(&account, order.order.id, &csr).await.is_ok());
}

/// INCIDENTS T39.
#[tokio::test]
async fn t39_requests_that_cannot_be_counted_are_served_where_the_operator_says_so() {
    let world = world(Limits {
        uncounted: Uncounted::Serve,
        ..Limits::public()
    })
    .await;
    let account = world.account().await;
    world.store.lose_the_counters();
    world.issue(&account, &["a.example"]).await;
    let order = world.order(&account, &["b.example"]).await;
    world.http.will([Answer::Lasting("wrong")]);
    world.respond(&account, &order, 0, HTTP).await;
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
}
