//! Orders, from names to a certificate (RFC 8555 §7.4, §7.5).

use std::{sync::Arc, time::Duration};

use client::{
    Challenge, Csr, Error, Identifier, KeyType, Method, Order, OrderOptions, Proof, Solver, silent,
    solver::{Presented, SolverError},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value, json};

use crate::{bench::Bench, fake::Reply};

fn names(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Shows nothing, and counts.
#[derive(Default)]
struct Counting {
    shown: Arc<std::sync::Mutex<(usize, usize)>>,
}

impl Solver for Counting {
    fn method(&self) -> Method {
        Method::Http01
    }

    fn present<'a>(&'a self, _: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            self.shown.lock().unwrap().0 += 1;
            let shown = Arc::clone(&self.shown);
            Ok(Presented::new(move || {
                shown.lock().unwrap().1 += 1;
                Ok(())
            }))
        }
        .boxed()
    }

    fn hint(&self, _: &Identifier) -> String {
        "look at port 80".to_owned()
    }
}

/// Of a method that the client does not know.
struct Elsewhere;

impl Solver for Elsewhere {
    fn method(&self) -> Method {
        Method::Other("mail-greeting-01")
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        matches!(identifier, Identifier::Dns(_) | Identifier::Srv(_))
    }

    fn response(&self, proof: &Proof) -> Map<String, Value> {
        proof.members.clone()
    }

    fn present<'a>(&'a self, _: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move { Ok(Presented::new(|| Ok(()))) }.boxed()
    }

    fn hint(&self, _: &Identifier) -> String {
        String::new()
    }
}

// etls-p-8
#[tokio::test]
async fn a_method_from_elsewhere_gets_what_its_challenge_says_and_answers_with_more() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        let index = seen.target.strip_prefix("/authz/0/")?.parse().unwrap();
        let mut authorization = world.authorization(0, index);
        authorization["challenges"][0]["type"] = json!("mail-greeting-01");
        authorization["challenges"][0]["services"] = json!(["imaps"]);
        Some(Reply::json(200, &authorization))
    });
    let mut request = bench.request(&["mail.alpha.test", "_imaps.alpha.test"]);
    request.solvers = Vec::new();
    request.other_solvers = vec![Arc::new(Elsewhere)];
    request.command = Some("mail".to_owned());
    let issued = client::issue(request).await.unwrap();
    assert_eq!(issued.identifiers, names(&["mail.alpha.test", "_imaps.alpha.test"]));
    let seen = bench.fake.seen();
    let answered: Vec<_> = seen
        .iter()
        .filter(|seen| seen.target.starts_with("/challenge/"))
        .collect();
    assert_eq!(answered.len(), 2);
    assert!(
        answered
            .iter()
            .all(|seen| seen.json() == json!({"services": ["imaps"]}))
    );
    let ordered = seen.iter().find(|seen| seen.target == "/new-order").unwrap().json();
    assert_eq!(
        ordered["identifiers"][1],
        json!({"type": "srv", "value": "_imaps.alpha.test"})
    );
    // What another command has ordered is left to it.
    let store = client::store::Store::open(bench.path("store")).unwrap();
    let renewed = client::renew(&store, &issued.name, &client::Renewal::default())
        .await
        .unwrap();
    assert!(matches!(renewed, client::Renewed::By(command) if command == "mail"));
}

// 8555-7.5.1-1
#[tokio::test]
async fn a_challenge_is_answered_with_an_empty_object_after_the_proof_is_shown() {
    let bench = Bench::new().await;
    let www = bench.path("www");
    let mut sent = 0;
    bench.fake.script(move |seen, world| {
        if seen.target.starts_with("/challenge/") {
            let path = www.join(".well-known/acme-challenge").join(&world.token);
            assert!(
                std::fs::read_to_string(path)
                    .unwrap()
                    .starts_with(&format!("{}.", world.token))
            );
            assert_eq!(seen.payload, b"{}");
            sent += 1;
            assert_eq!(sent, 1);
        }
        None
    });
    bench.issue(&["a.test"]).await.unwrap();
    // 8555-7.5.1-5
    assert_eq!(bench.shown().len(), 0);
}

