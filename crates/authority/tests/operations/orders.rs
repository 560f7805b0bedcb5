//! Orders: made, read, and ending by themselves (RFC 8555 §7.4).

use acme::{Identifier, NewOrder, OrderStatus, ProblemType};
use authority::{Policy, Refusal, model::OrderId};

use crate::world::{DAY, HOUR, HTTP, World, csr, method::Answer, new_order, refusal};

// 8555-7.4-17, 8555-7.1.6-2
#[tokio::test]
async fn an_order_that_expires_is_invalid_whether_pending_or_ready() {
    let world = World::new().await;
    let account = world.account().await;
    let pending = world.order(&account, &["a.example"]).await;
    let ready = world.ready(&account, &["a.example"]).await;
    world.pass(world.policy.order_lifetime).await;
    for order in [pending, ready] {
        let order = world.reread(&order).await;
        assert_eq!(world.status(&order), OrderStatus::Invalid);
        assert!(order.error(world.clock.now()).is_some());
        let outcome = world
            .authority
            .finalize(&account, order.order.id, &csr(&["a.example"]))
            .await;
        assert!(matches!(refusal(outcome), Refusal::OrderNotReady(_)));
    }
    assert_eq!(world.store.plans(), 0);
}

// 8555-7.4-17
#[tokio::test]
async fn an_order_never_expires_later_than_an_authorization_it_needs() {
    for (order_lifetime, authorization_lifetime) in [(DAY * 7, DAY * 30), (DAY * 7, HOUR), (HOUR, HOUR)] {
        let world = World::with(Policy {
            order_lifetime,
            authorization_lifetime,
            ..Policy::default()
        })
        .await;
        let account = world.account().await;
        let order = world.order(&account, &["a.example", "b.example"]).await;
        for n in 0..2 {
            let now = world.reread(&order).await;
            assert!(
                now.authorizations.iter().all(|a| now.order.expires <= a.expires),
                "{n} answered"
            );
            world.respond(&account, &order, n, HTTP).await;
            world.pass(order_lifetime.min(authorization_lifetime) / 4).await;
        }
        let now = world.reread(&order).await;
        assert!(now.authorizations.iter().all(|a| now.order.expires <= a.expires));
    }
}

// 8555-7.1.6-2
#[tokio::test]
async fn an_invalid_authorization_makes_the_order_invalid_with_its_error() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example", "b.example"]).await;
    world.http.will([Answer::Valid, Answer::Lasting("wrong content at b")]);
    world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Pending);
    world.respond(&account, &order, 1, HTTP).await;
    let order = world.reread(&order).await;
    assert_eq!(world.status(&order), OrderStatus::Invalid);
    let error = order.error(world.clock.now()).unwrap();
    assert_eq!(
        (error.kind, error.detail.as_str()),
        (ProblemType::Unauthorized, "wrong content at b")
    );
}

// 8555-7.4-18
#[tokio::test]
async fn a_valid_order_stays_valid_when_its_time_and_its_authorizations_have_passed() {
    let world = World::new().await;
    let account = world.account().await;
    let issued = world.issue(&account, &["a.example"]).await;
    world.pass(DAY * 40).await;
    assert_eq!(world.status_now(&issued.order).await, OrderStatus::Valid);
    let (_, der) = world.certificate(&account, issued.order.order.id).await.unwrap();
    assert_eq!(der, issued.der);
}

// 8555-7.4-3
#[tokio::test]
async fn every_identifier_that_cannot_be_ordered_is_named_in_a_subproblem() {
    let world = World::new().await;
    let account = world.account().await;
    let request = NewOrder {
        identifiers: vec![
            Identifier::dns("good.example").into(),
            Identifier::dns("bad_name.example").into(),
            Identifier::new("telex", "12345").into(),
            Identifier::dns("good.example.").into(),
        ],
        ..new_order(&[])
    };
    let outcome = world.authority.new_order(&account, request).await;
    let Refusal::Identifiers(problems) = refusal(outcome) else {
        panic!("every refused identifier has a problem of its own");
    };
    let told: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem.kind.clone(),
                problem.identifier.as_ref().unwrap().value.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (ProblemType::Malformed, "bad_name.example"),
            (ProblemType::UnsupportedIdentifier, "12345"),
            (ProblemType::Malformed, "good.example."),
        ]
    );
}

// 8555-7.4-2, 8555-7.4-4
#[tokio::test]
async fn what_cannot_be_given_as_asked_is_refused() {
    let world = World::with(Policy {
        identifiers_per_order: 3,
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let dated = |not_before: Option<&str>, not_after: Option<&str>| NewOrder {
        not_before: not_before.map(str::to_owned),
        not_after: not_after.map(str::to_owned),
        ..new_order(&["a.example"])
    };
    for request in [
        new_order(&[]),
        new_order(&["a.example", "b.example", "c.example", "d.example"]),
        dated(Some("2026-02-02T00:00:00Z"), None),
        dated(None, Some("2036-03-02T00:00:00Z")),
        dated(None, Some("tomorrow")),
        dated(None, Some("2026-11-24 00:00:00Z")),
    ] {
        let outcome = world.authority.new_order(&account, request).await;
        assert!(matches!(refusal(outcome), Refusal::Malformed(_)));
    }
}

#[tokio::test]
async fn a_name_ordered_twice_in_whatever_letter_case_has_one_authorization() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world
        .order(&account, &["b.example", "A.example", "a.EXAMPLE", "b.example"])
        .await;
    let values: Vec<_> = order.order.identifiers.iter().map(|i| i.value.as_str()).collect();
    assert_eq!(values, ["b.example", "a.example"]);
    assert_eq!(order.authorizations.len(), 2);
}

#[tokio::test]
async fn somebody_elses_order_and_certificate_are_as_absent_as_none() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    let issued = world.issue(&account, &["a.example"]).await;
    let (id, never) = (issued.order.order.id, OrderId(u64::MAX >> 1));
    for (account, id) in [(&other, id), (&account, never)] {
        assert_eq!(refusal(world.authority.order(account, id).await), Refusal::NotFound);
        assert_eq!(refusal(world.certificate(account, id).await), Refusal::NotFound);
        let outcome = world.authority.finalize(account, id, &csr(&["a.example"])).await;
        assert_eq!(refusal(outcome), Refusal::NotFound);
    }
}

#[tokio::test]
async fn the_list_of_orders_leaves_out_the_invalid_and_goes_on_where_it_stopped() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    let mut expected = Vec::new();
    for n in 0..7 {
        let order = world.order(&account, &[&format!("n{n}.example")]).await;
        world.order(&other, &["other.example"]).await;
        if n % 3 == 1 {
            world.http.will([Answer::Lasting("no")]);
            world.respond(&account, &order, 0, HTTP).await;
        } else {
            expected.push(order.order.id);
        }
    }
    let (mut seen, mut after) = (Vec::new(), Some(OrderId(0)));
    while let Some(from) = after {
        let (page, next) = world.authority.orders(&account, from, 2).await.unwrap();
        seen.extend(page);
        after = next;
    }
    assert_eq!(seen, expected);
}
