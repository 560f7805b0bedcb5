//! Profiles to choose from (draft-ietf-acme-profiles).

use serde_json::{Map, Value, json};

use crate::{World, answer::Answer, ensure, not_applicable, test::Outcome, world::Account};

crate::tests! {
    "PROF-3-1" => the_directory_says_what_each_profile_is_for;
    "PROF-4-1" => an_order_shows_the_profile_it_named;
    "PROF-4-1" => a_profile_that_is_not_offered_is_refused;
}

fn offered(world: &World) -> Outcome<&Map<String, Value>> {
    match world.directory["meta"]["profiles"].as_object() {
        Some(profiles) => Ok(profiles),
        None => not_applicable!("the directory's meta has no profiles"),
    }
}

async fn order(world: &World, account: &Account, profile: &Value) -> Outcome<Answer> {
    let identifiers = json!([{ "type": "dns", "value": world.name("profile") }]);
    let mut request = json!({ "identifiers": identifiers });
    if !profile.is_null() {
        request["profile"] = profile.clone();
    }
    world.post(account, &world.resource("newOrder")?, &request).await
}

async fn the_directory_says_what_each_profile_is_for(world: &World) -> Outcome {
    let profiles = offered(world)?;
    ensure!(!profiles.is_empty(), "there are no profiles to choose from");
    for (name, description) in profiles {
        ensure!(description.is_string(), "{name:?} is described by {description}");
    }
    Ok(())
}

async fn an_order_shows_the_profile_it_named(world: &World) -> Outcome {
    let profiles = offered(world)?;
    let account = world.account().await?;
    let mut shown = 0;
    for name in profiles.keys() {
        let answer = order(world, &account, &name.as_str().into()).await?;
        // A profile may be for other names than those of hosts.
        if answer.refused(&["rejectedIdentifier"]).is_ok() {
            continue;
        }
        let answer = answer.expect(201)?;
        shown += 1;
        let url = answer.location()?;
        for object in [answer.json()?, world.read_json(&account, &url).await?] {
            ensure!(object["profile"] == *name, "the order for {name:?} is: {object}");
        }
    }
    ensure!(shown > 0, "no profile is for the name of a host");
    let object = order(world, &account, &Value::Null).await?.expect(201)?.json()?;
    if let Some(chosen) = object.get("profile") {
        let is_offered = chosen.as_str().is_some_and(|chosen| profiles.contains_key(chosen));
        ensure!(is_offered, "{chosen} was chosen, which is not offered");
    }
    Ok(())
}

async fn a_profile_that_is_not_offered_is_refused(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    for unknown in ["no-such-profile", "", "../default"] {
        let answer = order(world, &account, &unknown.into()).await?;
        answer.refused(&["invalidProfile"])?;
    }
    order(world, &account, &json!(7))
        .await?
        .refused(&["malformed", "invalidProfile"])?;
    Ok(())
}
