//! Authorizations that cover a domain and everything below it (RFC 9444).

use std::sync::Arc;

use acme::{AuthorizationStatus, NewOrder, OrderStatus, ProblemType, RequestedIdentifier};
use authority::{
    Policy, Refusal,
    model::{Account, Authorization, ChallengeId, OrderFacts},
    operations::{Limit, Limits},
};
use serde_json::{Value, json};

use crate::world::{DAY, World, csr, identifier, method::Answer, new_order, refusal};

async fn world_with(policy: Policy) -> World {
    World::extended(policy, |registry| {
        subdomains::register(registry, |name| (name.split('.').count() > 1).then(|| name.to_owned()));
    })
    .await
}

async fn world() -> World {
    let policy = Policy {
        reuse_authorizations: DAY,
        ..Policy::default()
    };
    world_with(policy).await
}

fn requested(name: &str, member: &str, value: impl Into<Value>) -> RequestedIdentifier {
    let mut requested = RequestedIdentifier::from(identifier(name));
    requested.members.insert(member.to_owned(), value.into());
    requested
}

/// Names, each with the ancestor that the order names for it.
fn below(names: &[(&str, Option<&str>)]) -> NewOrder {
    let identifiers = names.iter().map(|(name, ancestor)| match ancestor {
        Some(ancestor) => requested(name, "ancestorDomain", *ancestor),
        None => identifier(name).into(),
    });
    NewOrder {
        identifiers: identifiers.collect(),
        ..new_order(&[])
    }
}

async fn order(world: &World, account: &Arc<Account>, names: &[(&str, Option<&str>)]) -> OrderFacts {
    world.authority.new_order(account, below(names)).await.unwrap()
}

/// The names that an order's authorizations are for.
fn authorized(order: &OrderFacts) -> Vec<&str> {
    order
        .authorizations
        .iter()
        .map(|a| a.identifier.value.as_str())
        .collect()
}

fn covers(authorization: &Authorization) -> bool {
    authorization.members.get("subdomainAuthAllowed") == Some(&json!(true))
}

/// Answers what is asked for ahead by its only challenge.
async fn ahead(world: &World, account: &Arc<Account>, requested: &RequestedIdentifier) -> Arc<Authorization> {
    let offered = world.authority.new_authorization(account, requested).await.unwrap();
    let id = ChallengeId {
        authorization: offered.id,
        index: 0,
    };
    world.authority.respond(account, id).await.unwrap()
}

async fn prove_all(world: &World, account: &Arc<Account>, order: &OrderFacts) {
    for n in 0..order.authorizations.len() {
        world.respond(account, order, n, 0).await;
    }
}

async fn finalized(world: &World, account: &Arc<Account>, order: &OrderFacts, names: &[&str]) -> OrderFacts {
    let finalized = world.authority.finalize(account, order.order.id, &csr(names)).await;
    finalized.unwrap()
}

// 9444-4.3-1, 9444-4.1-1, 9444-4.1-2
#[tokio::test]
async fn names_below_one_ancestor_share_its_authorization_and_are_what_is_issued() {
    let world = world().await;
    let account = world.account().await;
    let names = [
        "a.b.example.org",
        "c.example.org",
        "*.d.example.org",
        "example.org",
        "other.example",
    ];
    let above = Some("example.org");
    let order = order(
        &world,
        &account,
        &[
            (names[0], above),
            (names[1], above),
            (names[2], above),
            // Its authorization is there for the others' sake.
            (names[3], None),
            (names[4], None),
        ],
    )
    .await;
    assert_eq!(authorized(&order), ["example.org", "other.example"]);
    let [shared, other] = &order.authorizations[..] else {
        panic!("{order:?}")
    };
    assert!(covers(shared) && shared.wildcard);
    assert!(other.members.is_empty() && !other.wildcard);
    prove_all(&world, &account, &order).await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    let order = finalized(&world, &account, &order, &names).await;
    assert_eq!(world.status(&order), OrderStatus::Valid);
    let ordered: Vec<_> = order.order.identifiers.iter().map(|i| i.value.as_str()).collect();
    assert_eq!(ordered, names);
    // Each ordered name, and not the ancestor, is asked about CAA, with what it was proved by.
    assert_eq!(world.check.shown(), [names]);
    assert_eq!(
        world.check.methods(),
        [["dns-01", "dns-01", "dns-01", "dns-01", "http-01"]]
    );
}

