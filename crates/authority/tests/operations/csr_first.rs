//! Orders that bring their CSR (LCSR-3 to LCSR-10), with an issuer that begins with it.

use acme::OrderStatus;
use authority::{Policy, Refusal, model::OrderId};
use csr_first::Matching;
use pkix::{csr::CertificateRequest, key::KeyPair};

use crate::world::{DAY, World, csr, csr_of, legacy::Legacy, new_order, refusal};

const NAME: &[&str] = &["a.example"];

// LCSR-3
#[tokio::test]
async fn an_order_without_its_csr_is_refused_and_not_made() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let outcome = legacy.world.authority.new_order(&account, new_order(NAME)).await;
    let Refusal::Problem(problem) = refusal(outcome) else {
        panic!("another refusal")
    };
    assert_eq!(problem.kind.to_string(), "https://ca.example/errors/csrRequired");
    assert!(orders(&legacy, &account).await.is_empty());
    assert!(legacy.back_end.calls().is_empty());
}

// LCSR-4
#[tokio::test]
async fn the_first_csr_must_name_what_the_order_names_and_be_sound() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let mut forged = csr(NAME);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let weak = include_bytes!("weak_keys/roca.csr");
    for (what, names, csr) in [
        ("a name more", &["a.example"][..], csr(&["a.example", "b.example"])),
        ("a name less", &["a.example", "b.example"], csr(NAME)),
        ("another name", NAME, csr(&["b.example"])),
        ("a broken signature", NAME, forged),
        ("a weak key", NAME, weak.to_vec()),
        ("no CSR", NAME, b"hello".to_vec()),
    ] {
        let outcome = legacy.order(&account, names, &csr).await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(_)), "{what}");
    }
    assert!(orders(&legacy, &account).await.is_empty());
    assert!(legacy.back_end.calls().is_empty());
}

// LCSR-5
#[tokio::test]
async fn the_order_shows_the_csr_and_the_back_end_knew_it_before_there_was_an_order() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let csr = csr(NAME);
    let order = legacy.order(&account, NAME, &csr).await.unwrap();
    assert_eq!(order.order.members["csr"], jose::base64url::encode(&csr));
    let calls = legacy.back_end.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].step, "submit");
    assert_eq!(
        calls[0].csr_sha256,
        Some(CertificateRequest::parse(&csr).unwrap().sha256())
    );
}

// LCSR-6
#[tokio::test]
async fn finalize_takes_the_csr_of_the_order_and_no_other_and_need_not_repeat_it() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let key = KeyPair::generate_p256();
    for again in [false, true] {
        let first = csr_of(&key, NAME);
        let order = legacy.ready(&account, NAME, &first).await;
        // The same key and names, signed once more: other octets.
        let outcome = legacy
            .world
            .authority
            .finalize(&account, order.order.id, &csr_of(&key, NAME))
            .await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(_)));
        assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Ready);
        let facts = match again {
            true => legacy.world.authority.finalize(&account, order.order.id, &first).await,
            false => legacy.finalize(&account, &order).await,
        };
        assert_eq!(legacy.world.status(&facts.unwrap()), OrderStatus::Processing);
        legacy.world.settle().await;
        assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Valid);
        let again = legacy.finalize(&account, &order).await.unwrap();
        assert_eq!(legacy.world.status(&again), OrderStatus::Valid);
    }
    let sent: Vec<_> = legacy.back_end.calls().iter().map(|call| call.csr_sha256).collect();
    assert_eq!((sent[0], sent[2]), (sent[1], sent[3]));
}

#[tokio::test]
async fn where_only_the_names_bind_another_csr_for_them_is_issued_from() {
    let legacy = Legacy::new(Matching::Identifiers).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    assert!(matches!(
        refusal(legacy.finalize(&account, &order).await),
        Refusal::Malformed(_)
    ));
    let other_names = csr(&["b.example"]);
    let outcome = legacy
        .world
        .authority
        .finalize(&account, order.order.id, &other_names)
        .await;
    assert!(matches!(refusal(outcome), Refusal::BadCsr(_)));
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Ready);

    let key = KeyPair::generate_p256();
    let second = csr_of(&key, NAME);
    legacy
        .world
        .authority
        .finalize(&account, order.order.id, &second)
        .await
        .unwrap();
    legacy.world.settle().await;
    let (_, der) = legacy.world.certificate(&account, order.order.id).await.unwrap();
    let leaf = pkix::certificate::Certificate::parse(&der).unwrap();
    assert_eq!(leaf.spki_der(), key.public_key().spki_der());
}

// LCSR-7
#[tokio::test]
async fn what_was_true_of_the_first_csr_counts_for_nothing_at_finalize() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let key = KeyPair::generate_p256();
    let order = legacy.ready(&account, NAME, &csr_of(&key, NAME)).await;
    let stricter = legacy.node_with(Policy {
        blocked_keys: [key.public_key().fingerprint()].into(),
        ..legacy.world.policy.clone()
    });
    let outcome = stricter.finalize_as_ordered(&account, order.order.id).await;
    assert!(matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("compromised")));
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Ready);
    assert_eq!(legacy.back_end.steps(), ["submit"]);
}

// LCSR-8
#[tokio::test]
async fn nothing_is_issued_before_finalize() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    for _ in 0..3 {
        legacy.world.pass(DAY).await;
        legacy.world.resume().await;
    }
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Ready);
    assert_eq!(legacy.back_end.steps(), ["submit"]);
}

// LCSR-10
#[tokio::test]
async fn where_nobody_asked_for_it_a_csr_is_ignored_and_not_shown() {
    let world = World::new().await;
    let account = world.account().await;
    let mut request = new_order(NAME);
    request.members.insert("csr".to_owned(), "not even base64!".into());
    let order = world.authority.new_order(&account, request).await.unwrap();
    assert!(!order.order.members.contains_key("csr"));
    assert_eq!(order.order.csr, None);
}

async fn orders(legacy: &Legacy, account: &authority::model::Account) -> Vec<OrderId> {
    legacy.world.authority.orders(account, OrderId(0), 10).await.unwrap().0
}
