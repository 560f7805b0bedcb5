//! Validations, with remotes that agree, differ, lie or are silent.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use acme::{Problem, ProblemType};
use authority::{
    Registry,
    model::Observation,
    ports::{Report, ValidationMethod},
};
use futures_util::future::{join, join_all};
use serde_json::{Map, Value, json};

use super::far::{Far, Reply, Seen, agreement, http, perspectives, refusal, request};
use crate::{
    double::{World, closed_port},
    perspectives::wire::LONGEST_VALIDATION,
};

async fn validated(far: &[&Far], regions_at_least: usize) -> Report {
    let urls: Vec<_> = far.iter().map(|far| far.url.as_str()).collect();
    validated_at(&urls, regions_at_least).await
}

async fn validated_at(urls: &[&str], regions_at_least: usize) -> Report {
    wrapped(urls, regions_at_least, Seen::control())
        .validate(request())
        .await
}

fn wrapped(urls: &[&str], regions_at_least: usize, method: Arc<Seen>) -> Arc<dyn ValidationMethod> {
    let mut registry = Registry::default();
    registry.add_method(method);
    Arc::new(perspectives(urls, regions_at_least).unwrap()).wrap(&mut registry);
    registry.method("seen-01").unwrap().clone()
}

fn quorum(report: &Report) -> &str {
    match report.evidence.observations.last() {
        Some(Observation::Quorum { about, result }) => {
            assert_eq!(about, &["example.org"]);
            result
        }
        other => panic!("no quorum: {other:?}"),
    }
}