// 9444-4.3-3
#[tokio::test]
async fn only_what_proves_wildcards_is_offered_for_an_ancestor() {
    let world = world().await;
    let account = world.account().await;
    let order = order(&world, &account, &[("a.example.org", Some("example.org"))]).await;
    let asked = requested("example.org", "subdomainAuthAllowed", true);
    let ahead = world.authority.new_authorization(&account, &asked).await.unwrap();
    for authorization in [&order.authorizations[0], &ahead] {
        let methods: Vec<_> = authorization.challenges.iter().map(|c| c.method.as_str()).collect();
        assert_eq!(methods, ["dns-01"]);
    }
    let refused = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example.org"]))
        .await;
    assert!(matches!(refusal(refused), Refusal::OrderNotReady(_)));
    prove_all(&world, &account, &order).await;
    // What was validated is the ancestor, for everything below it.
    assert_eq!(world.dns.seen()[0].name.identifier().value, "*.example.org");
    // 9444-4.3-3: the ancestor itself was proved, and was not ordered.
    for surplus in [
        &["example.org"][..],
        &["a.example.org", "example.org"],
        &["b.example.org"],
    ] {
        let refused = world.authority.finalize(&account, order.order.id, &csr(surplus)).await;
        assert!(matches!(refusal(refused), Refusal::BadCsr(_)), "{surplus:?}");
    }
    finalized(&world, &account, &order, &["a.example.org"]).await;
}

// 9444-4.2-1, 9444-4.1-1: RFC 9444 §5.
#[tokio::test]
async fn what_was_authorized_ahead_counts_for_everything_below_it_and_for_nothing_else() {
    let world = world().await;
    let (account, stranger) = (world.account().await, world.account().await);
    let asked = requested("example.org", "subdomainAuthAllowed", true);
    let valid = ahead(&world, &account, &asked).await;
    assert!(covers(&valid) && valid.status(world.clock.now()) == AuthorizationStatus::Valid);
    let again = world.authority.new_authorization(&account, &asked).await.unwrap();
    assert_eq!(again.id, valid.id);
    let plain = world
        .authority
        .new_authorization(&account, &identifier("example.org").into())
        .await
        .unwrap();
    assert!(plain.id != valid.id && !covers(&plain));

    for names in [
        &[("sub1.example.org", None), ("sub2.sub1.example.org", None)][..],
        &[("*.example.org", None), ("example.org", None)],
        &[("a.b.example.org", Some("example.org"))],
    ] {
        let order = order(&world, &account, names).await;
        assert_eq!(order.order.authorizations, [valid.id], "{names:?}");
        assert_eq!(world.status(&order), OrderStatus::Ready);
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        finalized(&world, &account, &order, &names).await;
    }
    // Somebody else's, another domain's, and further up than the client says it can go.
    for (account, name, ancestor) in [
        (&stranger, "sub1.example.org", None),
        (&account, "sub1.notexample.org", None),
        (&account, "a.b.example.org", Some("b.example.org")),
    ] {
        let order = order(&world, account, &[(name, ancestor)]).await;
        assert_ne!(order.order.authorizations, [valid.id], "{name}");
        assert_eq!(world.status(&order), OrderStatus::Pending);
    }
    world.pass(DAY).await;
    let late = order(&world, &account, &[("sub1.example.org", None)]).await;
    assert_eq!(authorized(&late), ["sub1.example.org"], "one that is too old");
}

// 9444-4.2-1
#[tokio::test]
async fn an_authorization_that_does_not_say_so_covers_nothing_below_it() {
    let world = world().await;
    let account = world.account().await;
    for plain in [
        identifier("example.org").into(),
        requested("example.org", "subdomainAuthAllowed", false),
        requested("192.0.2.1", "subdomainAuthAllowed", true),
    ] {
        let valid = ahead(&world, &account, &plain).await;
        assert!(valid.members.is_empty() && !valid.wildcard);
    }
    let wildcard = world.order(&account, &["*.example.org"]).await;
    prove_all(&world, &account, &wildcard).await;
    let order = order(
        &world,
        &account,
        &[("a.example.org", None), ("b.example.org", Some("example.org"))],
    )
    .await;
    assert_eq!(authorized(&order), ["example.org"]);
    assert!(covers(&order.authorizations[0]));
    assert_eq!(world.status(&order), OrderStatus::Pending);
}

