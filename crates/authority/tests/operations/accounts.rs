//! Accounts: a key has one, for ever (RFC 8555 §7.3).

use std::sync::Arc;

use acme::{AccountUpdate, NewAccount};
use authority::{
    Failure, Policy, Refusal,
    model::{Account, AccountId, AccountState},
};
use jose::{Algorithm, Jwk, SigningKey};

use crate::world::{NEW_ACCOUNT, World, refusal};

fn new_key() -> Jwk {
    SigningKey::generate(Algorithm::Es256).unwrap().jwk().clone()
}

fn mail(addresses: &[&str]) -> Option<Vec<String>> {
    Some(addresses.iter().map(|address| format!("mailto:{address}")).collect())
}

fn update(contact: Option<Vec<String>>, status: Option<&str>) -> AccountUpdate {
    AccountUpdate {
        contact,
        status: status.map(str::to_owned),
    }
}

async fn new_account(world: &World, key: &Jwk, request: NewAccount) -> Result<(Arc<Account>, bool), Failure> {
    world.authority.new_account(key.clone(), NEW_ACCOUNT, request).await
}

// 8555-7.3-1, 8555-7.3-2
#[tokio::test]
async fn a_known_key_gets_its_account_as_it_was() {
    let world = World::new().await;
    let key = new_key();
    let request = NewAccount {
        contact: mail(&["a@example.org"]),
        terms_of_service_agreed: Some(true),
        only_return_existing: false,
        ..NewAccount::default()
    };
    let (account, created) = new_account(&world, &key, request).await.unwrap();
    assert!(created);
    assert_eq!(account.state, AccountState::Active);
    let elsewhere = NewAccount {
        contact: Some(vec!["not even a contact".into()]),
        ..NewAccount::default()
    };
    let only = NewAccount {
        only_return_existing: true,
        ..NewAccount::default()
    };
    for request in [elsewhere, only] {
        let (again, created) = new_account(&world, &key, request).await.unwrap();
        assert!(!created);
        assert_eq!(again.id, account.id);
        assert_eq!(Some(again.contact.clone()), mail(&["a@example.org"]));
        assert!(again.agreed_terms.is_some());
    }
}

// 8555-7.3-3, 8555-7.3-5
#[tokio::test]
async fn only_return_existing_is_answered_before_terms_and_contacts() {
    let world = World::with(Policy {
        terms_of_service: Some("https://ca.example/terms".into()),
        ..Policy::default()
    })
    .await;
    let key = new_key();
    let only = NewAccount {
        only_return_existing: true,
        contact: Some(vec!["nonsense".into()]),
        ..NewAccount::default()
    };
    assert_eq!(
        refusal(new_account(&world, &key, only.clone()).await),
        Refusal::AccountDoesNotExist
    );
    for agreed in [None, Some(false)] {
        let request = NewAccount {
            terms_of_service_agreed: agreed,
            ..NewAccount::default()
        };
        let outcome = new_account(&world, &key, request).await;
        assert_eq!(
            refusal(outcome),
            Refusal::TermsOfService("https://ca.example/terms".into())
        );
    }
    let agreed = NewAccount {
        terms_of_service_agreed: Some(true),
        ..NewAccount::default()
    };
    let (account, created) = new_account(&world, &key, agreed).await.unwrap();
    assert!(created && account.agreed_terms.is_some());
    let (again, created) = new_account(&world, &key, only).await.unwrap();
    assert_eq!((again.id, created), (account.id, false));
}

// 8555-7.3-10, 8555-7.3.6-4
#[tokio::test]
async fn a_deactivated_accounts_key_stays_taken() {
    let world = World::new().await;
    let key = new_key();
    let (account, _) = new_account(&world, &key, NewAccount::default()).await.unwrap();
    let gone = world
        .authority
        .update_account(account.clone(), update(None, Some("deactivated")))
        .await
        .unwrap();
    assert_eq!(gone.state, AccountState::Deactivated);
    assert_eq!(gone.require_active(), Err(Refusal::AccountInactive));
    for only_return_existing in [false, true] {
        let request = NewAccount {
            only_return_existing,
            ..NewAccount::default()
        };
        assert_eq!(
            refusal(new_account(&world, &key, request).await),
            Refusal::AccountInactive
        );
    }
    // Somebody who was let in before still holds the account as it was.
    let outcome = world
        .authority
        .update_account(account, update(mail(&["a@example.org"]), Some("valid")))
        .await;
    assert_eq!(refusal(outcome), Refusal::AccountInactive);
    assert_eq!(
        world.authority.account(gone.id).await.unwrap().state,
        AccountState::Deactivated
    );
}

