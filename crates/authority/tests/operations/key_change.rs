//! Account key rollover (RFC 8555 §7.3.5).

use authority::{Refusal, model::AccountState};
use jose::{Algorithm, Jwk, SigningKey};
use pkix::key::KeyPair;

use crate::world::{HTTP, NEW_ACCOUNT, World, challenge, csr_of, method::Answer, refusal};

fn new_key() -> Jwk {
    SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone()
}

// 8555-7.3.5-1, 8555-7.3.5-5
#[tokio::test]
async fn an_account_goes_on_with_its_new_key_and_the_old_one_is_nobodys() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.ready(&account, &["a.example"]).await;
    let key = new_key();
    let changed = world.authority.change_key(account.clone(), key.clone()).await.unwrap();
    assert_eq!((changed.id, changed.key.thumbprint()), (account.id, key.thumbprint()));
    assert_eq!(world.authority.account(account.id).await.unwrap().key, key);
    let pair = KeyPair::generate_p256();
    let finalized = world
        .authority
        .finalize(&changed, order.order.id, &csr_of(&pair, &["a.example"]))
        .await;
    assert!(finalized.is_ok());
    let (again, created) = world
        .authority
        .new_account(account.key.clone(), NEW_ACCOUNT, acme::NewAccount::default())
        .await
        .unwrap();
    assert!(created && again.id != account.id);
}

// 8555-7.3.5-4
#[tokio::test]
async fn a_key_that_has_an_account_is_not_rolled_over_to() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    for (key, holder) in [(&other.key, other.id), (&account.key, account.id)] {
        let outcome = world.authority.change_key(account.clone(), key.clone()).await;
        assert_eq!(refusal(outcome), Refusal::KeyInUse(holder));
    }
    // RFC 8555 §11.1: also when nobody may use it any more.
    let gone = authority::model::Account {
        state: AccountState::Deactivated,
        ..(*other).clone()
    };
    use authority::ports::{Change, Store};
    world.store.commit(Change::UpdateAccount(gone)).await.unwrap();
    let outcome = world.authority.change_key(account.clone(), other.key.clone()).await;
    assert_eq!(refusal(outcome), Refusal::KeyInUse(other.id));
}

// 8555-7.3.5-8
#[tokio::test]
async fn of_two_rollovers_at_once_one_wins() {
    let world = World::new().await;
    let account = world.account().await;
    let (first, second) = (new_key(), new_key());
    let (one, two) = futures_util::future::join(
        world.authority.change_key(account.clone(), first.clone()),
        world.authority.change_key(account.clone(), second.clone()),
    )
    .await;
    let (winner, loser) = match (one, two) {
        (Ok(won), lost) => (won, lost),
        (lost, Ok(won)) => (won, lost),
        _ => panic!("nobody won"),
    };
    assert!(matches!(refusal(loser), Refusal::Unauthorized(_)));
    assert_eq!(world.authority.account(account.id).await.unwrap().key, winner.key);
}

// 8555-7.3.5-6
#[tokio::test]
async fn a_challenge_answered_before_the_rollover_is_validated_with_the_key_of_then() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example", "b.example"]).await;
    world.http.will([Answer::Transient("not yet")]);
    world.respond(&account, &order, 0, HTTP).await;
    let changed = world.authority.change_key(account.clone(), new_key()).await.unwrap();
    world.pass(world.policy.validation_retry).await;
    world
        .authority
        .respond(&changed, challenge(&order, 1, HTTP))
        .await
        .unwrap();
    let ends = |jwk: &Jwk| format!(".{}", jwk.thumbprint());
    let seen: Vec<_> = world
        .http
        .seen()
        .iter()
        .map(|seen| seen.key_authorization.as_str().to_owned())
        .collect();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].ends_with(&ends(&account.key)), "{}", seen[1]);
    assert!(seen[2].ends_with(&ends(&changed.key)), "{}", seen[2]);
}
