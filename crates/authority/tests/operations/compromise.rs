//! What follows when a key is reported as compromised (INCIDENTS T28).

use std::{sync::Arc, time::Duration};

use acme::{NewAccount, OrderStatus, RevocationReason};
use authority::{
    Failure, Refusal,
    model::{Account, AccountState, CertificateState, Revocation},
    operations::Requester,
    ports::{Store, Subject},
};
use jose::Jwk;
use pkix::{certificate::assemble, key::KeyPair};

use crate::world::{DAY, Issued, NEW_ACCOUNT, World, csr_of, issuing::Signing, refusal};

const COMPROMISE: Option<u64> = Some(1);

async fn revoke(world: &World, requester: &Requester, issued: &Issued, reason: Option<u64>) -> Result<(), Failure> {
    world.authority.revoke(requester, &issued.der, reason).await
}

fn by_key(key: &KeyPair) -> Requester {
    Requester::CertificateKey(key.public_key().spki_der().to_vec())
}

fn by(account: &Arc<Account>) -> Requester {
    Requester::Account(account.clone())
}

fn copy(key: &KeyPair) -> KeyPair {
    KeyPair::from_pkcs8_der(&key.to_pkcs8_der()).unwrap()
}

fn jwk(key: &KeyPair) -> Jwk {
    Jwk::from_spki_der(key.public_key().spki_der()).unwrap()
}

async fn revocation(world: &World, issued: &Issued) -> Option<Revocation> {
    let record = world.store.certificate_by_serial(issued.record.serial.clone()).await;
    record.unwrap().unwrap().revoked
}

async fn reason(world: &World, issued: &Issued) -> Option<RevocationReason> {
    revocation(world, issued).await.unwrap().reason
}

// T28, T25
#[tokio::test]
async fn t28_a_compromised_key_gets_neither_certificate_nor_account_any_more() {
    let world = World::new().await;
    let owner = world.account().await;
    for proved_by_the_key in [true, false] {
        let issued = world.issue(&owner, &["a.example"]).await;
        let requester = if proved_by_the_key {
            by_key(&issued.key)
        } else {
            by(&owner)
        };
        revoke(&world, &requester, &issued, COMPROMISE).await.unwrap();
        assert!(world.told.take().contains(&Subject::Revocations));

        let order = world.ready(&owner, &["a.example"]).await;
        let csr = csr_of(&issued.key, &["a.example"]);
        let outcome = world.authority.finalize(&owner, order.order.id, &csr).await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("compromised")));
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
        let outcome = world
            .authority
            .new_account(jwk(&issued.key), NEW_ACCOUNT, NewAccount::default())
            .await;
        assert!(matches!(refusal(outcome), Refusal::BadPublicKey(why) if why.contains("compromised")));
        let outcome = world.authority.change_key(owner.clone(), jwk(&issued.key)).await;
        assert!(matches!(refusal(outcome), Refusal::BadPublicKey(why) if why.contains("compromised")));
    }
}

// T28
#[tokio::test]
async fn t28_another_reason_blocks_nothing() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    revoke(&world, &by_key(&issued.key), &issued, Some(4)).await.unwrap();
    world.authority.revoke_compromised().await.unwrap();
    world.issue_for(&owner, &["a.example"], copy(&issued.key)).await;
}

// T28
#[tokio::test]
async fn t28_every_other_certificate_of_the_key_is_revoked_whosever_it_is() {
    let world = World::new().await;
    let (owner, other) = (world.account().await, world.account().await);
    let first = world.issue(&owner, &["a.example"]).await;
    let same_owner = world.issue_for(&owner, &["b.example"], copy(&first.key)).await;
    let another_owner = world.issue_for(&other, &["c.example"], copy(&first.key)).await;
    let superseded = world.issue_for(&owner, &["d.example"], copy(&first.key)).await;
    let unrelated = world.issue(&owner, &["e.example"]).await;
    revoke(&world, &by(&owner), &superseded, Some(4)).await.unwrap();
    world.pass(DAY).await;

    revoke(&world, &by_key(&first.key), &first, COMPROMISE).await.unwrap();
    world.authority.revoke_compromised().await.unwrap();
    for issued in [&first, &same_owner, &another_owner] {
        let at = world.authority.now();
        let reason = Some(RevocationReason::KeyCompromise);
        assert_eq!(revocation(&world, issued).await, Some(Revocation { at, reason }));
    }
    assert_eq!(reason(&world, &superseded).await, Some(RevocationReason::Superseded));
    assert_eq!(revocation(&world, &unrelated).await, None);
    // Nothing is left to do.
    let due = world.store.due_records("blocked-key", world.authority.now(), 10).await;
    assert_eq!(due.unwrap(), []);
}

// T28: the search is due until it was done, also by another node after a crash.
#[tokio::test]
async fn t28_a_crash_after_the_report_forgets_none_of_the_others() {
    let mut world = World::new().await;
    let owner = world.account().await;
    let first = world.issue(&owner, &["a.example"]).await;
    let second = world.issue_for(&owner, &["b.example"], copy(&first.key)).await;
    revoke(&world, &by_key(&first.key), &first, COMPROMISE).await.unwrap();
    world.restart();
    world.authority.revoke_compromised().await.unwrap();
    assert_eq!(reason(&world, &second).await, Some(RevocationReason::KeyCompromise));
}