// 8555-7.3.2-1, 8555-7.3.2-2
#[tokio::test]
async fn an_update_changes_contacts_and_ignores_what_cannot_be_updated() {
    let world = World::new().await;
    let account = world.account().await;
    let set = world
        .authority
        .update_account(account, update(mail(&["a@example.org", "b@example.org"]), None))
        .await
        .unwrap();
    assert_eq!(Some(set.contact.clone()), mail(&["a@example.org", "b@example.org"]));
    for nothing in [
        update(None, None),
        update(None, Some("valid")),
        update(None, Some("revoked")),
    ] {
        let same = world.authority.update_account(set.clone(), nothing).await.unwrap();
        assert_eq!((same.version, same.state), (set.version, AccountState::Active));
    }
    let cleared = world
        .authority
        .update_account(set, update(Some(Vec::new()), None))
        .await
        .unwrap();
    assert_eq!(cleared.contact, Vec::<String>::new());
    assert_eq!(
        world.authority.account(cleared.id).await.unwrap().version,
        cleared.version
    );
}

// 8555-7.3-7, 8555-7.3-8
#[tokio::test]
async fn contacts_that_cannot_be_written_to_are_refused_alike_in_both_places() {
    let world = World::new().await;
    let account = world.account().await;
    let refused = [
        "",
        "mailto:",
        "mailto:a",
        "mailto:a@b,c@d",
        "mailto:a@b?subject=x",
        "mailto:a%20@b",
        "tel:+1555",
        "https://a/",
    ];
    for contact in refused {
        let contact = Some(vec!["mailto:good@example.org".into(), contact.to_owned()]);
        let request = NewAccount {
            contact: contact.clone(),
            ..NewAccount::default()
        };
        let made = refusal(new_account(&world, &new_key(), request).await);
        let updated = refusal(
            world
                .authority
                .update_account(account.clone(), update(contact, None))
                .await,
        );
        assert!(
            matches!(made, Refusal::InvalidContact(_) | Refusal::UnsupportedContact(_)),
            "{made:?}"
        );
        assert_eq!(made, updated);
    }
    assert_eq!(
        world.authority.account(account.id).await.unwrap().version,
        account.version
    );
}

#[tokio::test]
async fn two_updates_from_the_same_reading_are_both_made() {
    let world = World::new().await;
    let account = world.account().await;
    let first = world
        .authority
        .update_account(account.clone(), update(mail(&["a@example.org"]), None));
    first.await.unwrap();
    let second = world
        .authority
        .update_account(account.clone(), update(mail(&["b@example.org"]), None));
    let second = second.await.unwrap();
    assert_eq!(
        (Some(second.contact.clone()), second.version),
        (mail(&["b@example.org"]), account.version + 2)
    );
}

#[tokio::test]
async fn an_account_that_never_was_does_not_exist() {
    let world = World::new().await;
    let outcome = world.authority.account(AccountId(u64::MAX >> 1)).await;
    assert_eq!(refusal(outcome), Refusal::AccountDoesNotExist);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simultaneous_requests_with_one_new_key_make_one_account() {
    let world = World::new().await;
    let key = new_key();
    let requests: Vec<_> = (0..32)
        .map(|_| {
            let (authority, key) = (world.authority.clone(), key.clone());
            tokio::spawn(async move {
                authority
                    .new_account(key, NEW_ACCOUNT, NewAccount::default())
                    .await
                    .unwrap()
            })
        })
        .collect();
    let (mut ids, mut made) = (std::collections::HashSet::new(), 0);
    for request in requests {
        let (account, created) = request.await.unwrap();
        ids.insert(account.id);
        made += usize::from(created);
    }
    assert_eq!((ids.len(), made), (1, 1));
}
