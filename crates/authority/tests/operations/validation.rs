//! Attempts at validation: when they are made, what a failure leaves, who goes on when a node dies (RFC 8555 §8.2).

use std::time::Duration;

use acme::{AuthorizationStatus, ChallengeStatus, OrderStatus, Problem, ProblemType};
use authority::{
    Policy,
    model::{Authorization, AuthorizationState},
    ports::{Store, Subject},
};

use crate::world::{DAY, DNS, HTTP, World, challenge, method::Answer};

const SECOND: Duration = Duration::from_secs(1);

fn shown(authorization: &Authorization) -> (ChallengeStatus, Option<&Problem>) {
    let (status, _, error) = authorization.challenge_status(HTTP).unwrap();
    (status, error)
}

fn attempts_told(problem: &Problem) -> Vec<&str> {
    problem
        .subproblems
        .iter()
        .map(|problem| problem.detail.as_str())
        .collect()
}

// 8555-8.2-1, 8555-8-2
#[tokio::test]
async fn a_failure_that_may_pass_stays_processing_and_is_tried_again_when_it_is_due() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let id = order.order.authorizations[0];
    world
        .http
        .will([Answer::Transient("first"), Answer::Transient("second")]);

    let first = world.respond(&account, &order, 0, HTTP).await;
    let (status, error) = shown(&first);
    assert_eq!(status, ChallengeStatus::Processing);
    assert_eq!(error.unwrap().detail, "first");
    assert_eq!(first.status(world.clock.now()), AuthorizationStatus::Pending);
    assert_eq!(world.status_now(&order).await, OrderStatus::Pending);

    world.pass(world.policy.validation_retry - SECOND).await;
    assert_eq!((world.resume().await, world.http.attempts()), (0, 1));
    world.pass(SECOND).await;
    assert_eq!(world.http.attempts(), 2);
    let second = world.store.authorization(id).await.unwrap().unwrap();
    let (status, error) = shown(&second);
    assert_eq!(status, ChallengeStatus::Processing);
    assert_eq!(attempts_told(error.unwrap()), ["first", "second"]);
    assert_eq!(second.evidence().len(), 2);

    world.pass(world.policy.validation_retry).await;
    let third = world.store.authorization(id).await.unwrap().unwrap();
    assert_eq!(
        (shown(&third), world.http.attempts()),
        ((ChallengeStatus::Valid, None), 3)
    );
    assert_eq!(third.evidence().len(), 3);
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

// 8555-8.2-1, 8555-7.1.6-2
#[tokio::test]
async fn the_last_attempt_makes_the_challenge_invalid_with_a_subproblem_for_each() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let answers = ["first", "second", "third"];
    world.http.will(answers.map(Answer::Transient));

    world.respond(&account, &order, 0, HTTP).await;
    world.pass(world.policy.validation_retry).await;
    world.pass(world.policy.validation_retry).await;
    let order = world.reread(&order).await;
    let (status, error) = shown(&order.authorizations[0]);
    assert_eq!(status, ChallengeStatus::Invalid);
    assert_eq!(attempts_told(error.unwrap()), answers);
    assert_eq!(world.status(&order), OrderStatus::Invalid);
    assert_eq!(order.error(world.clock.now()).as_ref(), error);

    world.pass(DAY).await;
    assert_eq!((world.resume().await, world.http.attempts()), (0, 3));
}

// 8555-8.2-1
#[tokio::test]
async fn what_an_attempt_said_in_subproblems_of_its_own_is_not_taken_for_attempts() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let failure = |detail: &str| {
        let addresses = ["192.0.2.1", "192.0.2.2"].map(|at| Problem::new(ProblemType::Connection, at));
        Problem::new(ProblemType::Connection, detail).with_subproblems(addresses.to_vec())
    };
    let answers = ["first", "second", "third"];
    world
        .http
        .will(answers.map(|detail| Answer::Failed(failure(detail), true)));

    world.respond(&account, &order, 0, HTTP).await;
    world.pass(world.policy.validation_retry).await;
    world.pass(world.policy.validation_retry).await;
    let order = world.reread(&order).await;
    let (status, error) = shown(&order.authorizations[0]);
    assert_eq!(status, ChallengeStatus::Invalid);
    assert_eq!(attempts_told(error.unwrap()), answers);
}

