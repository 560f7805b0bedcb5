//! Keys that get neither account nor certificate (8555-7.4-9, INCIDENTS T25).

use acme::{AccountUpdate, NewAccount, OrderStatus};
use authority::{Policy, Refusal};
use jose::{Algorithm, Jwk, SigningKey};
use pkix::{csr::CertificateRequest, key::KeyPair};

use crate::world::{NEW_ACCOUNT, World, csr_of, refusal};

/// Requests for `a.example`, made for this test with keys of 2048 bits; the key of the sound one has nothing wrong.
const WEAK: [(&str, &[u8]); 3] = [
    ("close primes", include_bytes!("weak_keys/close_primes.csr")),
    ("exponent 3", include_bytes!("weak_keys/exponent_3.csr")),
    (
        "primes of the form k·M + (65537^a mod M)",
        include_bytes!("weak_keys/roca.csr"),
    ),
];
const SOUND: &[u8] = include_bytes!("weak_keys/sound.csr");

fn spki(csr: &[u8]) -> Vec<u8> {
    CertificateRequest::parse(csr).unwrap().public_key().spki_der().to_vec()
}

// T25, 8555-7.4-7
#[tokio::test]
async fn t25_a_weak_key_gets_no_certificate() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    for (what, csr) in WEAK {
        let outcome = world.authority.finalize(&account, order.order.id, csr).await;
        assert!(
            matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("weak")),
            "{what}"
        );
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    }
    assert_eq!(world.issuance.asked().len(), 0);
    let facts = world.authority.finalize(&account, order.order.id, SOUND).await.unwrap();
    assert_eq!(world.status(&facts), OrderStatus::Valid);
}

// T25
#[tokio::test]
async fn t25_a_weak_key_gets_no_account() {
    let world = World::new().await;
    let mut asked = 0;
    for (what, csr) in WEAK {
        // What is not even a key to sign requests with does not come this far.
        let Ok(key) = Jwk::from_spki_der(&spki(csr)) else {
            continue;
        };
        let outcome = world
            .authority
            .new_account(key, NEW_ACCOUNT, NewAccount::default())
            .await;
        assert!(
            matches!(refusal(outcome), Refusal::BadPublicKey(why) if why.contains("weak")),
            "{what}"
        );
        asked += 1;
    }
    assert!(asked >= 2);
    let sound = Jwk::from_spki_der(&spki(SOUND)).unwrap();
    world
        .authority
        .new_account(sound, NEW_ACCOUNT, NewAccount::default())
        .await
        .unwrap();
}

// T25
#[tokio::test]
async fn t25_a_blocked_key_gets_neither_account_nor_certificate() {
    let keys = [
        KeyPair::generate_p256(),
        KeyPair::generate_p384(),
        KeyPair::generate_ed25519(),
        KeyPair::generate_rsa2048(),
    ];
    let world = World::with(Policy {
        blocked_keys: keys.iter().map(|key| key.public_key().fingerprint()).collect(),
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    for key in &keys {
        let outcome = world
            .authority
            .finalize(&account, order.order.id, &csr_of(key, &["a.example"]))
            .await;
        assert!(matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("compromised")));
        let jwk = Jwk::from_spki_der(key.public_key().spki_der()).unwrap();
        let outcome = world
            .authority
            .new_account(jwk, NEW_ACCOUNT, NewAccount::default())
            .await;
        assert!(matches!(refusal(outcome), Refusal::BadPublicKey(why) if why.contains("compromised")));
    }
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

// T25, 8555-7.4-9
#[tokio::test]
async fn t25_an_account_key_gets_no_certificate_whosever_it_is() {
    let world = World::new().await;
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Rs256] {
        let new_account = async || {
            let key = SigningKey::generate(algorithm).unwrap();
            let made = world
                .authority
                .new_account(key.jwk().clone(), NEW_ACCOUNT, NewAccount::default());
            let (account, _) = made.await.unwrap();
            (account, KeyPair::from_pkcs8_der(&key.to_pkcs8_der()).unwrap())
        };
        let ((account, own), (other, others), (gone, gones)) =
            (new_account().await, new_account().await, new_account().await);
        assert_ne!(account.id, other.id);
        let deactivate = AccountUpdate {
            status: Some("deactivated".into()),
            ..AccountUpdate::default()
        };
        world.authority.update_account(gone, deactivate).await.unwrap();
        let order = world.ready(&account, &["a.example"]).await;
        for key in [own, others, gones] {
            let outcome = world
                .authority
                .finalize(&account, order.order.id, &csr_of(&key, &["a.example"]))
                .await;
            assert!(matches!(refusal(outcome), Refusal::BadCsr(why) if why.contains("account key")));
        }
        assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    }
    assert_eq!((world.store.plans(), world.issuance.asked().len()), (0, 0));
}
