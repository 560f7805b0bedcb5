//! Issuers that are not ours: asked again and never twice, believed only as far as their answer fits.

use std::{sync::Arc, time::Duration};

use acme::{OrderStatus, ProblemType, RevocationReason};
use authority::{
    Refusal,
    operations::{Chosen, Requester},
    ports::Validity,
};
use csr_first::Matching;
use pkix::{certificate::Certificate, key::KeyPair};

use crate::world::{
    DAY, HOUR, csr, csr_of,
    legacy::{Does, Legacy},
    refusal, unavailable,
};

const NAME: &[&str] = &["a.example"];
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_certificate_that_takes_its_time_is_asked_for_until_it_is_there() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.back_end.next(Does::Later(Duration::from_secs(20)));
    legacy.back_end.next(Does::Later(HOUR));
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.pass(Duration::from_secs(20)).await;
    assert_eq!(legacy.back_end.steps(), ["submit", "issue", "issue"]);
    // It does not want to be asked again for an hour, whoever claims the work.
    for _ in 0..59 {
        legacy.world.pass(MINUTE).await;
        legacy.world.resume().await;
    }
    assert_eq!(legacy.back_end.steps().len(), 3);
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Processing);
    for _ in 0..3 {
        legacy.world.pass(MINUTE).await;
        legacy.world.resume().await;
    }
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Valid);
    let calls = legacy.back_end.calls();
    assert!(calls.iter().all(|call| call.key == calls[0].key), "{calls:?}");
}

#[tokio::test]
async fn the_certificate_on_record_is_the_one_that_came_with_its_own_number_and_chain() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;
    let (record, der) = legacy.world.certificate(&account, order.order.id).await.unwrap();
    let leaf = Certificate::parse(&der).unwrap();
    assert_eq!((&record.serial, record.not_after), (leaf.serial(), leaf.not_after()));
    let chains = legacy.world.authority.chains(&record).await.unwrap();
    assert_eq!(chains, [vec![legacy.back_end.issuing.clone()]]);
}

#[tokio::test]
async fn a_node_that_dies_while_it_asks_is_followed_by_one_that_asks_the_same() {
    let mut legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.back_end.next(Does::Hangs);
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;
    legacy.restart();
    legacy.world.pass(2 * MINUTE).await;
    legacy.world.resume().await;
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Valid);
    let calls = legacy.back_end.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1], calls[2]);
}

#[tokio::test]
async fn an_order_that_dies_between_the_back_end_and_the_store_is_abandoned_there() {
    let mut legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    legacy.back_end.next(Does::Hangs);
    let (node, request) = (legacy.world.node.clone(), csr(NAME));
    {
        let mut asked = crate::world::new_order(NAME);
        asked
            .members
            .insert("csr".into(), jose::base64url::encode(&request).into());
        let (authority, account) = (legacy.world.authority.clone(), account.clone());
        node.serve(async move { authority.new_order(&account, asked).await.map(drop) });
    }
    legacy.world.settle().await;
    assert_eq!(legacy.back_end.steps(), ["submit"]);
    legacy.restart();
    legacy.back_end.next(Does::IsAway);
    for _ in 0..13 {
        legacy.world.pass(MINUTE).await;
        legacy.world.resume().await;
    }
    assert_eq!(legacy.back_end.steps(), ["submit", "abandon", "abandon"]);
    let calls = legacy.back_end.calls();
    assert!(calls.iter().all(|call| call.key == calls[0].key));
}

#[tokio::test]
async fn a_back_end_that_refuses_the_first_csr_or_is_away_gets_no_order() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    legacy.back_end.next(Does::Refuses);
    let refused = refusal(legacy.order(&account, NAME, &csr(NAME)).await);
    assert!(
        matches!(&refused, Refusal::BadCsr(why) if why.contains("Sunday")),
        "{refused}"
    );
    legacy.back_end.next(Does::IsAway);
    assert!(unavailable(legacy.order(&account, NAME, &csr(NAME)).await).contains("mainframe"));
    for _ in 0..12 {
        legacy.world.pass(MINUTE).await;
        legacy.world.resume().await;
    }
    // Of the refused one nothing is owed; nobody knows what became of the other.
    assert_eq!(legacy.back_end.steps(), ["submit", "submit", "abandon"]);
}

#[tokio::test]
async fn an_order_that_expires_is_abandoned_once() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.order(&account, NAME, &csr(NAME)).await.unwrap();
    for _ in 0..10 {
        legacy.world.pass(DAY).await;
        legacy.world.resume().await;
    }
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Invalid);
    assert_eq!(legacy.back_end.steps(), ["submit", "abandon"]);
}

#[tokio::test]
async fn a_back_end_that_refuses_or_takes_too_long_fails_the_order() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.back_end.next(Does::Refuses);
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;
    let error = legacy
        .world
        .reread(&order)
        .await
        .error(legacy.world.clock.now())
        .unwrap();
    assert_eq!(error.kind, ProblemType::ServerInternal);
    assert!(error.detail.contains("Sunday"), "{error}");

    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.back_end.next(Does::Later(2 * DAY));
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.pass(DAY + MINUTE).await;
    legacy.world.resume().await;
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Invalid);
}