#[tokio::test]
async fn a_lasting_failure_is_final_at_once() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.http.will([Answer::Lasting("wrong content")]);

    let authorization = world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(authorization.status(world.clock.now()), AuthorizationStatus::Invalid);
    let (status, error) = shown(&authorization);
    assert_eq!(
        (status, error.unwrap().detail.as_str()),
        (ChallengeStatus::Invalid, "wrong content")
    );
    world.pass(DAY).await;
    assert_eq!((world.resume().await, world.http.attempts()), (0, 1));
}

// 8555-8.2-2
#[tokio::test]
async fn a_response_sent_again_has_the_next_attempt_made_at_once_but_not_in_a_row() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world
        .http
        .will([Answer::Transient("first"), Answer::Transient("second")]);

    world.respond(&account, &order, 0, HTTP).await;
    for _ in 0..10 {
        world.respond(&account, &order, 0, HTTP).await;
    }
    assert_eq!(
        world.http.attempts(),
        1,
        "a flood of responses is not a flood of attempts"
    );
    world.pass(SECOND * 2).await;
    let second = world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(world.http.attempts(), 2);
    assert_eq!(attempts_told(shown(&second).1.unwrap()), ["first", "second"]);
    world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(world.http.attempts(), 2);
    world.pass(SECOND * 2).await;
    let third = world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(shown(&third), (ChallengeStatus::Valid, None));
}

// 8555-8.2-1
#[tokio::test]
async fn an_attempt_made_on_request_moves_the_time_of_the_next() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world
        .http
        .will([Answer::Transient("first"), Answer::Transient("second")]);

    world.respond(&account, &order, 0, HTTP).await;
    world.pass(SECOND * 3).await;
    world.respond(&account, &order, 0, HTTP).await;
    world.pass(world.policy.validation_retry - SECOND).await;
    assert_eq!(
        world.http.attempts(),
        2,
        "the first failure's time means nothing any more"
    );
    world.pass(SECOND).await;
    assert_eq!(world.http.attempts(), 3);
}

// 8555-8.2-2
#[tokio::test]
async fn an_attempt_made_on_request_is_waited_for_no_longer_than_the_first() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([Answer::Transient("first"), held]);

    world.respond(&account, &order, 0, HTTP).await;
    world.pass(SECOND * 2).await;
    let again = world.authority.respond(&account, challenge(&order, 0, HTTP));
    let answer = world.meanwhile(world.policy.validation_wait, again).await.unwrap();
    assert_eq!(shown(&answer).0, ChallengeStatus::Processing);
    drop(release.send(Answer::Valid));
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

#[tokio::test]
async fn a_validation_that_takes_long_is_answered_as_processing_and_concluded_later() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let id = order.order.authorizations[0];
    let (release, held) = Answer::held();
    world.http.will([held]);
    world.told.take();

    let response = world.authority.respond(&account, challenge(&order, 0, HTTP));
    let answer = world.meanwhile(world.policy.validation_wait, response).await.unwrap();
    assert_eq!(shown(&answer), (ChallengeStatus::Processing, None));
    let stored = world.store.authorization(id).await.unwrap().unwrap();
    let AuthorizationState::Processing { lease, attempts, .. } = stored.state else {
        panic!("{stored:?}");
    };
    assert_eq!(lease, world.clock.now().checked_add(world.policy.lease).unwrap());
    assert_eq!(attempts, 0);
    assert_eq!(world.told.take(), [Subject::Authorization(id)]);

    world.pass(SECOND).await;
    let again = world.respond(&account, &order, 0, HTTP).await;
    assert_eq!(
        (shown(&again).0, world.http.attempts()),
        (ChallengeStatus::Processing, 1)
    );
    drop(release.send(Answer::Valid));
    world.settle().await;
    assert_eq!(world.told.take(), [Subject::Authorization(id)]);
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