// T16
#[tokio::test]
async fn t16_what_one_of_three_sees_differently_is_outvoted_and_written_down() {
    let far = [
        Far::agreeing().await,
        Far::refusing("saw 192.0.2.66", false).await,
        Far::agreeing().await,
    ];
    let report = validated(&[&far[0], &far[1], &far[2]], 2).await;
    assert_eq!(report.verdict, Ok(()));
    assert_eq!(quorum(&report), "2/3 (primary + p0, p2; not p1)");
    let observations = &report.evidence.observations;
    assert!(matches!(&observations[0], Observation::Failed { what } if what == "primary"));
    let told: Vec<_> = observations[1..4]
        .iter()
        .map(|observation| match observation {
            Observation::Perspective {
                name,
                region,
                corroborates,
                problem,
                observations,
            } => {
                assert_eq!(observations.len(), 1);
                (name.as_str(), region.as_str(), *corroborates, problem.as_deref())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let differs = Some("urn:ietf:params:acme:error:unauthorized: saw 192.0.2.66");
    assert_eq!(
        told,
        [
            ("p0", "AFRINIC", true, None),
            ("p1", "APNIC", false, differs),
            ("p2", "ARIN", true, None)
        ]
    );
    // As it will lie in the database.
    let stored = serde_json::to_string(&report.evidence).unwrap();
    assert_eq!(
        serde_json::from_str::<authority::model::Evidence>(&stored).unwrap(),
        report.evidence
    );
}

// T16
#[tokio::test]
async fn t16_what_two_of_three_see_differently_is_not_proved_and_the_subscriber_learns_how_many() {
    let far = [
        Far::refusing("saw the first thing", false).await,
        Far::agreeing().await,
        Far::refusing("saw the second thing", true).await,
    ];
    let report = validated(&[&far[0], &far[1], &far[2]], 1).await;
    let problem = report.verdict.clone().unwrap_err();
    assert_eq!(problem.kind, ProblemType::Unauthorized);
    let detail = &problem.detail;
    assert!(
        detail.contains("2 of 3 other perspectives") && detail.contains("at most 1"),
        "{detail}"
    );
    assert!(detail.ends_with("saw the first thing"), "{detail}");
    assert!(!detail.contains("127.0.0.1") && !detail.contains("p0"), "{detail}");
    assert_eq!(quorum(&report), "1/3 (primary + p1; not p0, p2)");
    assert!(report.transient, "it may pass for the second");
}

// T16
#[tokio::test]
async fn t16_the_primary_s_success_alone_is_none() {
    let far = [Far::refusing("no", false).await, Far::refusing("no", false).await];
    let report = validated(&[&far[0], &far[1]], 1).await;
    assert!(report.verdict.is_err() && !report.transient);
    assert_eq!(quorum(&report), "0/2 (primary; not p0, p1)");
}

// T16
#[tokio::test]
async fn t16_those_that_agree_in_one_region_are_not_enough_for_two() {
    let far = [Far::agreeing().await, Far::refusing("no", false).await];
    assert!(validated(&[&far[0], &far[1]], 1).await.verdict.is_ok());
    let detail = validated(&[&far[0], &far[1]], 2).await.verdict.unwrap_err().detail;
    assert!(detail.contains("fewer than 2 regions"), "{detail}");
}

/// Answers that are none, each with what evidence says about it.
fn faults() -> Vec<(&'static str, fn(&Value) -> Reply)> {
    vec![
        ("in the name of \"p9\"", |question| {
            let mut answer = agreement(question);
            answer["perspective"] = json!("p9");
            Reply::Json(answer)
        }),
        ("another nonce", |question| {
            let mut answer = agreement(question);
            answer["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAA");
            Reply::Json(answer)
        }),
        ("what others saw", |question| {
            let mut answer = agreement(question);
            answer["observations"] = json!([{ "saw": "quorum", "about": [], "result": "9/9" }]);
            Reply::Json(answer)
        }),
        ("cannot be read", |question| {
            let mut answer = agreement(question);
            answer.as_object_mut().unwrap().remove("verdict");
            Reply::Json(answer)
        }),
        ("cannot be read", |_| Reply::Json(json!({}))),
        ("cannot be read", |_| {
            Reply::Octets(http("200 OK", "<html>sign in to the network</html>"))
        }),
        ("status 503", |_| Reply::Status("503 Service Unavailable")),
        ("status 204", |_| Reply::Status("204 No Content")),
        ("status 302", |_| Reply::Status("302 Found")),
        ("the exchange broke", |_| {
            Reply::Octets(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())
        }),
        ("the exchange broke", |_| Reply::HangUp),
        ("broke off", |question| {
            let body = agreement(question).to_string();
            let whole = http("200 OK", &body);
            Reply::Octets(whole[..whole.len() - 1].to_vec())
        }),
        ("more than", |_| {
            Reply::Octets(http("200 OK", &" ".repeat(LONGEST_VALIDATION + 1)))
        }),
        ("the exchange broke", |_| {
            Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec())
        }),
        ("nothing within", |_| Reply::Silence),
    ]
}

// T16: lies, garbage, too much, too late.
#[tokio::test]
async fn t16_whatever_else_a_remote_does_than_to_answer_is_no_corroboration() {
    let trials = faults().into_iter().map(|(named, fault)| async move {
        let (agreeing, one, two) = (Far::agreeing().await, Far::that(fault).await, Far::that(fault).await);
        let (fewer, more) = ([&agreeing, &one], [&agreeing, &one, &two]);
        let (outvoted, report) = join(validated(&fewer, 1), validated(&more, 1)).await;
        assert_eq!(outvoted.verdict, Ok(()), "{named}");
        assert_eq!(quorum(&outvoted), "1/2 (primary + p0; not p1)", "{named}");
        let Observation::Perspective { problem: Some(why), .. } = &outvoted.evidence.observations[2] else {
            panic!("{named}: {outvoted:?}");
        };
        assert!(why.contains(named), "{named}: {why}");
        let problem = report.verdict.unwrap_err();
        assert_eq!(problem.kind, ProblemType::ServerInternal, "{named}");
        assert!(
            problem.detail.ends_with("it could not be asked"),
            "{named}: {}",
            problem.detail
        );
        assert!(report.transient, "{named}");
    });
    join_all(trials).await;
}

// T16
#[tokio::test]
async fn t16_a_dead_remote_is_no_corroboration() {
    let (agreeing, dead) = (Far::agreeing().await, closed_port());
    let dead = format!("http://127.0.0.1:{}", dead.0);
    assert!(validated_at(&[&agreeing.url, &dead], 1).await.verdict.is_ok());
    assert!(validated_at(&[&agreeing.url, &dead], 2).await.verdict.is_err());
}

// T16
#[tokio::test]
async fn t16_each_attempt_counts_for_itself_when_remotes_come_and_go() {
    let flapping = |first: bool| {
        let turn = AtomicUsize::new(usize::from(first));
        Far::that(move |question| match turn.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => Reply::Json(agreement(question)),
            _ => Reply::HangUp,
        })
    };
    // One of the two answers each time, and never the same.
    let far = [
        flapping(false).await,
        flapping(true).await,
        Far::refusing("no", false).await,
    ];
    let method = wrapped(&[&far[0].url, &far[1].url, &far[2].url], 1, Seen::control());
    for _ in 0..4 {
        let report = method.validate(request()).await;
        assert!(report.verdict.is_err(), "{report:?}");
        assert!(quorum(&report).starts_with("1/3 "), "{}", quorum(&report));
    }
}

// T17
#[tokio::test]
async fn t17_all_remotes_are_asked_each_time_whatever_the_others_say() {
    let mut far = vec![Far::refusing("no", false).await, Far::refusing("no", false).await];
    for _ in 0..5 {
        far.push(Far::agreeing().await);
    }
    let urls: Vec<_> = far.iter().map(|far| far.url.as_str()).collect();
    let method = wrapped(&urls, 2, Seen::control());
    for times in 1..=3 {
        let report = method.validate(request()).await;
        assert_eq!(report.verdict, Ok(()));
        assert!(quorum(&report).starts_with("5/7 "), "{}", quorum(&report));
        assert!(far.iter().all(|far| far.asked() == times));
    }
}

// T17
#[tokio::test]
async fn t17_a_quorum_is_never_made_of_the_fewer_that_are_left() {
    let (agreeing, dead) = (Far::agreeing().await, [closed_port(), closed_port(), closed_port()]);
    let dead: Vec<_> = dead
        .iter()
        .map(|(port, _)| format!("http://127.0.0.1:{port}"))
        .collect();
    // Without the dead there would be one of one.
    let urls: Vec<_> = [agreeing.url.as_str()]
        .into_iter()
        .chain(dead.iter().map(String::as_str))
        .collect();
    for _ in 0..3 {
        let report = validated_at(&urls, 1).await;
        assert!(report.verdict.is_err() && report.transient, "{report:?}");
        assert!(quorum(&report).starts_with("1/4 "), "{}", quorum(&report));
    }
    assert_eq!(agreeing.asked(), 3);
}

// T16: a nonce that is used twice would let an old answer count.
#[tokio::test]
async fn t16_every_question_has_a_nonce_of_its_own_and_names_whom_it_asks() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let noting = move |question: &Value| {
        noted.lock().unwrap().push(question.clone());
        Reply::Json(agreement(question))
    };
    let far = [Far::that(noting.clone()).await, Far::that(noting).await];
    for _ in 0..2 {
        assert!(validated(&[&far[0], &far[1]], 2).await.verdict.is_ok());
    }
    let questions = seen.lock().unwrap().clone();
    let nonces: HashSet<_> = questions.iter().map(|question| question["nonce"].to_string()).collect();
    // The dice of each composition begin anew.
    assert_eq!((questions.len(), nonces.len()), (4, 2));
    for question in questions {
        assert_eq!(question["account"], "https://ca.example/account/1");
        assert!(["p0", "p1"].contains(&question["perspective"].as_str().unwrap()));
        let key_authorization = World::key_authorization();
        assert_eq!(
            question["look"]["validation"],
            json!({
                "method": "seen-01",
                "identifier": { "type": "dns", "value": "example.org" },
                "token": World::TOKEN,
                "thumbprint": key_authorization.as_str().split('.').nth(1).unwrap(),
            })
        );
    }
}