/// GOALS: a polite client needs few requests when the server is quick.
#[tokio::test]
async fn a_quick_server_is_asked_no_more_than_needed() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    let before = bench.fake.seen().len();
    bench.issue(&["a.test"]).await.unwrap();
    let targets: Vec<String> = bench.fake.seen().drain(before..).map(|seen| seen.target).collect();
    let expected = [
        "/dir",
        "/new-order",
        "/authz/1/0",
        "/challenge/1/0",
        "/authz/1/0",
        "/order/1",
        "/finalize/1",
        "/certificate/1",
    ];
    assert_eq!(targets, expected);
    assert_eq!(bench.clock.slept().len(), 0);
}

// 8555-C-3
#[tokio::test]
async fn fifty_names_are_proven_together() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let fifty: Vec<Identifier> = (0..50)
        .map(|number| format!("n{number}.test").parse().unwrap())
        .collect();
    let mut order = Order::create(&account, &fifty, OrderOptions::default()).await.unwrap();
    let counting = Counting::default();
    let shown = Arc::clone(&counting.shown);
    let watched = Arc::clone(&counting.shown);
    bench.fake.script(move |seen, _| {
        // A name and its wildcard share a record: no proof goes before the last has been looked at.
        if seen.target.starts_with("/challenge/") {
            assert_eq!(*watched.lock().unwrap(), (50, 0));
        }
        None
    });
    order.solve(&[Arc::new(counting)], &silent()).await.unwrap();
    assert_eq!(*shown.lock().unwrap(), (50, 50));
    let key = KeyType::Ec256.generate();
    order.finalize(&Csr::new(&key, &fifty).unwrap()).await.unwrap();
    let (chain, _) = order.download(None).await.unwrap();
    chain
        .check(key.public_key().spki_der(), &fifty, client::Clock::now(&*bench.clock))
        .unwrap();
    let mut nonces: Vec<String> = bench
        .fake
        .seen()
        .iter()
        .map(|seen| seen.nonce())
        .filter(|nonce| !nonce.is_empty())
        .collect();
    let sent = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), sent, "no nonce is used twice");
}

// 8555-7.4-12, 8555-7.5.1-3
#[tokio::test]
async fn slow_validation_and_issuance_are_polled_as_often_as_the_server_likes() {
    let bench = Bench::new().await;
    let mut pending = 3;
    let mut processing = 2;
    bench.fake.script(move |seen, world| {
        if seen.target.starts_with("/authz/") && seen.payload.is_empty() && world.orders[0].proven[0] && pending > 0 {
            pending -= 1;
            world.orders[0].proven[0] = false;
            let reply = world.answer(seen).with("retry-after", "3");
            world.orders[0].proven[0] = true;
            return Some(reply);
        }
        let is_order = seen.is("/finalize/0") || (seen.is("/order/0") && world.orders[0].status == "valid");
        if is_order && processing > 0 {
            processing -= 1;
            world.answer(seen);
            world.orders[0].status = "processing";
            let mut object = world.order(0);
            world.orders[0].status = "valid";
            object.as_object_mut().unwrap().remove("certificate");
            return Some(Reply::json(200, &object).with("retry-after", "5"));
        }
        None
    });
    bench.issue(&["a.test"]).await.unwrap();
    assert_eq!(bench.clock.slept(), [3, 3, 3, 5, 5].map(Duration::from_secs));
}

// 8555-C-1
#[tokio::test]
async fn a_validation_that_never_ends_is_given_up_and_tidied_up() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        seen.target
            .starts_with("/challenge/")
            .then(|| Reply::json(200, &world.challenge(0, 0)))
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { .. }) && error.is_retryable(),
        "{error}"
    );
    assert!(bench.clock.slept().iter().sum::<Duration>() <= Duration::from_secs(300));
    assert!(bench.fake.seen().len() < 80);
    assert_eq!(bench.shown().len(), 0);
}

