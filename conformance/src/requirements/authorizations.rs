//! Authorizations (RFC 8555 §7.1.4, §7.5).

use serde_json::{Value, json};

use crate::{World, ensure, not_applicable, responder::Page, test::Outcome, world::find_challenge};

crate::tests! {
    "8555-7.1.4-1", "8555-7.5.1-4", "8555-7.1.4-2" => an_authorization_shows_what_was_proved;
    "8555-7.1.4-2" => an_invalid_authorization_shows_what_failed;
    "8555-7.5.2-2" => final_authorizations_stay_what_they_are;
    "8555-7.5.2-2" => a_pending_authorization_can_be_given_up_and_not_taken_back;
    "8555-7.5.2-1" => a_deactivated_authorization_is_not_used_again;
    "8555-7.5.2-1" => an_authorization_is_given_up_by_its_owner_only;
    "8555-8-3", "8555-8-1", "0.1-1", "8737-3-1" => every_challenge_has_a_token_of_its_own;
    "8555-7.5.1-4" => an_authorization_can_be_read_while_it_is_validated;
}

async fn an_authorization_shows_what_was_proved(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, challenge) = world.challenged(&account, "http-01").await?;
    let pending = world.read_json(&account, &challenge.authorization).await?;
    ensure!(pending["status"] == "pending", "a new authorization is {pending}");
    ensure!(
        pending["identifier"] == order.body["identifiers"][0],
        "the identifier is {}",
        pending["identifier"]
    );
    world.provision_http(&account, &challenge)?;
    let valid = world.conclude(&account, &challenge).await?;
    ensure!(valid["status"] == "valid", "the authorization is {valid}");
    ensure!(
        valid["expires"].is_string(),
        "a valid authorization does not expire: {valid}"
    );
    let shown = valid["challenges"].as_array().cloned().unwrap_or_default();
    ensure!(
        shown.len() == 1 && shown[0]["type"] == "http-01",
        "a valid authorization shows {shown:?}"
    );
    ensure!(shown[0]["status"] == "valid", "the validated challenge is {}", shown[0]);
    ensure!(
        shown[0]["validated"].is_string(),
        "the validated challenge is {}",
        shown[0]
    );
    ensure!(
        shown[0].get("error").is_none(),
        "a valid challenge has an error: {}",
        shown[0]
    );
    Ok(())
}

async fn an_invalid_authorization_shows_what_failed(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.http()?.serve(&challenge.path(), Page::ok("wrong"));
    let invalid = world.conclude(&account, &challenge).await?;
    ensure!(invalid["status"] == "invalid", "the authorization is {invalid}");
    let Some(failed) = find_challenge(&invalid, "http-01") else {
        crate::fail!("an invalid authorization does not show what failed: {invalid}");
    };
    ensure!(failed["status"] == "invalid", "the failed challenge is {failed}");
    ensure!(
        failed["error"]["type"].is_string() && failed["error"]["detail"].is_string(),
        "it says {failed}"
    );
    Ok(())
}

async fn deactivate(world: &World, account: &crate::world::Account, url: &str) -> Outcome<Value> {
    let answer = world.post(account, url, &json!({ "status": "deactivated" })).await?;
    if !answer.is_success() {
        answer.refused(&["malformed"])?;
    }
    world.read_json(account, url).await
}

async fn final_authorizations_stay_what_they_are(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.http()?.serve(&challenge.path(), Page::ok("wrong"));
    world.conclude(&account, &challenge).await?;
    let object = deactivate(world, &account, &challenge.authorization).await?;
    ensure!(
        object["status"] == "invalid",
        "an invalid authorization became {object}"
    );
    Ok(())
}

async fn a_pending_authorization_can_be_given_up_and_not_taken_back(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    let object = deactivate(world, &account, &challenge.authorization).await?;
    ensure!(
        object["status"] == "deactivated",
        "given up, the authorization is {object}"
    );
    for status in ["pending", "valid", "deactivated"] {
        let answer = world
            .post(&account, &challenge.authorization, &json!({ "status": status }))
            .await?;
        if !answer.is_success() {
            answer.refused(&["malformed"])?;
        }
    }
    world.provision_http(&account, &challenge)?;
    let answer = world.respond(&account, &challenge).await?;
    if !answer.is_success() {
        answer.refused(&["malformed", "unauthorized"])?;
    }
    let object = world.read_json(&account, &challenge.authorization).await?;
    ensure!(object["status"] == "deactivated", "the authorization became {object}");
    Ok(())
}

async fn a_deactivated_authorization_is_not_used_again(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("reuse");
    let order = world.ready(&account, &[&name]).await?;
    let url = &order.authorizations()[0];
    let object = deactivate(world, &account, url).await?;
    ensure!(
        object["status"] == "deactivated",
        "given up, the authorization is {object}"
    );
    let again = world.order(&account, &[&name]).await?;
    ensure!(again.status() == "pending", "a new order is {}", again.body);
    ensure!(
        !again.authorizations().contains(url),
        "a new order has the authorization that was given up"
    );
    Ok(())
}

async fn an_authorization_is_given_up_by_its_owner_only(world: &World) -> Outcome {
    let (account, stranger) = (world.account().await?, world.account().await?);
    let order = world.order(&account, &[&world.name("owner")]).await?;
    let url = &order.authorizations()[0];
    let answer = world.post(&stranger, url, &json!({ "status": "deactivated" })).await?;
    answer.refused(&["unauthorized", "malformed"])?;
    let object = world.read_json(&account, url).await?;
    ensure!(object["status"] == "pending", "the authorization is {object}");
    Ok(())
}

async fn every_challenge_has_a_token_of_its_own(world: &World) -> Outcome {
    let account = world.account().await?;
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..4 {
        let order = world.order(&account, &[&world.name("token")]).await?;
        let object = world.read_json(&account, &order.authorizations()[0]).await?;
        let challenges = object["challenges"].as_array().cloned().unwrap_or_default();
        ensure!(!challenges.is_empty(), "no challenge is offered: {object}");
        for challenge in challenges {
            let kind = challenge["type"].as_str().unwrap_or_default();
            let known = ["http-01", "dns-01", "tls-alpn-01"];
            ensure!(known.contains(&kind), "{kind:?} is offered to everybody");
            let token = challenge["token"].as_str().unwrap_or_default();
            let octets = jose::base64url::decode(token);
            ensure!(
                octets.is_ok_and(|octets| octets.len() >= 16),
                "the token of {kind} is {token:?}"
            );
            // Challenges of one authorization may share one.
            tokens.insert(token.to_owned());
            ensure!(
                challenge["status"] == "pending" && challenge["url"].is_string(),
                "a challenge is {challenge}"
            );
            ensure!(
                challenge.get("validated").is_none(),
                "a pending challenge is {challenge}"
            );
        }
    }
    ensure!(tokens.len() >= 4, "tokens are used again");
    Ok(())
}

async fn an_authorization_can_be_read_while_it_is_validated(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.http()?.serve(&challenge.path(), Page::silent());
    let answer = world.respond(&account, &challenge).await?.expect(200)?;
    let status = answer.json()?["status"].clone();
    if status == "valid" || status == "invalid" {
        not_applicable!("the server concludes before it answers");
    }
    for _ in 0..3 {
        let object = world.read_json(&account, &challenge.authorization).await?;
        let status = object["status"].as_str().unwrap_or_default();
        ensure!(
            ["pending", "invalid"].contains(&status),
            "while it is validated the authorization is {object}"
        );
    }
    Ok(())
}
