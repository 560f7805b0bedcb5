//! Authorities that begin with the request (LCSR-2, LCSR-9).

use client::Error;
use pkix::key::KeyPair;
use serde_json::{Value, json};

use crate::{
    bench::Bench,
    fake::{Fake, Reply},
};

fn payloads(fake: &Fake, path: &str) -> Vec<Value> {
    let seen = fake.seen();
    seen.iter()
        .filter(|seen| seen.is(path))
        .map(|seen| seen.json())
        .collect()
}

// LCSR-2
#[tokio::test]
async fn where_the_directory_says_so_the_order_brings_the_request_that_finalize_repeats() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    assert_eq!(payloads(&bench.fake, "/new-order")[0].get("csr"), None);

    let bench = Bench::new().await;
    bench
        .fake
        .change(|world| world.meta = Some(json!({"newOrderCsrRequired": true, "newOrderCsrMatch": "identical"})));
    bench.issue(&["a.test", "b.test"]).await.unwrap();
    let ordered = payloads(&bench.fake, "/new-order")[0]["csr"].clone();
    assert!(ordered.is_string());
    assert_eq!(payloads(&bench.fake, "/finalize/0")[0]["csr"], ordered);
    assert!(!bench.path("store/ahead/a.test.json").exists());
}

fn wants_csr(seen: &crate::fake::Seen, base: &str) -> Option<Reply> {
    let kind = format!("{base}/errors/csrRequired");
    let problem = json!({"type": kind, "detail": "send the CSR", "status": 400});
    (seen.is("/new-order") && seen.json().get("csr").is_none())
        .then(|| Reply::text(400, "application/problem+json", &problem.to_string()))
}

#[tokio::test]
async fn a_directory_that_was_read_too_long_ago_is_made_good_by_the_error_alone() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| wants_csr(seen, &world.base));
    bench.issue(&["a.test"]).await.unwrap();
    let orders = payloads(&bench.fake, "/new-order");
    assert_eq!(orders.len(), 2);
    assert_eq!(payloads(&bench.fake, "/finalize/0")[0]["csr"], orders[1]["csr"]);
}

#[tokio::test]
async fn an_order_that_is_refused_with_its_request_too_is_not_placed_a_third_time() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        let problem = json!({"type": format!("{}/errors/csrRequired", world.base), "status": 400});
        seen.is("/new-order")
            .then(|| Reply::text(400, "application/problem+json", &problem.to_string()))
    });
    assert!(matches!(bench.issue(&["a.test"]).await, Err(Error::Refused(_))));
    assert_eq!(bench.fake.count("/new-order"), 2);
}

// LCSR-9
#[tokio::test]
async fn a_run_that_ends_after_the_order_is_followed_by_one_with_the_same_key_request_and_order() {
    let bench = Bench::new().await;
    bench
        .fake
        .change(|world| world.meta = Some(json!({"newOrderCsrRequired": true})));
    bench.fake.script(|seen, _| seen.is("/finalize/0").then(Reply::lost));
    assert!(matches!(bench.issue(&["a.test"]).await, Err(Error::Transport(_))));
    assert!(bench.path("store/ahead/a.test.json").exists());
    bench.fake.script(|_, _| None);
    let issued = bench.issue(&["a.test"]).await.unwrap();
    let orders = payloads(&bench.fake, "/new-order");
    assert_eq!(orders.len(), 1);
    let sent = payloads(&bench.fake, "/finalize/0");
    assert!(sent.iter().all(|payload| payload["csr"] == orders[0]["csr"]));
    let pem = std::fs::read_to_string(issued.files.privkey.unwrap()).unwrap();
    let key = KeyPair::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(key.public_key().spki_der(), issued.chain.leaf().spki_der());

    // The next one is a new order with a key of its own.
    bench.issue(&["a.test"]).await.unwrap();
    let orders = payloads(&bench.fake, "/new-order");
    assert_ne!(orders[0]["csr"], orders[1]["csr"]);
}

#[tokio::test]
async fn an_order_that_has_failed_takes_its_request_with_it() {
    let bench = Bench::new().await;
    bench
        .fake
        .change(|world| world.meta = Some(json!({"newOrderCsrRequired": true})));
    bench.fake.script(|seen, world| {
        seen.is("/finalize/0").then(|| {
            world.orders[0].status = "invalid";
            Reply::json(200, &world.order(0))
        })
    });
    assert!(matches!(bench.issue(&["a.test"]).await, Err(Error::OrderFailed { .. })));
    assert!(!bench.path("store/ahead/a.test.json").exists());
}
