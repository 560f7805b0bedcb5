//! When a certificate is renewed, and what the CA has to say about it (RFC 9773).

use std::{
    fs,
    sync::{Arc, Mutex},
};

use client::{
    Clock as _, Error, Issued, Renewal, Renewed, issue, renew,
    store::{CertificateName, Store},
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::{Value, json};

use crate::{
    bench::Bench,
    fake::{Reply, Seen, World},
};

/// What the CA suggests; a test may change it.
type Suggested = Arc<Mutex<(Timestamp, Timestamp)>>;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A CA that says when to renew, unless the script says something else.
fn suggests(
    bench: &Bench,
    from: SignedDuration,
    to: SignedDuration,
    mut script: impl FnMut(&Seen, &mut World) -> Option<Reply> + Send + 'static,
) -> Suggested {
    let now = bench.clock.now();
    let suggested: Suggested = Arc::new(Mutex::new((now + from, now + to)));
    let (answered, clock) = (Arc::clone(&suggested), Arc::clone(&bench.clock));
    bench.fake.script(move |seen, world| {
        let reply = script(seen, world);
        if reply.is_some() {
            return reply;
        }
        if seen.is("/dir") {
            let mut directory = world.directory();
            directory["renewalInfo"] = world.url("/ari/").into();
            directory["meta"] = json!({"profiles": {"short": "six days"}});
            return Some(Reply::json(200, &directory));
        }
        let (start, end) = *answered.lock().unwrap();
        seen.target.starts_with("/ari/").then(|| {
            let info =
                json!({"suggestedWindow": {"start": start, "end": end}, "explanationURL": "https://ca.test/why"});
            // By the clock of the test, or the window would be read by another one.
            let date = DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&clock.now())
                .unwrap();
            Reply::json(200, &info).with("retry-after", "21600").with("date", date)
        })
    });
    suggested
}

fn questions(bench: &Bench) -> usize {
    let seen = bench.fake.seen();
    seen.iter().filter(|seen| seen.target.starts_with("/ari/")).count()
}

/// The payloads of newOrder requests.
fn ordered(bench: &Bench) -> Vec<Value> {
    let seen = bench.fake.seen();
    seen.iter()
        .filter(|seen| seen.is("/new-order"))
        .map(Seen::json)
        .collect()
}

async fn look_with(bench: &Bench, change: impl FnOnce(&mut Renewal)) -> Result<Renewed, Error> {
    let store = Store::open(bench.path("store")).unwrap();
    let name: CertificateName = "a.test".parse().unwrap();
    let mut renewal = Renewal {
        clock: bench.clock.clone(),
        ..Renewal::default()
    };
    change(&mut renewal);
    renew(&store, &name, &renewal).await
}

async fn look(bench: &Bench) -> Result<Renewed, Error> {
    look_with(bench, |_| ()).await
}

fn state(bench: &Bench) -> Value {
    serde_json::from_slice(&fs::read(bench.path("store/renewal/a.test.json")).unwrap()).unwrap()
}

fn id_of(issued: &Issued) -> String {
    client::renewal_id(issued.chain.leaf()).unwrap().to_string()
}