#[tokio::test]
async fn when_a_node_dies_in_a_validation_another_makes_the_attempt_after_the_lease() {
    let mut world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (_never, held) = Answer::held();
    world.http.will([held]);
    let response = world.authority.respond(&account, challenge(&order, 0, HTTP));
    world.meanwhile(world.policy.validation_wait, response).await.unwrap();

    world.restart();
    world.pass(world.policy.lease - SECOND).await;
    assert_eq!((world.resume().await, world.http.attempts()), (0, 1));
    world.pass(SECOND).await;
    assert_eq!((world.resume().await, world.http.attempts()), (1, 2));
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    let [first, second] = world.http.seen().try_into().unwrap();
    assert_eq!(first.key_authorization.as_str(), second.key_authorization.as_str());
}

#[tokio::test]
async fn when_a_node_dies_between_attempts_another_makes_the_next_when_it_is_due() {
    let mut world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.http.will([Answer::Transient("first")]);
    world.respond(&account, &order, 0, HTTP).await;

    world.restart();
    world.pass(world.policy.validation_retry - SECOND).await;
    assert_eq!((world.resume().await, world.http.attempts()), (0, 1));
    world.pass(SECOND).await;
    assert_eq!((world.resume().await, world.http.attempts()), (1, 2));
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

// 8555-7.5.1-7
#[tokio::test]
async fn a_result_that_comes_after_somebody_elses_changes_nothing() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held, Answer::Lasting("seen by the second")]);
    let response = world.authority.respond(&account, challenge(&order, 0, HTTP));
    world.meanwhile(world.policy.validation_wait, response).await.unwrap();

    world.pass(world.policy.lease).await;
    assert_eq!(world.resume().await, 1);
    assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
    drop(release.send(Answer::Valid));
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
}

// 8555-7.1.6-1
#[tokio::test]
async fn a_success_after_the_authorization_expired_does_not_bring_it_back() {
    let world = World::with(Policy {
        order_lifetime: SECOND * 10,
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held]);
    let response = world.authority.respond(&account, challenge(&order, 0, HTTP));
    world.meanwhile(world.policy.validation_wait, response).await.unwrap();

    world.pass(SECOND * 10).await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Invalid);
    drop(release.send(Answer::Valid));
    world.settle().await;
    let order = world.reread(&order).await;
    let status = order.authorizations[0].status(world.clock.now());
    assert_ne!(status, AuthorizationStatus::Valid);
    assert_eq!(world.status(&order), OrderStatus::Invalid);
}

#[tokio::test]
async fn an_expired_authorization_is_not_looked_at_for_ever() {
    let mut world = World::with(Policy {
        order_lifetime: SECOND * 3,
        validation_attempts: 1000,
        ..Policy::default()
    })
    .await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.http.will([Answer::Transient("first")]);
    world.http.will((0..100).map(|_| Answer::Transient("later")));
    world.respond(&account, &order, 0, HTTP).await;
    world.restart();
    for _ in 0..5 {
        world.pass(DAY).await;
        world.resume().await;
    }
    assert!(world.http.attempts() <= 2, "{}", world.http.attempts());
}

#[tokio::test]
async fn a_wildcard_is_proved_by_the_method_that_can_and_looked_at_as_a_wildcard() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["*.a.example"]).await;
    let authorization = &order.authorizations[0];
    assert!(authorization.wildcard);
    assert_eq!(authorization.identifier.value, "a.example");
    let offered: Vec<_> = authorization.challenges.iter().map(|c| c.method.as_str()).collect();
    assert_eq!(offered, ["dns-01"]);
    world.respond(&account, &order, 0, 0).await;
    assert_eq!(world.http.attempts(), 0);
    assert_eq!(world.dns.seen()[0].name.identifier().value, "*.a.example");
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    assert_eq!(order.authorizations[0].challenge_status(DNS), None);
}
