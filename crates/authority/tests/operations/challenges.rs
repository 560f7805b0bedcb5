//! Responding to challenges (RFC 8555 §7.5.1).

use acme::{AuthorizationStatus, ChallengeStatus, KeyAuthorization, OrderStatus};
use authority::{
    Refusal,
    model::{Account, AuthorizationId, ChallengeId},
    ports::{Change, Committed, Store},
};
use futures_util::future::join;
use jose::{Algorithm, SigningKey};

use crate::world::{DNS, HTTP, World, challenge, method::Answer, refusal};

// 8555-7.5.1-7
#[tokio::test]
async fn of_two_challenges_answered_at_once_on_two_nodes_the_first_result_decides() {
    let decided = [
        (HTTP, (|| Answer::Valid) as fn() -> Answer, AuthorizationStatus::Valid),
        (HTTP, || Answer::Lasting("no"), AuthorizationStatus::Invalid),
        (DNS, || Answer::Valid, AuthorizationStatus::Valid),
        (DNS, || Answer::Lasting("no"), AuthorizationStatus::Invalid),
    ];
    for (first, answer, expected) in decided {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.order(&account, &["a.example"]).await;
        let (http, held_http) = Answer::held();
        let (dns, held_dns) = Answer::held();
        world.http.will([held_http]);
        world.dns.will([held_dns]);
        let (first_sender, second_sender) = if first == HTTP { (http, dns) } else { (dns, http) };
        let contrary = match expected {
            AuthorizationStatus::Valid => Answer::Lasting("too late"),
            _ => Answer::Valid,
        };
        let second_node = world.second_node();
        let both = join(
            world.authority.respond(&account, challenge(&order, 0, HTTP)),
            second_node.respond(&account, challenge(&order, 0, DNS)),
        );
        let ((one, other), ()) = join(both, async {
            world.settle().await;
            drop(first_sender.send(answer()));
            world.settle().await;
            drop(second_sender.send(contrary));
        })
        .await;
        for seen in [
            one.unwrap(),
            other.unwrap(),
            world.reread(&order).await.authorizations[0].clone(),
        ] {
            assert_eq!(seen.status(world.clock.now()), expected);
            assert_eq!(seen.shown_challenges().collect::<Vec<_>>(), [first]);
        }
    }
}

// 8555-7.5.1-7
#[tokio::test]
async fn on_one_node_responses_at_once_make_one_validation_and_all_see_its_result() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held]);
    let respond = |index| world.authority.respond(&account, challenge(&order, 0, index));
    let all = futures_util::future::join3(respond(HTTP), respond(DNS), respond(HTTP));
    let ((one, two, three), ()) = join(all, async {
        world.settle().await;
        drop(release.send(Answer::Valid));
    })
    .await;
    for seen in [one, two, three] {
        let seen = seen.unwrap();
        assert_eq!(seen.status(world.clock.now()), AuthorizationStatus::Valid);
        assert_eq!(seen.shown_challenges().collect::<Vec<_>>(), [HTTP]);
    }
    assert_eq!((world.http.attempts(), world.dns.attempts()), (1, 0));
}

// 8555-7.5.1-6: whoever asked may have gone away meanwhile.
#[tokio::test]
async fn a_response_whose_sender_went_away_is_concluded_all_the_same() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held]);
    let (authority, asking, id) = (world.authority.clone(), account.clone(), challenge(&order, 0, HTTP));
    let request = tokio::spawn(async move { authority.respond(&asking, id).await });
    world.settle().await;
    request.abort();
    world.settle().await;
    drop(release.send(Answer::Valid));
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
    assert_eq!(world.http.attempts(), 1);
}

// 8555-7.5.1-7
#[tokio::test]
async fn while_one_challenge_is_processing_a_response_to_another_shows_the_authorization() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    let (release, held) = Answer::held();
    world.http.will([held]);
    let slow = world.authority.respond(&account, challenge(&order, 0, HTTP));
    world.meanwhile(world.policy.validation_wait, slow).await.unwrap();

    let shown = world.respond(&account, &order, 0, DNS).await;
    let status = |index| shown.challenge_status(index).unwrap().0;
    assert_eq!(
        (status(HTTP), status(DNS)),
        (ChallengeStatus::Processing, ChallengeStatus::Pending)
    );
    assert_eq!(world.dns.attempts(), 0);
    drop(release.send(Answer::Valid));
    world.settle().await;
    assert_eq!(world.status_now(&order).await, OrderStatus::Ready);
}