#[tokio::test]
async fn what_the_primary_did_not_see_nobody_is_asked_about() {
    let far = [Far::agreeing().await, Far::agreeing().await];
    let problem = Problem::new(ProblemType::Dns, "no such name");
    let method = Arc::new(Seen {
        verdict: Err(problem.clone()),
        probe: true,
        requests: Mutex::default(),
    });
    let report = wrapped(&[&far[0].url, &far[1].url], 2, method)
        .validate(request())
        .await;
    assert_eq!(report.verdict, Err(problem));
    assert_eq!(report.evidence.observations.len(), 1);
    assert_eq!((far[0].asked(), far[1].asked()), (0, 0));
}

#[tokio::test]
async fn a_remote_s_words_are_bounded_and_its_types_are_acme_s() {
    let far = |question: &Value| {
        let mut problem = Problem::new(ProblemType::Other("https://evil.test/".to_owned()), "a\r\n\u{1b}[31m");
        problem.detail.push_str(&"x".repeat(20_000));
        Reply::Json(refusal(question, &problem, false))
    };
    let far = [Far::that(far).await, Far::that(far).await];
    let problem = validated(&[&far[0], &far[1]], 1).await.verdict.unwrap_err();
    assert_eq!(problem.kind, ProblemType::ServerInternal);
    assert!(
        problem.detail.len() < 3000 && !problem.detail.contains(char::is_control),
        "{problem:?}"
    );
}