// 9444-4.3-1
#[tokio::test]
async fn each_name_goes_up_to_its_own_ancestor_and_no_further() {
    let world = world().await;
    let account = world.account().await;
    let wide = ("c.b.example.org", Some("example.org"));
    let narrow = ("a.b.example.org", Some("b.example.org"));
    // What the narrow one needs counts for the wide one, in whatever sequence they come.
    for names in [[narrow, wide], [wide, narrow]] {
        let order = order(&world, &account, &names).await;
        assert_eq!(authorized(&order), ["b.example.org"], "{names:?}");
    }
    let order = order(&world, &account, &[("c.example.org", Some("example.org")), narrow]).await;
    assert_eq!(authorized(&order), ["example.org", "b.example.org"]);
    prove_all(&world, &account, &order).await;
    finalized(&world, &account, &order, &["c.example.org", "a.b.example.org"]).await;
}

// 9444-4.3-2, 9444-S-1
#[tokio::test]
async fn what_is_no_ancestor_is_refused_with_a_problem_about_its_identifier() {
    let world = world().await;
    let account = world.account().await;
    for (ancestor, kind) in [
        ("oo.example.com", ProblemType::Malformed),
        ("ooo.example.com", ProblemType::Malformed),
        ("com", ProblemType::RejectedIdentifier),
    ] {
        let request = below(&[("fine.example", None), ("ooo.example.com", Some(ancestor))]);
        let Refusal::Identifiers(problems) = refusal(world.authority.new_order(&account, request).await) else {
            panic!("{ancestor}")
        };
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert_eq!(problem.kind, kind);
        assert!(problem.detail.contains(ancestor), "{problem}");
        assert_eq!(problem.identifier, Some(identifier("ooo.example.com")));
    }
    let asked = requested("example.com", "subdomainAuthAllowed", "yes");
    let Refusal::Identifiers(problems) = refusal(world.authority.new_authorization(&account, &asked).await) else {
        panic!("it was taken")
    };
    assert_eq!(problems[0].kind, ProblemType::Malformed);
}

// 9444-4.2-1, 9444-4.3-1
#[tokio::test]
async fn where_it_is_off_the_members_are_ignored_and_what_was_authorized_does_not_count() {
    let mut world = world().await;
    let account = world.account().await;
    let asked = requested("example.org", "subdomainAuthAllowed", true);
    ahead(&world, &account, &asked).await;
    let ready = order(&world, &account, &[("a.example.org", None)]).await;
    assert_eq!(world.status(&ready), OrderStatus::Ready);
    world.extend = |_| {};
    world.restart();
    let plain = world.authority.new_authorization(&account, &asked).await.unwrap();
    assert!(!covers(&plain));
    let requested = [
        ("a.example.org", Some("example.org")),
        ("ooo.example.com", Some("oo.example.com")),
    ];
    let order = order(&world, &account, &requested).await;
    assert_eq!(authorized(&order), ["a.example.org", "ooo.example.com"]);
    let refused = world
        .authority
        .finalize(&account, ready.order.id, &csr(&["a.example.org"]))
        .await;
    let Refusal::OrderNotReady(why) = refusal(refused) else {
        panic!("it was issued")
    };
    assert!(why.contains("a.example.org"), "{why}");
}

#[tokio::test]
async fn an_order_fails_with_the_authorization_that_its_names_share() {
    let world = world_with(Policy {
        limits: Limits {
            failed_validations: Some(Limit { count: 1, period: DAY }),
            ..Limits::default()
        },
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let names = [
        ("a.example.org", Some("example.org")),
        ("b.example.org", Some("example.org")),
    ];
    let failed = order(&world, &account, &names).await;
    world.dns.will([Answer::Lasting("no record")]);
    prove_all(&world, &account, &failed).await;
    assert_eq!(world.status_now(&failed).await, OrderStatus::Invalid);
    // The limit of failures is that of what has to be proved.
    let again = world.authority.new_order(&account, below(&names)).await;
    assert!(matches!(refusal(again), Refusal::RateLimited { .. }));
    let single = order(&world, &account, &[("a.example.org", None)]).await;
    assert_eq!(world.status(&single), OrderStatus::Pending);
}

// 9444-4.1-1
#[tokio::test]
async fn a_shared_authorization_that_is_given_up_ends_every_order_that_waits_for_it() {
    let world = world().await;
    let account = world.account().await;
    let asked = requested("example.org", "subdomainAuthAllowed", true);
    let valid = ahead(&world, &account, &asked).await;
    let ready = order(&world, &account, &[("a.example.org", None), ("b.example.org", None)]).await;
    world
        .authority
        .deactivate_authorization(&account, valid.id)
        .await
        .unwrap();
    assert_eq!(world.status_now(&ready).await, OrderStatus::Invalid);
    let next = order(&world, &account, &[("a.example.org", None)]).await;
    assert_eq!(world.status(&next), OrderStatus::Pending);
}