// 8555-7.5.1-6
#[tokio::test]
async fn a_response_to_what_is_decided_shows_it_and_validates_nothing() {
    for (answer, expected) in [
        (Answer::Valid, AuthorizationStatus::Valid),
        (Answer::Lasting("no"), AuthorizationStatus::Invalid),
    ] {
        let world = World::new().await;
        let account = world.account().await;
        let order = world.order(&account, &["a.example"]).await;
        world.http.will([answer]);
        let decided = world.respond(&account, &order, 0, HTTP).await;
        world.told.take();
        for index in [HTTP, DNS, HTTP] {
            let shown = world.respond(&account, &order, 0, index).await;
            assert_eq!(shown.status(world.clock.now()), expected);
            assert_eq!(shown.version, decided.version);
        }
        assert_eq!((world.http.attempts(), world.dns.attempts()), (1, 0));
        assert_eq!(world.told.take(), []);
    }
}

#[tokio::test]
async fn a_deactivated_or_expired_authorization_is_not_answered() {
    let world = World::new().await;
    let account = world.account().await;
    let deactivated = world.order(&account, &["a.example"]).await;
    let id = deactivated.order.authorizations[0];
    world.authority.deactivate_authorization(&account, id).await.unwrap();
    let outcome = world
        .authority
        .respond(&account, challenge(&deactivated, 0, HTTP))
        .await;
    assert!(matches!(refusal(outcome), Refusal::Malformed(why) if why.contains("deactivated")));

    let expired = world.order(&account, &["b.example"]).await;
    world.pass(world.policy.order_lifetime).await;
    let outcome = world.authority.respond(&account, challenge(&expired, 0, HTTP)).await;
    assert!(matches!(refusal(outcome), Refusal::Malformed(why) if why.contains("expired")));
    assert_eq!(world.http.attempts(), 0);
}

#[tokio::test]
async fn what_was_never_offered_and_what_is_somebody_elses_is_not_found() {
    let world = World::new().await;
    let (account, other) = (world.account().await, world.account().await);
    let order = world.order(&account, &["a.example"]).await;
    let never = ChallengeId {
        authorization: AuthorizationId(u64::MAX >> 1),
        index: HTTP,
    };
    let outcomes = [
        world.authority.respond(&account, challenge(&order, 0, DNS + 1)).await,
        world.authority.respond(&account, never).await,
        world.authority.respond(&other, challenge(&order, 0, HTTP)).await,
    ];
    for outcome in outcomes {
        assert_eq!(refusal(outcome), Refusal::NotFound);
    }
    assert_eq!(world.http.attempts(), 0);
}

// 8555-8.1-1
#[tokio::test]
async fn the_key_authorization_is_bound_when_the_challenge_is_answered() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example"]).await;
    world.http.will([Answer::Transient("not yet")]);
    world.respond(&account, &order, 0, HTTP).await;

    let other_key = SigningKey::generate(Algorithm::Es256).unwrap();
    let moved = Account {
        key: other_key.jwk().clone(),
        ..Account::clone(&account)
    };
    let committed = world.store.commit(Change::UpdateAccount(moved)).await.unwrap();
    assert_eq!(committed, Committed::Done);
    world.pass(world.policy.validation_retry).await;

    let seen = world.http.seen();
    assert_eq!(seen.len(), 2);
    let bound = KeyAuthorization::new(&order.authorizations[0].challenges[0].token, &account.key.thumbprint());
    for request in seen {
        assert_eq!(request.key_authorization.as_str(), bound.as_str());
    }
}

// 8555-8.1-1
#[tokio::test]
async fn every_challenge_has_a_token_of_its_own() {
    let world = World::new().await;
    let account = world.account().await;
    let order = world.order(&account, &["a.example", "b.example", "*.a.example"]).await;
    let tokens: Vec<_> = order
        .authorizations
        .iter()
        .flat_map(|authorization| &authorization.challenges)
        .map(|challenge| challenge.token.clone())
        .collect();
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!((tokens.len(), distinct.len()), (5, 5));
    assert!(tokens.iter().all(|token| token.len() >= 22), "128 bits in base64url");
}
