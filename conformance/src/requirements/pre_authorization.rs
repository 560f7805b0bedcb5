//! Authorizations ahead of their order (RFC 8555 §7.4.1), and those that count again.

use serde_json::{Value, json};

use crate::{World, answer::Answer, ensure, not_applicable, test::Outcome, world::Account};

crate::tests! {
    "8555-7.4.1-1" => new_authz_gives_an_authorization_that_can_be_answered;
    "8555-7.4.1-1" => a_wildcard_is_not_authorized_ahead;
    "8555-7.4.1-1", "8555-7.4.1-2" => what_cannot_be_authorized_is_refused_with_a_reason;
    "8555-7.4.1-3" => an_order_shows_what_was_authorized_ahead;
    "8555-7.4.1-3", "8555-7.1.3-5" => an_authorization_ahead_is_for_its_account_and_exactly_its_name;
    "8555-7.1.3-8" => an_order_with_what_counts_again_is_finished_like_any_other;
}

/// newAuthz for a dns name.
async fn ask(world: &World, account: &Account, name: &str) -> Outcome<Answer> {
    let request = json!({ "identifier": { "type": "dns", "value": name } });
    world.post(account, &url(world)?, &request).await
}

fn url(world: &World) -> Outcome<String> {
    match world.directory["newAuthz"].as_str() {
        Some(url) => Ok(url.to_owned()),
        None => not_applicable!("newAuthz is not offered"),
    }
}

async fn new_authz_gives_an_authorization_that_can_be_answered(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("ahead");
    let answer = ask(world, &account, &name).await?.expect(201)?;
    let (url, object) = (answer.location()?, answer.json()?);
    ensure!(
        object["identifier"] == json!({ "type": "dns", "value": name }),
        "the authorization is for {}",
        object["identifier"]
    );
    ensure!(object["status"] == "pending", "the authorization is {object}");
    let read = world.read_json(&account, &url).await?;
    ensure!(read == object, "read, the authorization is {read}, not {object}");
    let stranger = world.account().await?;
    let theirs = world.read(&stranger, &url).await?;
    ensure!(!theirs.is_success(), "a stranger reads the authorization {url}");
    let valid = world.prove(&account, &url).await?;
    ensure!(valid["expires"].is_string(), "a valid authorization is {valid}");
    Ok(())
}

async fn a_wildcard_is_not_authorized_ahead(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = format!("*.{}", world.name("ahead"));
    let answer = ask(world, &account, &name).await?;
    ensure!(!answer.is_success(), "{name} is authorized ahead");
    answer.refused(&["malformed", "rejectedIdentifier"]).map(drop)
}

async fn what_cannot_be_authorized_is_refused_with_a_reason(world: &World) -> Outcome {
    let account = world.account().await?;
    for name in [
        "",
        "a..example.org",
        "under_score.example.org",
        "192.0.2.1",
        "example.org.",
    ] {
        let answer = ask(world, &account, name).await?;
        ensure!(!answer.is_success(), "{name:?} is authorized ahead");
        answer.refused(&["malformed", "rejectedIdentifier", "unsupportedIdentifier"])?;
    }
    let url = url(world)?;
    for (request, kind) in [
        (json!({}), "malformed"),
        (json!({ "identifier": [] }), "malformed"),
        (json!({ "identifier": "www.example.org" }), "malformed"),
        (json!({ "identifier": ["dns", world.name("ahead")] }), "malformed"),
        (json!({ "identifier": { "type": "dns" } }), "malformed"),
        (
            json!({ "identifiers": [{ "type": "dns", "value": world.name("ahead") }] }),
            "malformed",
        ),
        (
            json!({ "identifier": { "type": "x-unknown", "value": "a" } }),
            "unsupportedIdentifier",
        ),
    ] {
        let answer = world.post(&account, &url, &request).await?;
        ensure!(!answer.is_success(), "newAuthz takes {request}");
        answer.refused(&[kind])?;
    }
    Ok(())
}

async fn an_order_shows_what_was_authorized_ahead(world: &World) -> Outcome {
    let account = world.account().await?;
    let (name, other) = (world.name("ahead"), world.name("ahead"));
    let ahead = ask(world, &account, &name).await?.expect(201)?.location()?;
    world.prove(&account, &ahead).await?;
    let order = world.order(&account, &[&name, &other]).await?;
    ensure!(
        order.authorizations().contains(&ahead),
        "the order does not have {ahead}: {}",
        order.body
    );
    ensure!(
        order.status() == "pending",
        "one name is not proved, and the order is {}",
        order.body
    );
    ensure!(
        order.body["identifiers"] == json!([{ "type": "dns", "value": name }, { "type": "dns", "value": other }]),
        "the identifiers are {}",
        order.body["identifiers"]
    );
    let order = world.order(&account, &[&name]).await?;
    ensure!(order.authorizations() == [ahead], "the order is {}", order.body);
    ensure!(
        order.status() == "ready",
        "all is proved, and the order is {}",
        order.body
    );
    Ok(())
}

async fn an_authorization_ahead_is_for_its_account_and_exactly_its_name(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    let name = world.name("ahead");
    let ahead = ask(world, &account, &name).await?.expect(201)?.location()?;
    world.prove(&account, &ahead).await?;
    for (who, ordered) in [
        (&other, name.clone()),
        (&account, format!("*.{name}")),
        (&account, format!("www.{name}")),
    ] {
        let order = world.order(who, &[&ordered]).await?;
        ensure!(
            order.status() == "pending" && !order.authorizations().contains(&ahead),
            "{name} was authorized ahead, and the order for {ordered} is {}",
            order.body
        );
    }
    Ok(())
}

async fn an_order_with_what_counts_again_is_finished_like_any_other(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("again");
    let first = world.issue(&account, &[&name]).await?;
    let order = world.order(&account, &[&name]).await?;
    if order.status() != "ready" {
        not_applicable!("every order proves anew");
    }
    ensure!(
        order.authorizations() == first.order.authorizations(),
        "the second order is {}",
        order.body
    );
    let key = pkix::key::KeyPair::generate_p256();
    let csr = crate::craft::csr_for(&key, &[&name]);
    world.complete(&account, order, key, csr).await?;
    // Given up, it takes every order with it that is not finished.
    let waiting = world.order(&account, &[&name]).await?;
    let given_up = &waiting.authorizations()[0];
    let request = json!({ "status": "deactivated" });
    world.post(&account, given_up, &request).await?.expect(200)?;
    let waiting = world.reread(&account, &waiting).await?;
    ensure!(
        waiting.status() == "invalid" && waiting.body["error"] != Value::Null,
        "its authorization was given up, and the order is {}",
        waiting.body
    );
    let fresh = world.order(&account, &[&name]).await?;
    ensure!(
        fresh.status() == "pending" && !fresh.authorizations().contains(given_up),
        "its authorization was given up, and a new order is {}",
        fresh.body
    );
    Ok(())
}