// 9773-4.3-1, 9773-4.1-1, 9773-4.3.2-1
#[tokio::test]
async fn the_ca_is_asked_right_after_issuance_and_then_when_it_says() {
    let bench = Bench::new().await;
    let suggested = suggests(&bench, hours(240), hours(250), |_, _| None);
    let issued = bench.issue(&["a.test"]).await.unwrap();
    let asked = bench
        .fake
        .seen()
        .into_iter()
        .filter(|seen| seen.target.starts_with("/ari/"));
    let asked: Vec<_> = asked.map(|seen| (seen.method.to_string(), seen.target)).collect();
    assert_eq!(asked, [("GET".to_owned(), format!("/ari/{}", id_of(&issued)))]);
    let due: Timestamp = state(&bench)["suggestion"]["renewal"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!((due, due.subsec_nanosecond()), (issued.plan.due, 0));

    for _ in 0..3 {
        let Renewed::NotDue(plan) = look(&bench).await.unwrap() else {
            panic!("renewed")
        };
        assert_eq!(plan.due, due);
    }
    assert_eq!(questions(&bench), 1);
    bench.clock.advance(hours(6));
    // CLIENTS 2, row 16: now it may be too late for the next look.
    *suggested.lock().unwrap() = (bench.clock.now() + hours(4), bench.clock.now() + hours(5));
    assert!(matches!(look(&bench).await.unwrap(), Renewed::Renewed(_)));
    // Once about the old certificate and once about the new one.
    assert_eq!(questions(&bench), 3);
}

// 9773-5-1, 9773-4.2-3
#[tokio::test]
async fn a_window_that_has_passed_is_now_and_the_order_says_what_it_replaces() {
    let bench = Bench::new().await;
    let suggested = suggests(&bench, hours(-2), hours(-1), |_, _| None);
    let first = bench.issue(&["a.test"]).await.unwrap();
    *suggested.lock().unwrap() = (bench.clock.now() + hours(240), bench.clock.now() + hours(250));
    let Renewed::Renewed(second) = look(&bench).await.unwrap() else {
        panic!("not renewed")
    };
    let orders = ordered(&bench);
    assert_eq!(orders[0].get("replaces"), None);
    assert_eq!(orders[1]["replaces"], id_of(&first));
    assert_eq!(state(&bench)["serial"], second.chain.leaf().serial().to_string());
    assert!(matches!(look(&bench).await.unwrap(), Renewed::NotDue(_)));
}

// 9773-5-5, CLIENTS 2, row 15
#[tokio::test]
async fn whatever_is_said_against_replaces_the_order_is_placed_without_it() {
    for (status, kind, detail) in [
        (409, "alreadyReplaced", "replaced by another order"),
        (
            403,
            "unauthorized",
            "requester account did not request the certificate being replaced",
        ),
        (400, "malformed", "no such predecessor"),
        (404, "malformed", "not found"),
    ] {
        let bench = Bench::new().await;
        suggests(&bench, hours(-2), hours(-1), move |seen, _| {
            let replaces = seen.is("/new-order") && seen.json().get("replaces").is_some();
            replaces.then(|| Reply::problem(status, kind, detail))
        });
        bench.issue(&["a.test"]).await.unwrap();
        assert!(matches!(look(&bench).await.unwrap(), Renewed::Renewed(_)), "{kind}");
        let with: Vec<_> = ordered(&bench)
            .iter()
            .map(|order| order.get("replaces").is_some())
            .collect();
        assert_eq!(with, [false, true, false], "{kind}");
    }
}

// 9773-5-5
#[tokio::test]
async fn an_order_that_is_refused_all_the_same_is_not_placed_for_ever() {
    let bench = Bench::new().await;
    suggests(&bench, hours(-2), hours(-1), |_, _| None);
    bench.issue(&["a.test"]).await.unwrap();
    suggests(&bench, hours(-2), hours(-1), |seen, _| {
        seen.is("/new-order")
            .then(|| Reply::problem(403, "unauthorized", "go away"))
    });
    assert!(matches!(look(&bench).await.unwrap_err(), Error::Refused(_)));
    assert_eq!(ordered(&bench).len(), 3);
    bench.clock.advance(hours(1));
    suggests(&bench, hours(-2), hours(-1), |seen, _| {
        seen.is("/new-order")
            .then(|| Reply::problem(400, "rejectedIdentifier", "not that name"))
    });
    assert!(matches!(look(&bench).await.unwrap_err(), Error::Refused(_)));
    assert_eq!(ordered(&bench).len(), 4, "it was about something else");
}

// 9773-5-1
#[tokio::test]
async fn a_ca_that_says_nothing_of_renewals_is_told_nothing() {
    let bench = Bench::new().await;
    bench.issue(&["a.test"]).await.unwrap();
    let renewed = look_with(&bench, |renewal| renewal.force = true).await.unwrap();
    assert!(matches!(renewed, Renewed::Renewed(_)));
    assert!(ordered(&bench).iter().all(|order| order.get("replaces").is_none()));
    assert_eq!(questions(&bench), 0);
}

// 9773-4.3.3-1
#[tokio::test]
async fn a_ca_that_cannot_say_is_asked_again_after_six_hours_and_the_own_plan_holds() {
    for broken in [
        Reply::problem(404, "malformed", "no such certificate"),
        Reply::json(200, &json!({"suggestedWindow": {}})),
        Reply::json(
            200,
            &json!({"suggestedWindow": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}}),
        ),
        Reply::text(200, "text/html", "<html></html>"),
    ] {
        let bench = Bench::new().await;
        suggests(&bench, hours(0), hours(1), move |seen, _| {
            seen.target.starts_with("/ari/").then(|| broken.clone())
        });
        let issued = bench.issue(&["a.test"]).await.unwrap();
        let own = client::RenewalPlan::new(issued.not_before(), issued.not_after());
        assert_eq!(issued.plan, own);
        assert!(matches!(look(&bench).await.unwrap(), Renewed::NotDue(_)));
        assert_eq!(questions(&bench), 1);
        bench.clock.advance(hours(6));
        assert!(matches!(look(&bench).await.unwrap(), Renewed::NotDue(_)));
        assert_eq!(questions(&bench), 2);
        bench.clock.advance(hours(24 * 61));
        assert!(matches!(look(&bench).await.unwrap(), Renewed::Renewed(_)));
    }
}

