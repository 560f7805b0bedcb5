//! Orders that say which certificate they replace (RFC 9773 §5).

use std::sync::Arc;

use acme::{OrderStatus, ProblemType};
use authority::{
    Failure, Refusal,
    model::{Account, OrderFacts},
};
use serde_json::{Value, json};

use crate::{
    renewal_info::id_of,
    world::{DAY, HTTP, Issued, World, method::Answer, new_order_with, refusal},
};

async fn replacing(
    world: &World,
    account: &Arc<Account>,
    names: &[&str],
    value: impl Into<Value>,
) -> Result<OrderFacts, Failure> {
    let request = new_order_with(names, "replaces", value);
    world.authority.new_order(account, request).await
}

fn is_already_replaced(outcome: Result<OrderFacts, Failure>) -> bool {
    match refusal(outcome) {
        Refusal::Problem(problem) => problem.kind == ProblemType::AlreadyReplaced && problem.status == Some(409),
        other => panic!("{other}"),
    }
}

async fn world() -> (World, Arc<Account>, Issued, String) {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example", "b.example"]).await;
    let id = id_of(&issued).to_string();
    (world, account, issued, id)
}

// 9773-5-3
#[tokio::test]
async fn what_an_order_replaces_is_shown_from_its_first_answer_on() {
    let (world, account, _, id) = world().await;
    let order = replacing(&world, &account, &["a.example"], &*id).await.unwrap();
    assert_eq!(order.order.members["replaces"], id);
    assert_eq!(world.reread(&order).await.order.members["replaces"], id);
    let order = replacing(&world, &account, &["a.example"], Value::Null).await.unwrap();
    assert!(!order.order.members.contains_key("replaces"));
}

// 9773-5-2
#[tokio::test]
async fn only_a_certificate_of_this_account_with_one_of_the_names_can_be_replaced() {
    let (world, account, issued, id) = world().await;
    let stranger = world.account().await;
    let other_key = acme::RenewalId::new([7; 20], issued.record.serial.der_content()).to_string();
    for (who, names, value) in [
        (&stranger, ["a.example"], json!(id)),
        (&account, ["c.example"], json!(id)),
        (&account, ["*.a.example"], json!(id)),
        (&account, ["a.example"], json!(other_key)),
        (&account, ["a.example"], json!("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")),
        (&account, ["a.example"], json!("")),
        (&account, ["a.example"], json!("nonsense")),
        (&account, ["a.example"], json!(7)),
        (&account, ["a.example"], json!([id])),
    ] {
        let Refusal::Malformed(why) = refusal(replacing(&world, who, &names, value.clone()).await) else {
            panic!("{value}")
        };
        assert!(why.contains("\"replaces\""), "{why}");
    }
    // None of them has marked anything.
    replacing(&world, &account, &["c.example", "b.example"], &*id)
        .await
        .unwrap();
}

// 9773-5-2
#[tokio::test]
async fn a_certificate_is_replaced_by_one_order_until_that_is_invalid() {
    let (world, account, _, id) = world().await;
    let first = replacing(&world, &account, &["a.example"], &*id).await.unwrap();
    assert!(is_already_replaced(
        replacing(&world, &account, &["a.example"], &*id).await
    ));

    world.http.will([Answer::Lasting("the answer is wrong")]);
    world.respond(&account, &first, 0, HTTP).await;
    assert_eq!(world.status_now(&first).await, OrderStatus::Invalid);
    let second = replacing(&world, &account, &["a.example"], &*id).await.unwrap();
    assert!(is_already_replaced(
        replacing(&world, &account, &["a.example"], &*id).await
    ));

    world.pass(DAY * 8).await;
    assert_eq!(world.status_now(&second).await, OrderStatus::Invalid);
    let third = replacing(&world, &account, &["a.example"], &*id).await.unwrap();
    world.respond(&account, &third, 0, HTTP).await;
    let csr = crate::world::csr(&["a.example"]);
    let third = world.authority.finalize(&account, third.order.id, &csr).await.unwrap();
    assert_eq!(world.status(&third), OrderStatus::Valid);
    world.pass(DAY * 8).await;
    assert!(is_already_replaced(
        replacing(&world, &account, &["a.example"], &*id).await
    ));
}

// 9773-5-2
#[tokio::test]
async fn of_two_orders_at_once_one_replaces() {
    let (world, account, _, id) = world().await;
    let other = world.second_node();
    let request = || new_order_with(&["a.example"], "replaces", &*id);
    let (one, two) = futures_util::future::join(
        world.authority.new_order(&account, request()),
        other.new_order(&account, request()),
    )
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 1));
    assert!(is_already_replaced(refused.into_iter().next().unwrap()));
}
