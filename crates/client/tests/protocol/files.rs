//! What is on disk before, during and after (REQUIREMENTS 8555-C-2, 8555-C-6).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use client::{
    Error, SolverSettings, issue,
    store::{Store, Trace},
};
use futures_util::future::{FutureExt as _, select};
use pkix::key::KeyPair;
use tokio::sync::Notify;

use crate::{bench::Bench, fake::Reply};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

// 8555-C-6
#[tokio::test]
async fn keys_are_private_and_the_switch_is_one_link() {
    let bench = Bench::new().await;
    let first = bench.issue(&["a.test"]).await.unwrap();
    let link = &first.files.folder;
    let before = (fs::read_link(link).unwrap(), fs::read(&first.files.fullchain).unwrap());
    let second = bench.issue(&["a.test"]).await.unwrap();
    assert_eq!(second.files, first.files, "paths stay");
    let after = fs::read_link(link).unwrap();
    assert_ne!(after, before.0);
    assert!(after.is_relative());
    assert_eq!(
        fs::read(link.parent().unwrap().join(&before.0).join("fullchain.pem")).unwrap(),
        before.1
    );

    let store = bench.path("store");
    let key = KeyPair::from_pkcs8_pem(&fs::read_to_string(second.files.privkey.as_ref().unwrap()).unwrap()).unwrap();
    assert_eq!(key.public_key().spki_der(), second.chain.leaf().spki_der());
    assert_eq!(mode(second.files.privkey.as_ref().unwrap()), 0o600);
    assert_eq!(mode(&second.files.fullchain), 0o644);
    for folder in [
        "",
        "certs",
        "accounts",
        "generations",
        "generations/a.test",
        "certs/a.test/",
        "settings",
        "locks",
    ] {
        assert_eq!(mode(&store.join(folder)), 0o700, "{folder}");
    }
    let account = fs::read_dir(store.join("accounts"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(
        (
            mode(&account),
            mode(&account.join("key.pem")),
            mode(&account.join("account.json"))
        ),
        (0o700, 0o600, 0o600)
    );
    assert_eq!(mode(&store.join("settings/a.test.json")), 0o600);
}

#[tokio::test]
async fn a_few_generations_are_kept_and_no_more() {
    let bench = Bench::new().await;
    for _ in 0..6 {
        bench.issue(&["a.test"]).await.unwrap();
    }
    let mut kept: Vec<_> = fs::read_dir(bench.path("store/generations/a.test"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["0003", "0004", "0005", "0006"]);
}

#[tokio::test]
async fn a_half_written_generation_is_written_over() {
    let bench = Bench::new().await;
    let unfinished = bench.path("store/generations/a.test/.next");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("cert.pem"), "half").unwrap();
    let issued = bench.issue(&["a.test"]).await.unwrap();
    assert!(
        fs::read_to_string(issued.files.cert)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
}

#[tokio::test]
async fn the_key_stays_when_that_is_asked_for() {
    let bench = Bench::new().await;
    let keys = async |reuse: bool| {
        let mut request = bench.request(&["a.test"]);
        let client::Wanted::Names { reuse_key, .. } = &mut request.wanted else {
            unreachable!()
        };
        *reuse_key = reuse;
        issue(request).await.unwrap().chain.leaf().spki_der().to_vec()
    };
    let first = keys(false).await;
    assert_eq!(keys(true).await, first);
    assert_ne!(keys(false).await, first);
}

/// A second list of names for the same certificate updates it in place.
#[tokio::test]
async fn other_names_under_the_same_name_replace_it() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    bench.issue(&["a.test", "b.test"]).await.unwrap();
    let store = Store::open(bench.path("store")).unwrap();
    let names = store.names().unwrap();
    assert_eq!(names.len(), 1);
    let stored = store.stored(&names[0]).unwrap().unwrap();
    assert_eq!(stored.identifiers().len(), 2);
    assert_eq!(stored.settings.unwrap().identifiers.len(), 2);
}

// 8555-7.5.1-5
#[tokio::test]
async fn a_cancelled_order_leaves_no_proof() {
    let bench = Bench::new().await;
    let reached = Arc::new(Notify::new());
    let notify = Arc::clone(&reached);
    bench.fake.script(move |seen, world| {
        seen.target.starts_with("/challenge/").then(|| {
            notify.notify_one();
            Reply::json(200, &world.challenge(0, 0))
        })
    });
    let mut request = bench.request(&["a.test"]);
    // Waits for real, and for longer than anybody has time.
    request.clock = Arc::new(client::SystemClock);
    let work = issue(request).boxed();
    let reached = reached.notified().boxed();
    let futures_util::future::Either::Right(((), work)) = select(work, reached).await else {
        panic!("it ended")
    };
    assert_eq!(bench.shown().len(), 1);
    drop(work);
    assert_eq!(bench.shown().len(), 0);
    let store = Store::open(bench.path("store")).unwrap();
    assert_eq!(store.ledger(&"a.test".parse().unwrap()).leftovers().len(), 0);
}

// 8555-C-2
#[tokio::test]
async fn what_a_killed_run_has_left_is_taken_away_by_the_next() {
    let bench = Bench::new().await;
    let root = bench.path("www");
    let left = root.join(".well-known/acme-challenge/left-behind");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "left").unwrap();
    let store = Store::open(bench.path("store")).unwrap();
    let ledger = store.ledger(&"a.test".parse().unwrap());
    std::mem::forget(ledger.note(&Trace::File { path: left.clone() }));
    bench.issue(&["a.test"]).await.unwrap();
    assert!(!left.exists());
    assert_eq!(ledger.leftovers().len(), 0);
}

#[tokio::test]
async fn a_web_root_that_is_not_there_is_known_before_the_server_is_asked() {
    let bench = Bench::new().await;
    let mut request = bench.request(&["a.test"]);
    request.solvers = vec![SolverSettings::Webroot("/nonexistent/root".into())];
    let error = issue(request).await.unwrap_err();
    assert!(matches!(error, Error::Solver(_)), "{error}");
    assert_eq!(bench.fake.seen().len(), 0);
}

#[tokio::test]
async fn a_name_that_something_else_has_taken_is_left_alone() {
    let bench = Bench::new().await;
    let taken = bench.path("store/certs/a.test");
    fs::create_dir_all(&taken).unwrap();
    fs::write(taken.join("precious"), "x").unwrap();
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(error.to_string().contains("in the way"), "{error}");
    assert!(taken.join("precious").exists());
}

// 8555-C-6
#[tokio::test]
async fn no_secret_is_in_what_is_shown_of_a_request() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let external = client::ExternalAccount::new("kid", "c2VjcmV0LWNhbmFyeQ").unwrap();
    let shown = format!("{account:?} {:?} {external:?}", account.key());
    let private = jose::base64url::encode(account.key().to_pkcs8_der());
    assert!(!shown.contains("secret-canary") && !shown.contains("c2VjcmV0") && !shown.contains(&private[40..80]));
}