// 8555-7.4-13
#[tokio::test]
async fn a_lost_answer_to_finalize_costs_nothing() {
    let bench = Bench::new().await;
    let mut lost = false;
    bench.fake.script(move |seen, world| {
        (seen.is("/finalize/0") && !std::mem::replace(&mut lost, true)).then(|| {
            world.answer(seen);
            Reply::lost()
        })
    });
    bench.issue(&["a.test"]).await.unwrap();
    assert_eq!(bench.fake.change(|world| world.certificates.len()), 1);
    assert_eq!(bench.fake.count("/finalize/0"), 2);
}

// 8555-7.4-13: the order is ready a moment later
#[tokio::test]
async fn an_order_that_is_not_ready_yet_is_finalized_later() {
    let bench = Bench::new().await;
    let mut refused = false;
    bench.fake.script(move |seen, _| {
        (seen.is("/finalize/0") && !std::mem::replace(&mut refused, true))
            .then(|| Reply::problem(403, "orderNotReady", "a moment"))
    });
    bench.issue(&["a.test"]).await.unwrap();
}

// 8555-7.1.3-7
#[tokio::test]
async fn shuffled_arrays_are_the_same_order() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        (seen.target.starts_with("/order/") || seen.target.starts_with("/finalize/")).then(|| {
            let mut reply = world.answer(seen);
            let mut order: Value = serde_json::from_slice(&reply.body).unwrap();
            for member in ["identifiers", "authorizations"] {
                order[member].as_array_mut().unwrap().reverse();
            }
            reply.body = order.to_string().into_bytes();
            reply
        })
    });
    bench.issue(&["a.test", "b.test", "c.test"]).await.unwrap();
}

// 8555-7.1.3-7
#[tokio::test]
async fn an_order_whose_arrays_change_is_given_up() {
    for (member, value) in [
        ("identifiers", json!([{"type": "dns", "value": "evil.test"}])),
        ("authorizations", json!(["https://ca.test/other"])),
    ] {
        let bench = Bench::new().await;
        bench.fake.script(move |seen, world| {
            seen.target.starts_with("/order/").then(|| {
                let mut order = world.order(0);
                order[member] = value.clone();
                Reply::json(200, &order)
            })
        });
        let error = bench.issue(&["a.test"]).await.unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
        assert_eq!(bench.fake.count("/finalize/0"), 0);
    }
}

#[tokio::test]
async fn a_failed_validation_names_each_name_with_its_problem_and_a_hint() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        let mut parts = seen.target.split('/').skip(1);
        let (resource, _, index) = (parts.next(), parts.next(), parts.next()?.parse::<usize>().ok()?);
        if resource == Some("challenge") {
            world.token = "seen".to_owned();
        }
        (resource == Some("authz") && index != 1 && world.token == "seen").then(|| {
            let mut authorization = world.authorization(0, index);
            authorization["status"] = "invalid".into();
            authorization["challenges"][0]["status"] = "invalid".into();
            authorization["challenges"][0]["error"] =
                json!({"type": "urn:ietf:params:acme:error:connection", "detail": "refused"});
            Reply::json(200, &authorization)
        })
    });
    let account = bench.account().await;
    let mut order = Order::create(
        &account,
        &names(&["a.test", "b.test", "c.test"]),
        OrderOptions::default(),
    )
    .await
    .unwrap();
    let counting = Counting::default();
    let shown = Arc::clone(&counting.shown);
    let error = order.solve(&[Arc::new(counting)], &silent()).await.unwrap_err();
    let Error::Unproven(failures) = &error else {
        panic!("{error}")
    };
    let failed: Vec<String> = failures.iter().map(|failure| failure.identifier.to_string()).collect();
    assert_eq!(failed, ["a.test", "c.test"]);
    assert!(
        error
            .to_string()
            .contains("a.test by http-01: urn:ietf:params:acme:error:connection: refused"),
        "{error}"
    );
    assert_eq!(error.next_step().unwrap(), "look at port 80");
    let (presented, cleaned) = *shown.lock().unwrap();
    assert_eq!(presented, cleaned);
}

