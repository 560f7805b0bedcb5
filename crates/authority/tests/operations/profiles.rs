//! Orders that choose a profile (draft-ietf-acme-profiles).

use acme::{OrderStatus, ProblemType};
use authority::Refusal;
use serde_json::{Value, json};

use crate::world::{DAY, World, csr, new_order, new_order_with, refusal};

fn kind(refusal: Refusal) -> ProblemType {
    match refusal {
        Refusal::Problem(problem) => problem.kind,
        other => panic!("{other}"),
    }
}

// PROF-4-1
#[tokio::test]
async fn an_order_has_the_profile_it_names_and_shows_it() {
    let world = World::new().await;
    let account = world.account().await;
    let names = ["a.example"];
    for (request, profile, days) in [
        (new_order_with(&names, "profile", "short"), "short", 6),
        (new_order_with(&names, "profile", "default"), "default", 45),
        (new_order_with(&names, "profile", Value::Null), "default", 45),
        (new_order(&names), "default", 45),
    ] {
        let order = world.authority.new_order(&account, request).await.unwrap();
        assert_eq!(order.order.members["profile"], profile);
        world.respond(&account, &order, 0, 0).await;
        let order = world.reread(&order).await;
        assert_eq!(order.order.members["profile"], profile);
        let id = order.order.id;
        let facts = world.authority.finalize(&account, id, &csr(&names)).await.unwrap();
        assert_eq!(world.status(&facts), OrderStatus::Valid);
        let (record, _) = world.certificate(&account, id).await.unwrap();
        assert_eq!(record.profile, profile);
        assert!(
            record.not_after <= world.clock.now() + DAY * days
                && record.not_after > world.clock.now() + DAY * (days - 1)
        );
    }
}

// PROF-4-1
#[tokio::test]
async fn a_profile_that_is_not_offered_is_refused() {
    let world = World::new().await;
    let account = world.account().await;
    let order = async |value: Value| {
        let request = new_order_with(&["a.example"], "profile", value);
        refusal(world.authority.new_order(&account, request).await)
    };
    for unknown in ["", "Default", "none", "../short", &"x".repeat(10_000)] {
        let refusal = order(unknown.into()).await;
        assert!(
            refusal.to_string().len() < 300,
            "an answer is not longer than it need be"
        );
        assert_eq!(kind(refusal), ProblemType::InvalidProfile);
    }
    for wrong in [json!(1), json!(["short"]), json!({"short": true})] {
        assert!(matches!(order(wrong).await, Refusal::Malformed(_)));
    }
}

// PROF-4-2
#[tokio::test]
async fn an_order_whose_profile_has_gone_is_told_so_at_finalize() {
    let world = World::new().await;
    let account = world.account().await;
    let request = new_order_with(&["a.example"], "profile", "short");
    let order = world.authority.new_order(&account, request).await.unwrap();
    world.respond(&account, &order, 0, 0).await;
    *world.issuance.ended.lock().unwrap() = Some("short".into());
    let refused = refusal(
        world
            .authority
            .finalize(&account, order.order.id, &csr(&["a.example"]))
            .await,
    );
    assert_eq!(kind(refused), ProblemType::InvalidProfile);
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}