#[tokio::test]
async fn a_subscriber_does_not_learn_whom_a_remote_asks_in_the_dns() {
    let detail = "Looking up a: A: SERVFAIL (asked 10.0.0.53:53); AAAA: SERVFAIL (asked [fd00::53]:53).";
    let far = [Far::refusing(detail, false).await, Far::refusing(detail, false).await];
    let report = validated(&[&far[0], &far[1]], 1).await;
    let told = report.verdict.unwrap_err().detail;
    assert!(told.ends_with("Looking up a: A: SERVFAIL; AAAA: SERVFAIL."), "{told}");
    let evidence = serde_json::to_string(&report.evidence).unwrap();
    assert!(
        evidence.contains("10.0.0.53") && evidence.contains("fd00::53"),
        "{evidence}"
    );
}

#[test]
fn a_method_says_of_itself_what_it_said_before() {
    let (inner, name) = (Seen::control(), World::name("example.org"));
    let outer = wrapped(&["http://127.0.0.1:1", "http://127.0.0.1:2"], 2, inner.clone());
    assert_eq!(outer.name(), inner.name());
    assert!(outer.offered_for(&name) && !outer.offered_for(&World::name("example.com")));
    assert!(outer.serves(&name, "served") && !outer.serves(&name, "other"));
    assert_eq!(outer.has_token(), inner.has_token());
    assert_eq!(outer.members(&name, ""), inner.members(&name, ""));
    assert_eq!(outer.instead_of_token("t"), inner.instead_of_token("t"));
    assert_eq!(outer.take_response(&Map::new()), inner.take_response(&Map::new()));
    assert_eq!(outer.reusable(), inner.reusable());
    assert_eq!(outer.is_probe(), inner.is_probe());
}

#[tokio::test]
async fn a_method_that_looks_at_nothing_on_the_network_is_left_alone() {
    let far = [Far::agreeing().await, Far::agreeing().await];
    let method = Arc::new(Seen {
        verdict: Ok(()),
        probe: false,
        requests: Mutex::default(),
    });
    let report = wrapped(&[&far[0].url, &far[1].url], 2, method)
        .validate(request())
        .await;
    assert_eq!((report.verdict, report.evidence.observations.len()), (Ok(()), 1));
    assert_eq!((far[0].asked(), far[1].asked()), (0, 0));
}