// 8555-6.7-6
#[tokio::test]
async fn names_that_the_ca_refuses_are_left_out_if_that_is_asked_for() {
    let bench = Bench::new().await;
    let refuse = |seen: &crate::fake::Seen| {
        let asks_for = |name| {
            seen.json()["identifiers"]
                .as_array()
                .unwrap()
                .iter()
                .any(|identifier| identifier["value"] == name)
        };
        (seen.is("/new-order") && asks_for("bad.test")).then(|| {
            let body = json!({"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "some", "subproblems": [
                {"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "forbidden", "identifier": {"type": "dns", "value": "bad.test"}}]});
            Reply::text(403, "application/problem+json", &body.to_string())
        })
    };
    bench.fake.script(move |seen, _| refuse(seen));
    let error = bench.issue(&["a.test", "bad.test"]).await.unwrap_err();
    assert!(error.to_string().contains("dns:bad.test: forbidden"), "{error}");
    assert!(error.next_step().unwrap().contains("--skip-rejected"));

    let mut request = bench.request(&["a.test", "bad.test"]);
    request.skip_rejected = true;
    let issued = client::issue(request).await.unwrap();
    assert_eq!(issued.identifiers, names(&["a.test"]));
}

#[tokio::test]
async fn an_order_is_taken_up_again_by_its_url() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let url = Order::create(&account, &names(&["a.test"]), OrderOptions::default())
        .await
        .unwrap()
        .url()
        .to_owned();
    let mut order = Order::bind(&account, &url).await.unwrap();
    order.solve(&[Arc::new(Counting::default())], &silent()).await.unwrap();
    assert_eq!(order.identifiers(), names(&["a.test"]));
    let authorizations = order.authorizations().await.unwrap();
    assert!(matches!(authorizations[0].challenges(), [Challenge::Http01(_)]));
}

// 8555-11.1-1
#[tokio::test]
async fn the_account_key_does_not_certify_names() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let mut order = Order::create(&account, &names(&["a.test"]), OrderOptions::default())
        .await
        .unwrap();
    order.solve(&[Arc::new(Counting::default())], &silent()).await.unwrap();
    let key = pkix::key::KeyPair::from_pkcs8_der(&account.key().to_pkcs8_der()).unwrap();
    let error = order
        .finalize(&Csr::new(&key, &names(&["a.test"])).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error}");
    assert_eq!(bench.fake.count("/finalize/0"), 0);
}

#[tokio::test]
async fn names_without_a_solver_are_refused_before_anything_is_sent() {
    let bench = Bench::new().await;
    let error = bench.issue(&["*.a.test"]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Input(what) if what.contains("--dns-hook")),
        "{error}"
    );
    assert_eq!(bench.fake.seen().len(), 0);
}

#[tokio::test]
async fn challenges_that_are_unknown_do_not_disturb() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        (seen.target.starts_with("/authz/") && !world.orders[0].proven[0]).then(|| {
            let mut authorization = world.authorization(0, 0);
            let challenges = authorization["challenges"].as_array_mut().unwrap();
            challenges.insert(
                0,
                json!({"type": "dns-persist-01", "url": "https://x.test", "status": "asleep"}),
            );
            challenges.insert(0, json!({"type": "http-02"}));
            challenges.insert(0, Value::Null);
            Reply::json(200, &authorization)
        })
    });
    bench.issue(&["a.test"]).await.unwrap();
}

#[tokio::test]
async fn a_ca_that_offers_nothing_that_can_be_solved_is_told_apart() {
    let bench = Bench::new().await;
    bench.fake.script(|seen, world| {
        seen.target.starts_with("/authz/").then(|| {
            let mut authorization = world.authorization(0, 0);
            authorization["challenges"][0]["type"] = "dns-01".into();
            Reply::json(200, &authorization)
        })
    });
    let error = bench.issue(&["a.test"]).await.unwrap_err();
    assert!(
        error.to_string().contains("offers dns-01; this command can do http-01"),
        "{error}"
    );
}
