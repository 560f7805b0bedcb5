//! Finalizing: from a CSR to a certificate, and every way not to (RFC 8555 §7.4).

use acme::{OrderStatus, ProblemType};
use authority::{Refusal, ports::IssuanceFailure};
use pkix::{
    certificate::Certificate,
    csr::{RequestedExtension, build_csr_with_extensions},
    extension,
    key::KeyPair,
};

use crate::world::{HTTP, World, csr, csr_of, general_name, issuing::Signing, refusal, unavailable};

// 8555-7.4-11
#[tokio::test]
async fn a_ready_order_becomes_a_certificate_in_one_request() {
    let world = World::new().await;
    let account = world.account().await;
    let names = ["a.example", "*.b.example", "192.0.2.7"];
    let issued = world.issue(&account, &names).await;
    let certificate = issued.certificate();
    assert_eq!(certificate.names(), names.map(general_name));
    assert_eq!(certificate.spki_der(), issued.key.public_key().spki_der());
    assert_eq!(*certificate.serial(), issued.record.serial);
    assert_eq!(certificate.tbs_der(), issued.record.to_be_signed);
    assert_eq!(world.issuance.signed().len(), 1);
}

// 8555-7.4-6
#[tokio::test]
async fn an_order_that_is_not_ready_names_the_identifiers_that_are_open() {
    let world = World::new().await;
    let account = world.account().await;
    let names = ["a.example", "b.example", "c.example"];
    let order = world.order(&account, &names).await;
    world.respond(&account, &order, 1, HTTP).await;
    let outcome = world.authority.finalize(&account, order.order.id, &csr(&names)).await;
    let Refusal::OrderNotReady(why) = refusal(outcome) else {
        panic!("an order that is pending is not ready");
    };
    assert!(why.contains("a.example") && why.contains("c.example"), "{why}");
    assert!(!why.contains("b.example"), "{why}");
}

// 8555-7.4-6, 8555-7.4-13
#[tokio::test]
async fn the_same_csr_again_gets_the_order_and_another_is_refused() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let id = order.order.id;
    let (first, second) = (csr(&["a.example"]), csr(&["a.example"]));
    world.issuance.signing(Signing::FailsOnce);
    for (expected, passes) in [(OrderStatus::Processing, false), (OrderStatus::Valid, true)] {
        if passes {
            world.pass(world.policy.lease).await;
            assert_eq!(world.resume().await, 1);
        }
        for _ in 0..2 {
            let seen = world.authority.finalize(&account, id, &first).await.unwrap();
            assert_eq!(world.status(&seen), expected);
            let outcome = world.authority.finalize(&account, id, &second).await;
            assert!(matches!(refusal(outcome), Refusal::OrderNotReady(why) if why.contains("another CSR")));
        }
    }
    assert_eq!((world.store.plans(), world.issuance.signed().len()), (1, 1));
}

// 8555-7.4-7, 8555-7.4-15
#[tokio::test]
async fn a_refused_plan_leaves_the_order_ready_and_nothing_stored() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let csr = csr(&["a.example"]);
    let refuse = |failure| *world.issuance.refuse_to_prepare.lock().unwrap() = failure;

    refuse(Some(|| IssuanceFailure::Refused("the lint found something".into())));
    let outcome = world.authority.finalize(&account, order.order.id, &csr).await;
    assert_eq!(refusal(outcome), Refusal::BadCsr("the lint found something".into()));
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);

    refuse(Some(|| IssuanceFailure::Unavailable("the issuer ends too soon".into())));
    unavailable(world.authority.finalize(&account, order.order.id, &csr).await);
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    assert!(world.reread(&order).await.certificate.is_none());
    assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));

    refuse(None);
    let facts = world.authority.finalize(&account, order.order.id, &csr).await.unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
}

