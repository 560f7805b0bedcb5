//! Codes that go out with an authorization and come back: each challenge decided once, whatever comes first and whatever
//! crashes.

use std::{cell::RefCell, sync::Arc, time::Duration};

use acme::{AuthorizationStatus, ChallengeStatus, Problem, ProblemType};
use authority::{
    CodeReturn, Failure, Limit, Refusal, Registry,
    identifier::Name,
    model::{AccountId, Authorization, Evidence, SentCode},
    ports::{BoxFuture, CodeLimit, CodeTransport, Dispatch, Report, Store, ValidationMethod, ValidationRequest},
};
use jiff::Timestamp;

use crate::world::{DAY, HOUR, World, new_order};

/// The challenge's place: after http-01 and dns-01.
const REPLY: u8 = 2;
const MINUTES: Duration = Duration::from_secs(240);

thread_local! {
    /// What went out.
    static OUT: RefCell<Vec<SentCode>> = const { RefCell::new(Vec::new()) };
    /// What becomes of the next ones.
    static WILL: RefCell<Vec<Dispatch>> = const { RefCell::new(Vec::new()) };
}

struct Pigeons;

impl CodeTransport for Pigeons {
    fn octets(&self) -> usize {
        24
    }

    fn window(&self) -> Duration {
        DAY
    }

    fn limits(&self, _account: AccountId, name: &Name) -> Vec<CodeLimit> {
        vec![CodeLimit {
            limit: Limit { count: 3, period: HOUR },
            key: name.identifier().value.clone(),
            what: "pigeons".to_owned(),
        }]
    }

    fn send(&self, code: SentCode) -> BoxFuture<'static, Dispatch> {
        OUT.with_borrow_mut(|out| out.push(code));
        let will = WILL.with_borrow_mut(Vec::pop);
        Box::pin(async move { will.unwrap_or(Dispatch::Sent("the loft".to_owned())) })
    }
}

struct ByPigeon;

impl ValidationMethod for ByPigeon {
    fn name(&self) -> &'static str {
        "pigeon-00"
    }

    fn offered_for(&self, _name: &Name) -> bool {
        true
    }

    fn code(&self) -> Option<Arc<dyn CodeTransport>> {
        Some(Arc::new(Pigeons))
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let code = request.code;
        let answer = code.as_ref().and_then(|code| code.returned.as_ref());
        let verdict = match (&code, answer) {
            (None, _) => Err("forgotten".to_owned()),
            (Some(code), Some(returned)) if returned.answer == code.code => Ok(()),
            (Some(_), Some(_)) => Err("wrong".to_owned()),
            (Some(code), None) => Err(code.refused.clone().unwrap_or("late".to_owned())),
        };
        let report = Report {
            evidence: Evidence {
                method: "pigeon-00".to_owned(),
                perspective: "local".to_owned(),
                started: Timestamp::UNIX_EPOCH,
                finished: Timestamp::UNIX_EPOCH,
                observations: Vec::new(),
            },
            verdict: verdict.map_err(|why| Problem::new(ProblemType::Unauthorized, why)),
            transient: false,
        };
        Box::pin(std::future::ready(report))
    }
}

async fn world() -> World {
    World::extended(Default::default(), |registry: &mut Registry| {
        registry.add_method(Arc::new(ByPigeon));
    })
    .await
}

fn out() -> Vec<SentCode> {
    OUT.with_borrow(Clone::clone)
}

fn status(world: &World, authorization: &Authorization) -> (AuthorizationStatus, ChallengeStatus) {
    let (challenge, _, _) = authorization.challenge_status(REPLY).unwrap();
    (authorization.status(world.clock.now()), challenge)
}

const WAITING: (AuthorizationStatus, ChallengeStatus) = (AuthorizationStatus::Pending, ChallengeStatus::Processing);
const PROVED: (AuthorizationStatus, ChallengeStatus) = (AuthorizationStatus::Valid, ChallengeStatus::Valid);
const FAILED: (AuthorizationStatus, ChallengeStatus) = (AuthorizationStatus::Invalid, ChallengeStatus::Invalid);

// 8823-3-4, 8823-3-10
#[tokio::test]
async fn a_code_goes_out_with_the_order_and_a_challenge_that_waits_is_decided_when_it_comes_back() {
    let world = world().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.settle().await;
    let sent = out();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].code.len(), 32);

    let waiting = world.respond(&account, &order, 0, REPLY).await;
    assert_eq!(status(&world, &waiting), WAITING);
    world.pass(HOUR).await;
    let again = world.respond(&account, &order, 0, REPLY).await;
    assert_eq!(status(&world, &again), WAITING);
    assert_eq!(again.evidence(), &[]);

    let returned = world.authority.code_returned(&sent[0].place, &sent[0].code, Vec::new());
    assert_eq!(returned.await.unwrap(), CodeReturn::Taken);
    let decided = world.store.authorization(waiting.id).await.unwrap().unwrap();
    assert_eq!(status(&world, &decided), PROVED);
    assert_eq!(out().len(), 1);
}

