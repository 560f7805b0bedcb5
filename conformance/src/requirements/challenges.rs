//! Responding to challenges (RFC 8555 §7.5.1, §8).

use futures_util::future::join_all;
use jose::{Algorithm, SigningKey, base64url};
use serde_json::json;

use crate::{
    World, ensure,
    responder::Page,
    test::Outcome,
    world::{find_challenge, poll},
};

crate::tests! {
    "8555-7.5.1-2" => members_that_old_clients_send_are_ignored;
    "8555-7.5.1-3" => a_response_that_is_no_object_is_malformed;
    "8555-7.5.1-3", "8555-8-1" => a_response_gets_the_challenge;
    "8555-7.5.1-6", "0.1-6" => a_response_to_a_valid_challenge_gets_the_challenge;
    "8555-7.5.1-6" => a_response_to_an_invalid_challenge_changes_nothing;
    "8555-7.5.1-7" => of_two_challenges_the_first_result_decides;
    "8555-7.5.1-7" => parallel_responses_conclude_once;
    "8555-8.1-1", "8555-8.1-2" => the_key_authorization_is_the_same_for_every_kind_of_key;
    "8555-8.1-2" => a_coordinate_with_leading_zeros_is_hashed_in_full;
    "8555-8.2-1", "8555-8-2" => a_passing_failure_is_tried_again;
    "8555-8.2-2" => a_response_that_is_sent_again_is_no_error;
}

async fn members_that_old_clients_send_are_ignored(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let response = json!({
        "resource": "challenge", "type": "http-01", "token": "other", "status": "valid", "x-unknown": [],
        "keyAuthorization": "wrong",
    });
    world.post(&account, &challenge.url, &response).await?.expect(200)?;
    let object = world.settled(&account, &challenge.authorization).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn a_response_that_is_no_object_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    for payload in ["[]", "\"x\"", "1", "null", "{", "{}{}", "\u{feff}{}"] {
        let answer = world.post_bytes(&account, &challenge.url, payload.as_bytes()).await?;
        ensure!(!answer.is_success(), "the response {payload:?} is accepted");
        answer.refused(&["malformed"])?;
    }
    let object = world.read_json(&account, &challenge.url).await?;
    ensure!(object["status"] == "pending", "the challenge is {object}");
    Ok(())
}

async fn a_response_gets_the_challenge(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let object = world.respond(&account, &challenge).await?.expect(200)?.json()?;
    ensure!(
        object["type"] == "http-01" && object["url"] == challenge.url.as_str(),
        "the challenge is {object}"
    );
    ensure!(object["token"] == challenge.token.as_str(), "the challenge is {object}");
    let status = object["status"].as_str().unwrap_or_default();
    ensure!(
        ["pending", "processing", "valid"].contains(&status),
        "the challenge is {object}"
    );
    Ok(())
}

async fn a_response_to_a_valid_challenge_gets_the_challenge(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    world.conclude(&account, &challenge).await?;
    let visits = world.http()?.visits(&challenge.path()).len();
    let object = world.respond(&account, &challenge).await?.expect(200)?.json()?;
    ensure!(
        object["status"] == "valid",
        "responded to again, the challenge is {object}"
    );
    let object = world.read_json(&account, &challenge.authorization).await?;
    ensure!(
        object["status"] == "valid",
        "responded to again, the authorization is {object}"
    );
    ensure!(
        world.http()?.visits(&challenge.path()).len() == visits,
        "what is valid is validated again"
    );
    Ok(())
}

async fn a_response_to_an_invalid_challenge_changes_nothing(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.http()?.serve(&challenge.path(), Page::ok("wrong"));
    world.conclude(&account, &challenge).await?;
    world.provision_http(&account, &challenge)?;
    let answer = world.respond(&account, &challenge).await?;
    if !answer.is_success() {
        answer.refused(&["malformed", "unauthorized"])?;
    }
    let object = world.read_json(&account, &challenge.authorization).await?;
    ensure!(object["status"] == "invalid", "the authorization became {object}");
    Ok(())
}