// 9773-4.3-1
#[tokio::test]
async fn what_has_expired_is_renewed_without_a_question() {
    let bench = Bench::new().await;
    suggests(&bench, hours(240), hours(250), |_, _| None);
    bench.issue(&["a.test"]).await.unwrap();
    bench.clock.advance(hours(24 * 91));
    let about = |bench: &Bench| questions(bench);
    let before = about(&bench);
    // The fake issues by the machine's clock, so what it gives is over as well, and not installed.
    assert!(look(&bench).await.is_err());
    assert_eq!(about(&bench), before);
}

// CLIENTS 2, row 16
#[tokio::test]
async fn a_renewal_that_fails_rests_longer_each_time_also_across_runs() {
    let bench = Bench::new().await;
    let failing = |seen: &Seen, _: &mut World| {
        seen.is("/new-order")
            .then(|| Reply::problem(400, "rejectedIdentifier", "not now"))
    };
    suggests(&bench, hours(-2), hours(-1), |_, _| None);
    bench.issue(&["a.test"]).await.unwrap();
    suggests(&bench, hours(-2), hours(-1), failing);
    assert!(look(&bench).await.is_err());
    assert_eq!(state(&bench)["failures"]["count"], 1);
    assert!(matches!(look(&bench).await.unwrap(), Renewed::Resting { .. }));
    assert!(look_with(&bench, |renewal| renewal.force = true).await.is_err());
    bench.clock.advance(SignedDuration::from_mins(6));
    assert!(matches!(look(&bench).await.unwrap(), Renewed::Resting { .. }));
    bench.clock.advance(SignedDuration::from_mins(5));
    suggests(&bench, hours(-2), hours(-1), |_, _| None);
    assert!(matches!(look(&bench).await.unwrap(), Renewed::Renewed(_)));
    assert_eq!(state(&bench).get("failures"), None);
}

#[tokio::test]
async fn a_dry_run_says_what_is_due_and_leaves_no_trace() {
    let bench = Bench::new().await;
    suggests(&bench, hours(-2), hours(-1), |_, _| None);
    bench.issue(&["a.test"]).await.unwrap();
    let before = state(&bench);
    let renewed = look_with(&bench, |renewal| renewal.dry_run = true).await.unwrap();
    assert!(matches!(renewed, Renewed::Due(plan) if plan.is_suggested));
    assert_eq!((state(&bench), ordered(&bench).len()), (before, 1));
}

#[tokio::test]
async fn what_was_written_down_and_is_damaged_is_asked_for_again() {
    let bench = Bench::new().await;
    suggests(&bench, hours(240), hours(250), |_, _| None);
    bench.issue(&["a.test"]).await.unwrap();
    fs::write(bench.path("store/renewal/a.test.json"), "{").unwrap();
    assert!(matches!(look(&bench).await.unwrap(), Renewed::NotDue(plan) if plan.is_suggested));
    assert_eq!(questions(&bench), 2);
}

// PROF-4-1
#[tokio::test]
async fn a_profile_is_asked_for_also_when_renewing() {
    let bench = Bench::new().await;
    suggests(&bench, hours(-2), hours(-1), |_, _| None);
    let mut request = bench.request(&["a.test"]);
    request.profile = Some("short".to_owned());
    issue(request).await.unwrap();
    look(&bench).await.unwrap();
    let profiles: Vec<_> = ordered(&bench).iter().map(|order| order["profile"].clone()).collect();
    assert_eq!(profiles, ["short", "short"]);
}

// PROF-4-1
#[tokio::test]
async fn a_profile_that_is_not_offered_is_not_ordered_and_one_that_is_ignored_is_noticed() {
    let bench = Bench::new().await;
    let mut request = bench.request(&["a.test"]);
    request.profile = Some("short".to_owned());
    assert!(matches!(issue(request.clone()).await.unwrap_err(), Error::Input(_)));
    bench.clock.advance(hours(2));
    suggests(&bench, hours(240), hours(250), |_, _| None);
    let mut other = request.clone();
    other.profile = Some("other".to_owned());
    let Error::Input(why) = issue(other).await.unwrap_err() else {
        panic!("ordered")
    };
    assert!(why.contains("short") && why.contains("six days"), "{why}");
    assert_eq!(ordered(&bench).len(), 0);
    suggests(&bench, hours(240), hours(250), |seen, world| {
        let made = seen.is("/new-order").then(|| world.answer(seen))?;
        let mut order: Value = serde_json::from_slice(&made.body).unwrap();
        order.as_object_mut().unwrap().remove("profile");
        Some(Reply::json(201, &order).with("location", world.url("/order/0")))
    });
    assert!(matches!(issue(request).await.unwrap_err(), Error::Protocol { .. }));
}