// T28, T25
#[tokio::test]
async fn t28_an_account_with_the_key_is_over() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let account = world
        .authority
        .new_account(jwk(&issued.key), NEW_ACCOUNT, NewAccount::default())
        .await;
    let (account, _) = account.unwrap();
    revoke(&world, &by_key(&issued.key), &issued, COMPROMISE).await.unwrap();
    world.authority.revoke_compromised().await.unwrap();
    let account = world.authority.account(account.id).await.unwrap();
    assert_eq!(account.state, AccountState::Revoked);
    assert_eq!(account.require_active(), Err(Refusal::AccountInactive));
    let again = world
        .authority
        .new_account(jwk(&issued.key), NEW_ACCOUNT, NewAccount::default())
        .await;
    assert_eq!(refusal(again), Refusal::AccountInactive);
}

// T28: the matrix of a second revocation.
#[tokio::test]
async fn t28_a_reason_moves_to_key_compromise_when_the_key_says_so_and_nowhere_else() {
    let world = World::new().await;
    let owner = world.account().await;
    for first in [None, Some(3), Some(4), Some(5)] {
        let issued = world.issue(&owner, &["a.example"]).await;
        revoke(&world, &by(&owner), &issued, first).await.unwrap();
        let before = revocation(&world, &issued).await.unwrap();
        world.pass(DAY).await;
        for (requester, second) in [
            (by(&owner), COMPROMISE),
            (by(&owner), Some(5)),
            (by_key(&issued.key), None),
            (by_key(&issued.key), Some(0)),
            (by_key(&issued.key), Some(3)),
        ] {
            let outcome = revoke(&world, &requester, &issued, second).await;
            assert_eq!(refusal(outcome), Refusal::AlreadyRevoked, "{first:?} to {second:?}");
        }
        assert_eq!(revocation(&world, &issued).await, Some(before));

        revoke(&world, &by_key(&issued.key), &issued, COMPROMISE).await.unwrap();
        let moved = Revocation {
            reason: Some(RevocationReason::KeyCompromise),
            ..before
        };
        assert_eq!(
            revocation(&world, &issued).await,
            Some(moved),
            "since when it is revoked stays"
        );
        assert!(
            world
                .authority
                .is_blocked(&issued.key.public_key().fingerprint())
                .await
                .unwrap()
        );
        for requester in [by(&owner), by_key(&issued.key)] {
            let outcome = revoke(&world, &requester, &issued, COMPROMISE).await;
            assert_eq!(refusal(outcome), Refusal::AlreadyRevoked);
        }
    }
}

// T28
#[tokio::test]
async fn t28_a_second_certificate_of_a_blocked_key_may_be_reported_too() {
    let world = World::new().await;
    let owner = world.account().await;
    let first = world.issue(&owner, &["a.example"]).await;
    let second = world.issue_for(&owner, &["b.example"], copy(&first.key)).await;
    for issued in [&first, &second] {
        revoke(&world, &by_key(&first.key), issued, COMPROMISE).await.unwrap();
        assert_eq!(reason(&world, issued).await, Some(RevocationReason::KeyCompromise));
    }
}

// T28: what was planned for the key is revoked and never signed.
#[tokio::test]
async fn t28_a_plan_for_a_compromised_key_is_abandoned_and_revoked() {
    let world = World::new().await;
    let owner = world.account().await;
    let first = world.issue(&owner, &["a.example"]).await;
    let order = world.ready(&owner, &["b.example"]).await;
    world.issuance.signing(Signing::FailsOnce);
    let csr = csr_of(&first.key, &["b.example"]);
    let facts = world.authority.finalize(&owner, order.order.id, &csr).await.unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Processing);

    let asked = world.issuance.asked().len();
    revoke(&world, &by_key(&first.key), &first, COMPROMISE).await.unwrap();
    world.authority.revoke_compromised().await.unwrap();
    world.pass(world.policy.lease + Duration::from_secs(1)).await;
    assert_eq!(world.resume().await, 1);
    assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
    assert_eq!(world.issuance.asked().len(), asked, "nobody was asked to sign it");
    let record = world.reread(&order).await.certificate.unwrap();
    assert_eq!(record.state, CertificateState::Abandoned);
    assert_eq!(record.revoked.unwrap().reason, Some(RevocationReason::KeyCompromise));
}

// RFC 5280 §3.3: whatever may have been signed can be revoked.
#[tokio::test]
async fn what_was_signed_but_never_recorded_can_be_revoked_by_whoever_holds_it() {
    let world = World::new().await;
    let owner = world.account().await;
    let order = world.ready(&owner, &["a.example"]).await;
    let key = KeyPair::generate_p256();
    world.issuance.signing(Signing::Fails);
    let csr = csr_of(&key, &["a.example"]);
    let facts = world.authority.finalize(&owner, order.order.id, &csr).await.unwrap();
    let record = facts.certificate.unwrap();
    // The signature is made and gets out; of this the store learns nothing.
    world.issuance.signing(Signing::Works);
    let signed = authority::ports::Issuance::sign(&*world.issuance, &record, world.clock.now()).await;
    let signed = signed.unwrap();
    world.pass(world.policy.issuance_limit + DAY).await;
    world.resume().await;
    let record = world.reread(&order).await.certificate.unwrap();
    assert_eq!(record.state, CertificateState::Abandoned);

    let forger = KeyPair::generate_p256();
    let tbs = &record.to_be_signed;
    let forged = assemble(tbs, forger.algorithm(), &forger.sign(tbs));
    let outcome = world.authority.revoke(&by_key(&key), &forged, None).await;
    assert_eq!(refusal(outcome), Refusal::NotFound);
    world.authority.revoke(&by_key(&key), &signed, None).await.unwrap();
    let record = world.reread(&order).await.certificate.unwrap();
    assert!(record.revoked.is_some());
}
