//! Accounts (RFC 8555 §7.3).

use std::sync::Arc;

use client::{Account, Contact, Error, KeyType, Registration, revoke_with_certificate_key};
use jose::{Algorithm, SigningKey};
use serde_json::json;

use crate::{bench::Bench, fake::Reply};

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(Algorithm::Es256).unwrap())
}

// 8555-7.3-6
#[tokio::test]
async fn terms_of_service_are_not_agreed_to_unasked() {
    let bench = Bench::new().await;
    bench
        .fake
        .change(|world| world.meta = Some(json!({"termsOfService": "https://ca.test/terms"})));
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(
        matches!(&error, Error::TermsNotAgreed { url } if url == "https://ca.test/terms"),
        "{error}"
    );
    assert!(error.next_step().unwrap().contains("--agree-tos"));
    assert_eq!(bench.fake.count("/new-account"), 0);

    let mut request = bench.request(&["a.test"]);
    request.registration.terms_of_service_agreed = true;
    client::issue(request).await.unwrap();
    let sent = bench
        .fake
        .seen()
        .into_iter()
        .find(|seen| seen.is("/new-account"))
        .unwrap();
    assert_eq!(sent.json(), json!({"termsOfServiceAgreed": true}));
}

// 8555-7.3.3-2
#[tokio::test]
async fn a_page_that_must_be_visited_is_shown() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, _| {
        seen.is("/new-order").then(|| {
            let body = json!({"type": "urn:ietf:params:acme:error:userActionRequired", "detail": "Terms have changed",
                "instance": "https://ca.test/agree?token=7"});
            Reply::text(403, "application/problem+json", &body.to_string())
                .with("link", r#"<https://ca.test/terms-2>;rel="terms-of-service""#)
        })
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(matches!(error, Error::ActionRequired(_)), "{error}");
    assert!(error.to_string().contains("Terms have changed"));
    assert!(error.next_step().unwrap().contains("https://ca.test/agree?token=7"));
}

#[tokio::test]
async fn an_account_is_registered_once_and_used_again() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    bench.issue(&["b.test"]).await.unwrap();
    assert_eq!(bench.fake.count("/new-account"), 1);
}

#[tokio::test]
async fn new_contacts_are_sent_to_the_account_that_is_there() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    let mut request = bench.request(&["a.test"]);
    request.registration.contacts = vec!["ann@example.test".parse::<Contact>().unwrap()];
    client::issue(request).await.unwrap();
    let update = bench
        .fake
        .seen()
        .into_iter()
        .find(|seen| seen.is("/account/0"))
        .unwrap();
    assert_eq!(update.json(), json!({"contact": ["mailto:ann@example.test"]}));
}

#[tokio::test]
async fn an_account_that_the_server_has_forgotten_is_registered_again_with_the_same_key() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    bench.fake.script(|seen, world| {
        let is_forgotten = seen.is("/new-order")
            && seen.protected["kid"]
                .as_str()
                .is_some_and(|kid| kid.ends_with("/account/0"));
        is_forgotten.then(|| {
            world.accounts.clear();
            world
                .accounts
                .insert("somebody else".to_owned(), world.url("/account/0"));
            Reply::problem(400, "accountDoesNotExist", "who?")
        })
    });
    bench.issue(&["a.test"]).await.unwrap();
    let seen = bench.fake.seen();
    let keys: Vec<_> = seen
        .iter()
        .filter(|seen| seen.is("/new-account"))
        .map(|seen| seen.protected["jwk"].clone())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn an_account_is_found_by_its_key_or_not_at_all() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let found = Account::find(&bench.directory(), Arc::clone(account.key()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.url(), account.url());
    assert!(Account::find(&bench.directory(), key()).await.unwrap().is_none());
    let asked = bench.fake.seen().pop().unwrap();
    assert_eq!(asked.json(), json!({"onlyReturnExisting": true}));
}

// 8555-7.1.2.1-3
#[tokio::test]
async fn pages_of_orders_are_followed_but_not_in_circles() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    bench.fake.script(|seen, world| {
        let page = |number: u32, next: &str, world: &crate::fake::World| {
            Reply::json(
                200,
                &json!({"orders": [world.url(&format!("/order/{number}")), world.url("/order/0")]}),
            )
            .with(
                "link",
                format!(
                    "<{}>;rel=\"next\", <{}>;rel=\"index\"",
                    world.url(next),
                    world.url("/dir")
                ),
            )
        };
        match seen.target.as_str() {
            "/account/0" => Some(Reply::json(
                200,
                &json!({"status": "valid", "orders": world.url("/orders?p=1")}),
            )),
            "/orders?p=1" => Some(page(1, "/orders?p=2", world)),
            "/orders?p=2" => Some(page(2, "/orders?p=1", world)),
            _ => None,
        }
    });
    let orders = account.orders().await.unwrap();
    let numbers: Vec<_> = orders.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(numbers, ["1", "0", "2"]);
    assert_eq!(bench.fake.count("/orders?p=1"), 1);
}

// 8555-7.1.2.1-4
#[tokio::test]
async fn an_account_without_a_list_of_orders_has_none() {
    let bench = Bench::new().await;
    assert_eq!(bench.account().await.orders().await.unwrap(), [] as [String; 0]);
}