// 8823-3-10
#[tokio::test]
async fn a_code_that_comes_back_before_the_response_decides_it_at_once() {
    let world = world().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.settle().await;
    let sent = out().remove(0);
    let returned = world.authority.code_returned(&sent.place, &sent.code, Vec::new());
    assert_eq!(returned.await.unwrap(), CodeReturn::Taken);
    let decided = world.respond(&account, &order, 0, REPLY).await;
    assert_eq!(status(&world, &decided), PROVED);
}

// 8823-3.2-9
#[tokio::test]
async fn a_wrong_answer_decides_too_and_the_right_one_after_it_is_not_awaited() {
    let world = world().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let waiting = world.respond(&account, &order, 0, REPLY).await;
    let sent = out().remove(0);
    for (answer, expected) in [("another", CodeReturn::Taken), (&sent.code, CodeReturn::NotAwaited)] {
        let returned = world.authority.code_returned(&sent.place, answer, Vec::new());
        assert_eq!(returned.await.unwrap(), expected);
    }
    let decided = world.store.authorization(waiting.id).await.unwrap().unwrap();
    assert_eq!(status(&world, &decided), FAILED);
    assert!(world.authority.awaited_code(&sent.place).await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_delivered_fails_without_waiting() {
    let world = world().await;
    let account = world.account().await;
    WILL.set(vec![Dispatch::Refused("nobody lives there".to_owned())]);
    let order = world.order(&account, &["a.example"]).await;
    world.settle().await;
    let decided = world.respond(&account, &order, 0, REPLY).await;
    assert_eq!(status(&world, &decided), FAILED);
    let (_, _, problem) = decided.challenge_status(REPLY).unwrap();
    assert_eq!(problem.unwrap().detail, "nobody lives there");
}

#[tokio::test]
async fn what_was_not_sent_is_sent_again_with_the_same_code_also_by_the_next_process() {
    let mut world = world().await;
    let account = world.account().await;
    WILL.set(vec![
        Dispatch::Later("fog".to_owned()),
        Dispatch::Later("fog".to_owned()),
    ]);
    world.order(&account, &["a.example"]).await;
    world.settle().await;
    assert_eq!(world.authority.send_codes(10).await.unwrap(), 0);
    world.pass(MINUTES).await;
    world.authority.send_codes(10).await.unwrap();
    world.settle().await;
    world.restart();
    world.pass(MINUTES).await;
    world.authority.send_codes(10).await.unwrap();
    world.settle().await;
    let codes: Vec<String> = out().into_iter().map(|code| code.code).collect();
    assert_eq!(codes.len(), 3);
    assert!(codes.iter().all(|code| *code == codes[0]));
    world.pass(HOUR).await;
    assert_eq!(world.authority.send_codes(10).await.unwrap(), 0);
}

#[tokio::test]
async fn a_challenge_whose_answer_never_comes_ends_with_its_window_and_its_code_is_forgotten() {
    let world = world().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let waiting = world.respond(&account, &order, 0, REPLY).await;
    let sent = out().remove(0);
    world.pass(DAY - HOUR).await;
    world.resume().await;
    world.settle().await;
    let still = world.store.authorization(waiting.id).await.unwrap().unwrap();
    assert_eq!(status(&world, &still), WAITING);

    world.pass(HOUR).await;
    world.resume().await;
    world.settle().await;
    let ended = world.store.authorization(waiting.id).await.unwrap().unwrap();
    assert_eq!(status(&world, &ended), FAILED);
    let late = world.authority.code_returned(&sent.place, &sent.code, Vec::new());
    assert_eq!(late.await.unwrap(), CodeReturn::NotAwaited);
    world.authority.send_codes(10).await.unwrap();
    let kept = world.store.record("code/default", &sent.place).await.unwrap();
    assert_eq!(kept, None);
}

// 8823-3-5
#[tokio::test]
async fn nobody_is_buried_in_codes_by_orders_and_what_is_refused_stores_nothing() {
    let world = world().await;
    let account = world.account().await;
    for _ in 0..3 {
        world.order(&account, &["a.example"]).await;
    }
    let refused = world.authority.new_order(&account, new_order(&["a.example"])).await;
    let Err(Failure::Refused(Refusal::RateLimited { detail, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert!(detail.contains("too many pigeons: 3 in 1 h"), "{detail}");
    world.settle().await;
    assert_eq!(out().len(), 3);
    world.order(&account, &["b.example"]).await;
}