#[tokio::test]
async fn what_is_not_the_orders_certificate_is_never_published() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let back_end = &legacy.back_end;
    let key = KeyPair::generate_p256();
    let any = Validity::default();
    let certify = async |csr: &[u8]| back_end.certify(csr, any).await;
    let right = csr_of(&key, NAME);
    let mut forged = certify(&right).await;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let short = Validity {
        not_before: Some(legacy.world.clock.now()),
        not_after: Some(legacy.world.clock.now() + HOUR),
    };
    let stranger = Legacy::new(Matching::Identical).await.back_end;
    let above = || back_end.issuing.clone();
    for (what, chain) in [
        ("another key", vec![certify(&csr(NAME)).await, above()]),
        (
            "another name",
            vec![certify(&csr_of(&key, &["b.example"])).await, above()],
        ),
        (
            "a name more",
            vec![certify(&csr_of(&key, &["a.example", "b.example"])).await, above()],
        ),
        ("a signature that is none", vec![forged, above()]),
        ("no chain", vec![certify(&right).await]),
        (
            "an issuer that is not its issuer",
            vec![certify(&right).await, stranger.issuing.clone()],
        ),
        (
            "another root's",
            vec![stranger.certify(&right, any).await, stranger.issuing.clone()],
        ),
        ("a CA certificate", vec![above(), back_end.root.clone()]),
        ("nothing", Vec::new()),
        ("no certificate", vec![b"hello".to_vec()]),
    ] {
        let order = legacy.ready(&account, NAME, &right).await;
        back_end.next(Does::Returns(chain));
        legacy.finalize(&account, &order).await.unwrap();
        legacy.world.settle().await;
        let facts = legacy.world.reread(&order).await;
        assert_eq!(legacy.world.status(&facts), OrderStatus::Invalid, "{what}");
        let error = facts.error(legacy.world.clock.now()).unwrap();
        assert_eq!(error.kind, ProblemType::ServerInternal, "{what}");
        assert!(
            legacy.world.certificate(&account, order.order.id).await.is_err(),
            "{what}"
        );
    }
    // Sound, and valid no more when it comes.
    let expired = vec![back_end.certify(&right, short).await, above()];
    let order = legacy.ready(&account, NAME, &right).await;
    legacy.world.pass(2 * HOUR).await;
    back_end.next(Does::Returns(expired));
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Invalid);
}

#[tokio::test]
async fn a_certificate_that_another_order_has_is_not_published_twice() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let csr = csr(NAME);
    let first = legacy.ready(&account, NAME, &csr).await;
    legacy.finalize(&account, &first).await.unwrap();
    legacy.world.settle().await;
    let (_, der) = legacy.world.certificate(&account, first.order.id).await.unwrap();
    let second = legacy.ready(&account, NAME, &csr).await;
    legacy
        .back_end
        .next(Does::Returns(vec![der, legacy.back_end.issuing.clone()]));
    legacy.finalize(&account, &second).await.unwrap();
    legacy.world.settle().await;
    assert_eq!(legacy.world.status_now(&second).await, OrderStatus::Invalid);
    assert_eq!(legacy.world.status_now(&first).await, OrderStatus::Valid);
}

#[tokio::test]
async fn an_ordinary_directory_may_have_such_an_issuer_too() {
    let legacy = Legacy::with(None).await;
    let account = legacy.world.account().await;
    let order = legacy.world.ready(&account, NAME).await;
    legacy
        .world
        .authority
        .finalize(&account, order.order.id, &csr(NAME))
        .await
        .unwrap();
    legacy.world.settle().await;
    assert_eq!(legacy.world.status_now(&order).await, OrderStatus::Valid);
    assert_eq!(legacy.back_end.steps(), ["issue"]);
}

#[tokio::test]
async fn a_revocation_is_on_record_when_whoever_issued_has_taken_it() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;
    let (_, der) = legacy.world.certificate(&account, order.order.id).await.unwrap();
    let requester = Requester::Account(account.clone());
    legacy.back_end.next(Does::IsAway);
    unavailable(legacy.world.authority.revoke(&requester, &der, None).await);
    let (record, _) = legacy.world.certificate(&account, order.order.id).await.unwrap();
    assert_eq!(record.revoked, None);
    legacy.world.authority.revoke(&requester, &der, None).await.unwrap();
    let (record, _) = legacy.world.certificate(&account, order.order.id).await.unwrap();
    assert!(record.revoked.is_some());
    assert_eq!(legacy.back_end.steps(), ["submit", "issue", "revoke", "revoke"]);
}

// T28
#[tokio::test]
async fn what_is_revoked_while_it_is_made_is_revoked_where_it_was_made() {
    let legacy = Legacy::new(Matching::Identical).await;
    let account = legacy.world.account().await;
    let order = legacy.ready(&account, NAME, &csr(NAME)).await;
    let goes_on = Arc::new(tokio::sync::Notify::new());
    legacy.back_end.next(Does::Waits(goes_on.clone()));
    legacy.finalize(&account, &order).await.unwrap();
    legacy.world.settle().await;

    let everything = Chosen::Account(account.id);
    let reason = Some(RevocationReason::KeyCompromise);
    let revoked = legacy
        .world
        .authority
        .revoke_chosen(&everything, reason, false)
        .await
        .unwrap();
    assert_eq!(revoked.len(), 1);
    goes_on.notify_one();
    legacy.world.settle().await;
    assert_eq!(
        legacy.back_end.steps().last(),
        Some(&"revoke"),
        "{:?}",
        legacy.back_end.steps()
    );
    assert_ne!(legacy.world.status_now(&order).await, OrderStatus::Valid);
}