// 8555-7.3.4-7
#[tokio::test]
async fn an_external_account_is_bound_at_registration() {
    let bench = Bench::new().await;
    let external_account = Some(client::ExternalAccount::new("kid-1", "c2VjcmV0").unwrap());
    let registration = Registration {
        external_account,
        ..Registration::default()
    };
    Account::create(&bench.directory(), key(), &registration).await.unwrap();
    let sent = bench.fake.seen().pop().unwrap();
    let bound = &sent.json()["externalAccountBinding"];
    let protected = jose::base64url::decode(bound["protected"].as_str().unwrap()).unwrap();
    let protected: serde_json::Value = serde_json::from_slice(&protected).unwrap();
    assert_eq!(
        protected,
        json!({"alg": "HS256", "kid": "kid-1", "url": sent.protected["url"]})
    );
}

mod rollover {
    use clap::Parser;
    use client::{
        commands::{AccountCommand, Output},
        store::Store,
    };

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        account: AccountCommand,
    }

    async fn account(bench: &Bench, verb: &str) -> bool {
        let line = format!(
            "account {verb} --server {} --allow-http --dir {}",
            bench.fake.directory(),
            bench.path("store").display()
        );
        let mut output = Output::to(std::io::sink(), std::io::sink());
        let command = Command::try_parse_from(line.split(' ')).unwrap();
        command.account.run(&mut output).await == std::process::ExitCode::SUCCESS
    }

    // 8555-7.3.5-9
    #[tokio::test]
    async fn a_new_key_is_on_disk_before_it_is_sent() {
        let bench = Bench::new().await;
        bench.issue(&["a.test"]).await.unwrap();
        let folder = Store::open(bench.path("store"))
            .unwrap()
            .account(&bench.fake.directory());
        let old = folder.key().unwrap().unwrap();
        let watched = folder.clone();
        bench.fake.script(move |seen, _| {
            if seen.is("/key-change") {
                let inner = jose::base64url::decode(seen.json()["protected"].as_str().unwrap()).unwrap();
                let next = watched.next_key().unwrap().unwrap();
                assert_eq!(
                    serde_json::from_slice::<serde_json::Value>(&inner).unwrap()["jwk"],
                    json!(next.jwk())
                );
                assert!(watched.key().unwrap().is_some());
            }
            None
        });
        assert!(account(&bench, "change-key").await);
        assert_ne!(folder.key().unwrap().unwrap().jwk(), old.jwk());
        assert!(account(&bench, "show").await);
    }

    #[tokio::test]
    async fn a_server_that_refuses_a_rollover_leaves_the_old_key() {
        let bench = Bench::new().await;
        bench.issue(&["a.test"]).await.unwrap();
        let folder = Store::open(bench.path("store"))
            .unwrap()
            .account(&bench.fake.directory());
        let old = folder.key().unwrap().unwrap();
        bench.fake.script(|seen, _| {
            seen.is("/key-change")
                .then(|| Reply::problem(409, "malformed", "taken"))
        });
        assert!(!account(&bench, "change-key").await);
        assert_eq!(folder.key().unwrap().unwrap().jwk(), old.jwk());
        assert!(folder.next_key().unwrap().is_none());
    }

    // 8555-7.3.5-9: cut off after the server has changed the key, and before
    #[tokio::test]
    async fn a_rollover_that_was_cut_off_is_settled_by_asking_for_both_keys() {
        for is_changed in [true, false] {
            let bench = Bench::new().await;
            bench.issue(&["a.test"]).await.unwrap();
            let folder = Store::open(bench.path("store"))
                .unwrap()
                .account(&bench.fake.directory());
            let old = folder.key().unwrap().unwrap();
            // As it is after a crash.
            let next = folder.make_next_key(KeyType::Ec256.account_algorithm()).unwrap();
            if is_changed {
                bench.fake.change(|world| {
                    let url = world.url("/account/0");
                    world.accounts.clear();
                    world.accounts.insert(json!(next.jwk()).to_string(), url);
                });
            }
            bench.issue(&["a.test"]).await.unwrap();
            let expected = if is_changed { &next } else { &old };
            assert_eq!(folder.key().unwrap().unwrap().jwk(), expected.jwk(), "{is_changed}");
            assert!(folder.next_key().unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_certificate_is_revoked_by_the_account_and_by_its_own_key() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    account
        .revoke(b"der", Some(acme::RevocationReason::Superseded))
        .await
        .unwrap();
    revoke_with_certificate_key(&bench.directory(), &key(), b"der", None)
        .await
        .unwrap();
    let seen: Vec<_> = bench
        .fake
        .seen()
        .into_iter()
        .filter(|seen| seen.is("/revoke"))
        .collect();
    assert_eq!(seen[0].json(), json!({"certificate": "ZGVy", "reason": 4}));
    assert!(seen[0].protected["kid"].is_string() && seen[0].protected["jwk"].is_null());
    assert_eq!(seen[1].json(), json!({"certificate": "ZGVy"}));
    assert!(seen[1].protected["jwk"].is_object() && seen[1].protected["kid"].is_null());
}

#[tokio::test]
async fn what_was_revoked_before_is_revoked() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    bench
        .fake
        .script(|_, _| Some(Reply::problem(400, "alreadyRevoked", "done")));
    account.revoke(b"der", None).await.unwrap();
}
