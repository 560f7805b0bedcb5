//! Orders that ask for dates (RFC 8555 §7.4).

use acme::NewOrder;
use authority::Refusal;
use jiff::Timestamp;

use crate::world::{DAY, HOUR, HTTP, World, csr, new_order, refusal};

fn dated(not_before: Option<Timestamp>, not_after: Option<Timestamp>) -> NewOrder {
    NewOrder {
        not_before: not_before.map(|at| at.to_string()),
        not_after: not_after.map(|at| at.to_string()),
        ..new_order(&["a.example"])
    }
}

// 8555-7.4-5
#[tokio::test]
async fn dates_with_any_offset_and_fraction_are_shown_and_certified_to_the_second() {
    let world = World::new().await;
    let account = world.account().await;
    let now = world.authority.now();
    let (from, to) = (now + HOUR, now + HOUR * 30);
    let text = |at: Timestamp| {
        at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(4)))
            .strftime("%Y-%m-%dT%H:%M:%S.25+04:00")
            .to_string()
    };
    let request = NewOrder {
        not_before: Some(text(from)),
        not_after: Some(text(to)),
        ..new_order(&["a.example"])
    };
    let order = world.authority.new_order(&account, request).await.unwrap();
    assert_eq!((order.order.not_before, order.order.not_after), (Some(from), Some(to)));
    world.respond(&account, &order, 0, HTTP).await;
    world.pass(HOUR * 2).await;
    world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await
        .unwrap();
    let (_, der) = world.certificate(&account, order.order.id).await.unwrap();
    let certificate = pkix::certificate::Certificate::parse(&der).unwrap();
    assert_eq!((certificate.not_before(), certificate.not_after()), (from, to));
}

// 8555-7.4-4
#[tokio::test]
async fn what_the_profile_would_not_give_is_refused_and_never_changed() {
    let world = World::new().await;
    let account = world.account().await;
    let now = world.authority.now();
    for (from, to) in [
        (Some(now - HOUR * 2), None),
        (Some(now + DAY * 46), None),
        (None, Some(now - HOUR)),
        (None, Some(now + DAY * 46)),
        (Some(now + HOUR), Some(now + HOUR)),
        (Some(now + HOUR * 2), Some(now + HOUR)),
        (Some(now), Some(now + DAY * 45)),
    ] {
        let outcome = world.authority.new_order(&account, dated(from, to)).await;
        assert!(matches!(refusal(outcome), Refusal::Malformed(_)), "{from:?} {to:?}");
    }
    for (from, to) in [
        (Some(now - HOUR), None),
        (None, Some(now + HOUR)),
        (Some(now), Some(now + DAY * 45 - std::time::Duration::from_secs(1))),
    ] {
        assert!(
            world.authority.new_order(&account, dated(from, to)).await.is_ok(),
            "{from:?} {to:?}"
        );
    }
}

#[tokio::test]
async fn an_order_whose_end_has_come_before_it_is_finalized_gets_no_certificate() {
    let world = World::new().await;
    let account = world.account().await;
    let to = world.authority.now() + HOUR;
    let order = world
        .authority
        .new_order(&account, dated(None, Some(to)))
        .await
        .unwrap();
    world.respond(&account, &order, 0, HTTP).await;
    world.pass(HOUR).await;
    let outcome = world
        .authority
        .finalize(&account, order.order.id, &csr(&["a.example"]))
        .await;
    assert!(matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("notAfter")));
}