// 8555-7.4-15
#[tokio::test]
async fn a_check_that_says_no_leaves_the_order_ready_with_its_problem() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let csr = csr(&["a.example"]);
    *world.check.forbidden.lock().unwrap() = Some("a.example".into());
    let outcome = world.authority.finalize(&account, order.order.id, &csr).await;
    let Refusal::PreIssuance(problem) = refusal(outcome) else {
        panic!("the check's own problem");
    };
    assert_eq!(problem.kind, ProblemType::Caa);
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));

    *world.check.forbidden.lock().unwrap() = None;
    let facts = world.authority.finalize(&account, order.order.id, &csr).await.unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
}

// T1
#[tokio::test]
async fn t1_every_name_is_checked_once_and_any_one_of_them_can_forbid() {
    let all = ["n0.example", "*.n1.example", "n2.example", "192.0.2.3", "n4.example"];
    for count in 3..=all.len() {
        let names = &all[..count];
        for forbidden in names {
            let world = World::new().await;
            let account = world.account().await;
            let order = world.ready(&account, names).await;
            *world.check.forbidden.lock().unwrap() = Some((*forbidden).into());
            let outcome = world.authority.finalize(&account, order.order.id, &csr(names)).await;
            let Refusal::PreIssuance(problem) = refusal(outcome) else {
                panic!("{forbidden} of {count} was not checked");
            };
            assert!(problem.detail.contains(forbidden), "{problem}");
            assert_eq!(world.check.shown(), [names]);
            assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));
        }
    }
}

// 8555-7.4-7
#[tokio::test]
async fn a_csr_that_cannot_be_trusted_is_refused_and_a_good_one_then_succeeds() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let good = csr(&["a.example"]);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut trailing = good.clone();
    trailing.push(0);
    for bad in [&b""[..], b"\x30\x00", &good[..good.len() - 1], &trailing, &forged] {
        let outcome = world.authority.finalize(&account, order.order.id, bad).await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(_)));
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    }
    let facts = world.authority.finalize(&account, order.order.id, &good).await.unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
}

// 8555-7.4-10
#[tokio::test]
async fn a_csr_gives_its_key_and_names_and_nothing_else() {
    let world = World::new().await;
    let account = world.account().await;
    let key = KeyPair::generate_p256();
    let with = |extension: RequestedExtension| {
        build_csr_with_extensions(&key, None, &[general_name("a.example")], &[extension]).unwrap()
    };
    let order = world.ready(&account, &["a.example"]).await;
    for authority in [
        extension::basic_constraints(true, None),
        extension::key_usage(extension::KeyUsage::KEY_CERT_SIGN),
    ] {
        let outcome = world
            .authority
            .finalize(&account, order.order.id, &with(authority))
            .await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(_)));
    }
    let plain = world.issue(&account, &["a.example"]).await;
    for harmless in [
        extension::basic_constraints(false, None),
        extension::extended_key_usage(&[pkix::oid::CLIENT_AUTH]),
        extension::no_rev_avail(),
    ] {
        let order = world.ready(&account, &["a.example"]).await;
        world
            .authority
            .finalize(&account, order.order.id, &with(harmless))
            .await
            .unwrap();
        let (_, der) = world.certificate(&account, order.order.id).await.unwrap();
        let oids = |certificate: &Certificate| -> Vec<_> {
            certificate.extensions().iter().map(|extension| extension.oid).collect()
        };
        assert_eq!(oids(&Certificate::parse(&der).unwrap()), oids(&plain.certificate()));
    }
}

#[tokio::test]
async fn a_subscriber_may_use_its_certificate_key_again() {
    let world = World::new().await;
    let account = world.account().await;
    let first = world.issue(&account, &["a.example"]).await;
    let order = world.ready(&account, &["a.example"]).await;
    let again = csr_of(&first.key, &["a.example"]);
    let facts = world
        .authority
        .finalize(&account, order.order.id, &again)
        .await
        .unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
    assert_ne!(facts.certificate.unwrap().serial, first.record.serial);
}
