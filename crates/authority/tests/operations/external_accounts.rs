//! Binding accounts to keys of the operator (RFC 8555 §7.3.4).

use acme::NewAccount;
use authority::{ExternalAccounts, ExternalKey, Policy, Refusal};
use jose::{Algorithm, Jwk, SigningKey, mac_flattened};
use serde_json::Value;

use crate::world::{HOUR, NEW_ACCOUNT, World, refusal};

const SECRET: &[u8] = b"a secret of the operator's";

fn new_key() -> Jwk {
    SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone()
}

fn binding(secret: &[u8], kid: &str, url: &str, key: &Jwk) -> Value {
    mac_flattened(secret, kid, url, &serde_json::to_vec(key).unwrap())
}

fn with(binding: Value) -> NewAccount {
    NewAccount {
        external_account_binding: Some(binding),
        ..NewAccount::default()
    }
}

async fn world(external_accounts: ExternalAccounts) -> World {
    let world = World::with(Policy {
        external_accounts,
        ..Policy::default()
    })
    .await;
    world
        .authority
        .add_external_key("kid-1", &key(&world, Some(1)))
        .await
        .unwrap();
    world
}

fn key(world: &World, uses: Option<u32>) -> ExternalKey {
    ExternalKey {
        mac_key: jose::base64url::encode(SECRET),
        label: None,
        created: world.clock.now(),
        expires: None,
        uses,
        accounts: Vec::new(),
        revoked: false,
    }
}

// 8555-7.3.4-1, 8555-7.3.4-5
#[tokio::test]
async fn a_binding_is_required_verified_and_kept_as_it_was_sent() {
    let world = world(ExternalAccounts::Required).await;
    let jwk = new_key();
    let without = world
        .authority
        .new_account(jwk.clone(), NEW_ACCOUNT, NewAccount::default())
        .await;
    assert_eq!(refusal(without), Refusal::ExternalAccountRequired);
    let sent = binding(SECRET, "kid-1", NEW_ACCOUNT, &jwk);
    let (account, created) = world
        .authority
        .new_account(jwk.clone(), NEW_ACCOUNT, with(sent.clone()))
        .await
        .unwrap();
    assert!(created);
    assert_eq!(account.external_binding, Some(sent));
    // 8555-7.3.4-9
    let (again, created) = world
        .authority
        .new_account(jwk, NEW_ACCOUNT, NewAccount::default())
        .await
        .unwrap();
    assert!(!created && again.id == account.id);
}

// 8555-7.3.4-3, 8555-7.3.4-4
#[tokio::test]
async fn whatever_is_wrong_with_a_binding_makes_no_account_and_uses_nothing_up() {
    let world = world(ExternalAccounts::Optional).await;
    let jwk = new_key();
    for sent in [
        binding(b"another", "kid-1", NEW_ACCOUNT, &jwk),
        binding(SECRET, "kid-2", NEW_ACCOUNT, &jwk),
        binding(SECRET, "", NEW_ACCOUNT, &jwk),
        binding(SECRET, "kid-1", "https://ca.example/elsewhere", &jwk),
        binding(SECRET, "kid-1", NEW_ACCOUNT, &new_key()),
        mac_flattened(SECRET, "kid-1", NEW_ACCOUNT, b"{}"),
        Value::String("not a JWS".into()),
    ] {
        let outcome = world
            .authority
            .new_account(jwk.clone(), NEW_ACCOUNT, with(sent.clone()))
            .await;
        assert!(
            matches!(refusal(outcome), Refusal::Unauthorized(_) | Refusal::Malformed(_)),
            "{sent}"
        );
    }
    let keys = world.authority.external_keys().await.unwrap();
    assert_eq!(keys[0].1.accounts, Vec::<u64>::new());
    let sent = binding(SECRET, "kid-1", NEW_ACCOUNT, &jwk);
    assert!(world.authority.new_account(jwk, NEW_ACCOUNT, with(sent)).await.is_ok());
}

// 8555-7.3.4-8
#[tokio::test]
async fn of_many_accounts_at_once_a_key_binds_one() {
    let world = world(ExternalAccounts::Required).await;
    let tries = (0..8).map(|_| {
        let jwk = new_key();
        let sent = binding(SECRET, "kid-1", NEW_ACCOUNT, &jwk);
        world.authority.new_account(jwk, NEW_ACCOUNT, with(sent))
    });
    let outcomes = futures_util::future::join_all(tries).await;
    let (made, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 7));
    for outcome in refused {
        assert!(matches!(refusal(outcome), Refusal::Unauthorized(_)));
    }
    let bound = made.into_iter().next().unwrap().unwrap().0;
    assert_eq!(
        world.authority.external_keys().await.unwrap()[0].1.accounts,
        [bound.id.0]
    );
}

#[tokio::test]
async fn revoked_and_expired_keys_bind_nothing_and_others_bind_on() {
    let world = world(ExternalAccounts::Required).await;
    let many = ExternalKey {
        expires: Some(world.clock.now() + HOUR),
        ..key(&world, None)
    };
    world.authority.add_external_key("many", &many).await.unwrap();
    let taken = world.authority.add_external_key("many", &many).await;
    assert!(matches!(refusal(taken), Refusal::Malformed(_)));
    let bind = async |kid: &str| {
        let jwk = new_key();
        let sent = binding(SECRET, kid, NEW_ACCOUNT, &jwk);
        world.authority.new_account(jwk, NEW_ACCOUNT, with(sent)).await
    };
    for _ in 0..3 {
        assert!(bind("many").await.is_ok());
    }
    world.pass(HOUR).await;
    assert!(matches!(refusal(bind("many").await), Refusal::Unauthorized(_)));
    world.authority.revoke_external_key("kid-1").await.unwrap();
    assert!(matches!(refusal(bind("kid-1").await), Refusal::Unauthorized(_)));
}

// 8555-7.3.4-5
#[tokio::test]
async fn where_bindings_are_off_they_are_not_looked_at_and_not_kept() {
    let world = world(ExternalAccounts::Off).await;
    let jwk = new_key();
    let sent = binding(b"wrong", "nobody", "x", &jwk);
    let (account, _) = world.authority.new_account(jwk, NEW_ACCOUNT, with(sent)).await.unwrap();
    assert_eq!(account.external_binding, None);
}

/// INCIDENTS T43.
#[test]
fn t43_a_mac_key_is_not_in_what_is_printed_of_it() {
    let key = ExternalKey {
        mac_key: "c2VjcmV0".into(),
        label: Some("shown".into()),
        created: "2026-11-23T00:00:00Z".parse().unwrap(),
        expires: None,
        uses: Some(1),
        accounts: vec![],
        revoked: false,
    };
    let text = format!("{key:?}");
    assert!(text.contains("shown") && !text.contains("c2VjcmV0"), "{text}");
}
