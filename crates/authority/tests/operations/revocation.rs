//! revokeCert: who may, what, and with which reason (RFC 8555 §7.6).

use std::{sync::Arc, time::Duration};

use acme::{AccountUpdate, RevocationReason};
use authority::{
    Failure, Refusal,
    model::{Account, Revocation},
    operations::Requester,
    ports::Store,
};
use pkix::{
    certificate::assemble,
    key::{KeyPair, SignatureAlgorithm},
};

use crate::world::{DAY, HTTP, Issued, World, refusal};

async fn revoke(world: &World, requester: &Requester, issued: &Issued, reason: Option<u64>) -> Result<(), Failure> {
    world.authority.revoke(requester, &issued.der, reason).await
}

fn account(account: &Arc<Account>) -> Requester {
    Requester::Account(account.clone())
}

fn key(key: &KeyPair) -> Requester {
    Requester::CertificateKey(key.public_key().spki_der().to_vec())
}

async fn revocation(world: &World, issued: &Issued) -> Option<Revocation> {
    let record = world.store.certificate_by_serial(issued.record.serial.clone()).await;
    record.unwrap().unwrap().revoked
}

// 8555-7.6-1, 8555-7.6-2
#[tokio::test]
async fn the_issuing_account_and_the_certificates_key_may_revoke() {
    let world = World::new().await;
    let owner = world.account().await;
    let by_account = world.issue(&owner, &["a.example"]).await;
    let by_key = world.issue(&owner, &["a.example"]).await;
    world.pass(DAY).await;
    revoke(&world, &account(&owner), &by_account, Some(4)).await.unwrap();
    revoke(&world, &key(&by_key.key), &by_key, Some(1)).await.unwrap();
    let at = world.authority.now();
    let reason = Some(RevocationReason::Superseded);
    assert_eq!(revocation(&world, &by_account).await, Some(Revocation { at, reason }));
    let reason = Some(RevocationReason::KeyCompromise);
    assert_eq!(revocation(&world, &by_key).await, Some(Revocation { at, reason }));
}

// 8555-7.6-2: the authorizations may be gone, the account's own certificate is not.
#[tokio::test]
async fn the_issuing_account_may_revoke_when_its_authorizations_are_gone() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    world.pass(world.policy.authorization_lifetime + DAY).await;
    revoke(&world, &account(&owner), &issued, None).await.unwrap();
}

// 8555-7.3.6-5
#[tokio::test]
async fn the_certificates_key_may_revoke_after_the_account_was_deactivated() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let deactivate = AccountUpdate {
        status: Some("deactivated".into()),
        ..AccountUpdate::default()
    };
    world.authority.update_account(owner, deactivate).await.unwrap();
    revoke(&world, &key(&issued.key), &issued, None).await.unwrap();
}

// 8555-7.6-2, 8555-7.6-3
#[tokio::test]
async fn another_account_may_revoke_with_valid_authorizations_for_every_name() {
    let world = World::new().await;
    let (owner, other) = (world.account().await, world.account().await);
    let names = ["a.example", "b.example", "192.0.2.1"];
    let issued = world.issue(&owner, &names).await;
    let refused = |outcome| assert!(matches!(refusal(outcome), Refusal::Unauthorized(_)));

    refused(revoke(&world, &account(&other), &issued, None).await);
    world.ready(&other, &["a.example", "192.0.2.1"]).await;
    refused(revoke(&world, &account(&other), &issued, None).await);
    let pending = world.order(&other, &["b.example"]).await;
    refused(revoke(&world, &account(&other), &issued, None).await);
    world.respond(&other, &pending, 0, HTTP).await;
    let id = pending.order.authorizations[0];
    world.authority.deactivate_authorization(&other, id).await.unwrap();
    refused(revoke(&world, &account(&other), &issued, None).await);
    world.ready(&other, &["sub.b.example", "*.b.example"]).await;
    refused(revoke(&world, &account(&other), &issued, None).await);
    assert_eq!(revocation(&world, &issued).await, None);

    world.ready(&other, &["b.example"]).await;
    revoke(&world, &account(&other), &issued, None).await.unwrap();
}

// 8555-7.6-3
#[tokio::test]
async fn another_accounts_authorizations_count_only_while_they_are_valid() {
    let world = World::new().await;
    let (owner, other) = (world.account().await, world.account().await);
    world.ready(&other, &["a.example"]).await;
    let issued = world.issue(&owner, &["a.example"]).await;
    world.pass(world.policy.authorization_lifetime).await;
    let outcome = revoke(&world, &account(&other), &issued, None).await;
    assert!(matches!(refusal(outcome), Refusal::Unauthorized(_)));
}

// 8555-7.6-3
#[tokio::test]
async fn another_key_may_not_revoke() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let stranger = KeyPair::generate_p256();
    let account_key = Requester::CertificateKey(owner.key.to_spki_der());
    for requester in [key(&stranger), account_key] {
        let outcome = revoke(&world, &requester, &issued, None).await;
        assert!(matches!(refusal(outcome), Refusal::Unauthorized(_)));
    }
    assert_eq!(revocation(&world, &issued).await, None);
}