async fn of_two_challenges_the_first_result_decides(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, http) = world.challenged(&account, "http-01").await?;
    let dns = world.challenge(&account, &http.authorization, "dns-01").await?;
    world.provision_http(&account, &http)?;
    world.dns()?;
    // dns-01 is not provisioned: whichever result comes first, the state must not change after it.
    let answers = join_all([world.respond(&account, &http), world.respond(&account, &dns)]).await;
    for answer in answers {
        let answer = answer?;
        if !answer.is_success() {
            answer.refused(&["malformed"])?;
        }
    }
    let first = world.settled(&account, &http.authorization).await?;
    let again = world.respond(&account, &dns).await?;
    if !again.is_success() {
        again.refused(&["malformed"])?;
    }
    for _ in 0..3 {
        let later = world.read_json(&account, &http.authorization).await?;
        ensure!(
            later["status"] == first["status"],
            "the authorization was {first} and is {later}"
        );
    }
    Ok(())
}

async fn parallel_responses_conclude_once(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    for answer in join_all((0..8).map(|_| world.respond(&account, &challenge))).await {
        answer?.expect(200)?;
    }
    let object = world.settled(&account, &challenge.authorization).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn the_key_authorization_is_the_same_for_every_kind_of_key(world: &World) -> Outcome {
    for algorithm in Algorithm::ALL {
        let account = world.account_of(SigningKey::generate(algorithm)?).await?;
        let (_, challenge) = world.challenged(&account, "http-01").await?;
        world.provision_http(&account, &challenge)?;
        let object = world.conclude(&account, &challenge).await?;
        ensure!(
            object["status"] == "valid",
            "for a key of {algorithm} the authorization is {object}"
        );
    }
    Ok(())
}

async fn a_coordinate_with_leading_zeros_is_hashed_in_full(world: &World) -> Outcome {
    let mut key = SigningKey::generate(Algorithm::Es256)?;
    // One key in 128 has a zero first in x or y.
    for _ in 0..4096 {
        let jwk = crate::message::jwk(&key);
        let starts_with_zero = ["x", "y"].iter().any(|member| {
            let coordinate = base64url::decode(jwk[*member].as_str().unwrap_or_default());
            coordinate.is_ok_and(|octets| octets.first() == Some(&0))
        });
        if starts_with_zero {
            break;
        }
        key = SigningKey::generate(Algorithm::Es256)?;
    }
    let account = world.account_of(key).await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn a_passing_failure_is_tried_again(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    let right = Page::ok(account.key_authorization(&challenge.token));
    world.dns()?.set_servfail(&challenge.value).await?;
    world.http()?.serve(&challenge.path(), right);
    world.respond(&account, &challenge).await?.expect(200)?;
    let read = async || world.read(&account, &challenge.url).await;
    let tried = poll(read, |answer| {
        answer
            .json()
            .is_ok_and(|object| object.get("error").is_some() || object["status"] == "invalid")
    })
    .await?;
    let object = tried.json()?;
    ensure!(
        object["status"] == "processing",
        "after one failure of the DNS the challenge is {object}"
    );
    ensure!(
        object["error"]["type"].is_string(),
        "a challenge that is tried again shows no error: {object}"
    );
    ensure!(
        tried.header("retry-after").is_some(),
        "a challenge that is tried again has no Retry-After"
    );
    world.dns()?.clear_servfail(&challenge.value).await?;
    let object = world.settled(&account, &challenge.authorization).await?;
    ensure!(
        object["status"] == "valid",
        "after the failure passed the authorization is {object}"
    );
    let Some(shown) = find_challenge(&object, "http-01") else {
        crate::fail!("the valid authorization is {object}");
    };
    ensure!(shown.get("error").is_none(), "a valid challenge has an error: {shown}");
    Ok(())
}

async fn a_response_that_is_sent_again_is_no_error(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.dns()?.set_servfail(&challenge.value).await?;
    world.provision_http(&account, &challenge)?;
    world.respond(&account, &challenge).await?.expect(200)?;
    world.dns()?.clear_servfail(&challenge.value).await?;
    let again = world.respond(&account, &challenge).await?;
    if !again.is_success() {
        again.refused(&["malformed", "rateLimited"])?;
    }
    world.settled(&account, &challenge.authorization).await.map(drop)
}
