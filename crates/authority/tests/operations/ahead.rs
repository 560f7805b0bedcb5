//! Authorizations that are there before their order (RFC 8555 §7.4.1), and those that count again.

use acme::{AuthorizationStatus, Identifier, OrderStatus, ProblemType};
use authority::{Policy, Refusal, model::Authorization};

use crate::world::{DAY, HOUR, HTTP, World, csr, identifier, refusal};

async fn world() -> World {
    World::with(Policy {
        reuse_authorizations: DAY,
        ..Policy::default()
    })
    .await
}

async fn authorize(world: &World, account: &std::sync::Arc<authority::model::Account>, name: &str) -> Authorization {
    let authorization = world
        .authority
        .new_authorization(account, &identifier(name).into())
        .await
        .unwrap();
    let id = authority::model::ChallengeId {
        authorization: authorization.id,
        index: HTTP,
    };
    (*world.authority.respond(account, id).await.unwrap()).clone()
}

// 8555-7.4.1-1, 8555-7.4.1-3
#[tokio::test]
async fn an_order_for_a_name_that_was_authorized_ahead_is_ready_at_once() {
    let world = world().await;
    let account = world.account().await;
    let ahead = authorize(&world, &account, "a.example").await;
    assert_eq!(ahead.status(world.clock.now()), AuthorizationStatus::Valid);
    let order = world.order(&account, &["a.example", "b.example"]).await;
    assert_eq!(order.order.authorizations[0], ahead.id);
    assert_ne!(order.order.authorizations[1], ahead.id);
    assert_eq!(world.status(&order), OrderStatus::Pending);
    let order = world.order(&account, &["a.example"]).await;
    assert_eq!(world.status(&order), OrderStatus::Ready);
    let facts = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await
        .unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
    // Asking again gets what is valid.
    let again = world
        .authority
        .new_authorization(&account, &identifier("a.example").into())
        .await
        .unwrap();
    assert_eq!(again.id, ahead.id);
}

// 8555-7.4.1-1, 8555-7.4.1-2
#[tokio::test]
async fn a_wildcard_or_a_name_that_cannot_be_ordered_is_not_authorized_ahead() {
    let world = world().await;
    let account = world.account().await;
    for (asked, kind) in [
        (Identifier::dns("*.a.example"), ProblemType::Malformed),
        (Identifier::dns("a..example"), ProblemType::Malformed),
        (Identifier::new("phone", "1"), ProblemType::UnsupportedIdentifier),
    ] {
        let Refusal::Identifiers(problems) =
            refusal(world.authority.new_authorization(&account, &asked.clone().into()).await)
        else {
            panic!("{asked}")
        };
        assert_eq!(problems[0].kind, kind, "{asked}");
    }
}

/// INCIDENTS T2: the matrix of what must not satisfy an order.
#[tokio::test]
async fn t2_only_a_young_valid_authorization_of_this_account_for_exactly_this_name_counts_again() {
    let world = world().await;
    let (account, other) = (world.account().await, world.account().await);
    authorize(&world, &account, "a.example").await;
    let is_ready = async |account, names: &[&str]| {
        let order = world.order(account, names).await;
        world.status(&order) == OrderStatus::Ready
    };
    assert!(is_ready(&account, &["a.example"]).await);
    assert!(!is_ready(&other, &["a.example"]).await, "another account's");
    assert!(
        !is_ready(&account, &["*.a.example"]).await,
        "the base name's for a wildcard"
    );
    assert!(!is_ready(&account, &["b.a.example"]).await, "an ancestor's");
    let wildcard = world.order(&account, &["*.c.example"]).await;
    world.respond(&account, &wildcard, 0, 0).await;
    assert!(is_ready(&account, &["*.c.example"]).await);
    assert!(
        !is_ready(&account, &["c.example"]).await,
        "a wildcard's for the base name"
    );

    let given_up = authorize(&world, &account, "d.example").await;
    world
        .authority
        .deactivate_authorization(&account, given_up.id)
        .await
        .unwrap();
    assert!(!is_ready(&account, &["d.example"]).await, "one that was given up");

    world.pass(DAY - HOUR).await;
    assert!(is_ready(&account, &["a.example"]).await);
    world.pass(HOUR).await;
    assert!(!is_ready(&account, &["a.example"]).await, "one that is too old");
}

#[tokio::test]
async fn every_order_proves_anew_where_nothing_else_is_said() {
    let world = World::new().await;
    let account = world.account().await;
    authorize(&world, &account, "a.example").await;
    let order = world.order(&account, &["a.example"]).await;
    assert_eq!(world.status(&order), OrderStatus::Pending);
}