// 8555-7.6-4
#[tokio::test]
async fn a_wildcard_certificate_needs_a_wildcard_authorization() {
    let world = World::new().await;
    let (owner, other) = (world.account().await, world.account().await);
    let issued = world.issue(&owner, &["*.a.example"]).await;
    world
        .ready(&other, &["a.example", "www.a.example", "*.www.a.example"])
        .await;
    let outcome = revoke(&world, &account(&other), &issued, None).await;
    assert!(matches!(refusal(outcome), Refusal::Unauthorized(_)));
    world.ready(&other, &["*.a.example"]).await;
    revoke(&world, &account(&other), &issued, None).await.unwrap();
}

// 8555-7.6-6, 8555-7.6-7
#[tokio::test]
async fn reasons_are_those_that_a_subscriber_can_give() {
    let world = World::new().await;
    let owner = world.account().await;
    for code in (0..=11).chain([u64::MAX]) {
        let issued = world.issue(&owner, &["a.example"]).await;
        let outcome = revoke(&world, &account(&owner), &issued, Some(code)).await;
        match code {
            0 | 1 | 3 | 4 | 5 => {
                outcome.unwrap();
                let recorded = revocation(&world, &issued)
                    .await
                    .unwrap()
                    .reason
                    .map(RevocationReason::code);
                assert_eq!(recorded, (code != 0).then_some(code), "0 is recorded as none");
            }
            _ => {
                let Refusal::BadRevocationReason(why) = refusal(outcome) else {
                    panic!("reason {code}");
                };
                assert!(
                    ["0", "1", "3", "4", "5"].iter().all(|allowed| why.contains(allowed)),
                    "{why}"
                );
                assert_eq!(revocation(&world, &issued).await, None);
            }
        }
    }
}

// 8555-7.6-8
#[tokio::test]
async fn key_compromise_is_not_taken_from_another_account() {
    let world = World::new().await;
    let (owner, other) = (world.account().await, world.account().await);
    let issued = world.issue(&owner, &["a.example"]).await;
    world.ready(&other, &["a.example"]).await;
    let outcome = revoke(&world, &account(&other), &issued, Some(1)).await;
    assert!(matches!(refusal(outcome), Refusal::BadRevocationReason(_)));
    assert_eq!(revocation(&world, &issued).await, None);
    revoke(&world, &account(&other), &issued, Some(5)).await.unwrap();
}

// 8555-7.6-5
#[tokio::test]
async fn a_certificate_is_revoked_once() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    revoke(&world, &account(&owner), &issued, Some(4)).await.unwrap();
    let first = revocation(&world, &issued).await;
    world.pass(DAY).await;
    for (requester, reason) in [
        (account(&owner), Some(1)),
        (account(&owner), Some(4)),
        (key(&issued.key), None),
        (key(&issued.key), Some(5)),
    ] {
        let outcome = revoke(&world, &requester, &issued, reason).await;
        assert_eq!(refusal(outcome), Refusal::AlreadyRevoked);
    }
    assert_eq!(revocation(&world, &issued).await, first);
}

// 8555-7.6-5
#[tokio::test]
async fn an_expired_certificate_is_not_revoked() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let until_end = issued.record.not_after.duration_since(world.clock.now());
    let until_end: Duration = until_end.try_into().unwrap();
    world.pass(until_end + Duration::from_secs(1)).await;
    let outcome = revoke(&world, &account(&owner), &issued, None).await;
    assert!(matches!(refusal(outcome), Refusal::Malformed(why) if why.contains("expired")));
}

// 8555-7.6-10
#[tokio::test]
async fn other_bytes_than_the_issued_ones_are_no_certificate_of_ours() {
    let world = World::new().await;
    let owner = world.account().await;
    let issued = world.issue(&owner, &["a.example"]).await;
    let mut signature_changed = issued.der.clone();
    *signature_changed.last_mut().unwrap() ^= 1;
    // The holder of the serial's certificate signs something that looks like it.
    let forger = KeyPair::generate_p256();
    let tbs = &issued.record.to_be_signed;
    let forged = assemble(tbs, SignatureAlgorithm::EcdsaSha256, &forger.sign(tbs));
    for der in [&signature_changed, &forged] {
        for requester in [account(&owner), key(&issued.key)] {
            let outcome = world.authority.revoke(&requester, der, None).await;
            assert_eq!(refusal(outcome), Refusal::NotFound);
        }
    }
    for der in [&b""[..], b"\x30\x00", &issued.der[..100], tbs] {
        let outcome = world.authority.revoke(&account(&owner), der, None).await;
        assert!(matches!(refusal(outcome), Refusal::Malformed(_)));
    }
    assert_eq!(revocation(&world, &issued).await, None);
}
