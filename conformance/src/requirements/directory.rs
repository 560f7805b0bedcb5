//! The directory and the links between resources (RFC 8555 §7.1).

use std::collections::HashSet;

use http::Method;

use crate::{World, ensure, test::Outcome};

crate::tests! {
    "8555-7.1-1" => the_directory_has_every_required_resource;
    "8555-7.1-2" => new_authz_is_there_only_where_it_is_offered;
    "8555-7.1-3" => every_answer_but_the_directory_linked_to_it, last;
    "8555-7.1-4" => a_challenge_links_to_its_authorization;
    "0.1-11", "8555-7.1-5" => the_directory_has_meta;
}

async fn the_directory_has_every_required_resource(world: &World) -> Outcome {
    let answer = world.get(Method::GET, &world.options.directory).await?.expect(200)?;
    ensure!(
        answer.content_type() == "application/json",
        "the directory is {:?}",
        answer.content_type()
    );
    let mut urls = HashSet::new();
    for key in ["newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"] {
        let url = world.resource(key)?;
        ensure!(url.starts_with("https://"), "{key} is {url:?}");
        ensure!(urls.insert(url), "{key} is the same as another resource");
    }
    Ok(())
}

async fn new_authz_is_there_only_where_it_is_offered(world: &World) -> Outcome {
    let Some(url) = world.directory.get("newAuthz") else {
        return Ok(());
    };
    let account = world.account().await?;
    let request = serde_json::json!({ "identifier": { "type": "dns", "value": world.name("early") } });
    let answer = world.post(&account, url.as_str().unwrap_or_default(), &request).await?;
    answer.expect(201).map(drop)
}

async fn every_answer_but_the_directory_linked_to_it(world: &World) -> Outcome {
    for heard in world.speaker.heard() {
        let answer = heard.answer;
        // Only what is a resource: a preflight has none, and neither have URLs that a test invented.
        if answer.url == world.options.directory || heard.method == Method::OPTIONS || answer.status == 404 {
            continue;
        }
        let index = answer.links("index");
        ensure!(
            index == [world.options.directory.clone()],
            "{} {}: {} links with rel=\"index\" to {index:?}",
            heard.method,
            answer.url,
            answer.status
        );
    }
    Ok(())
}

async fn a_challenge_links_to_its_authorization(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    let read = world.read(&account, &challenge.url).await?.expect(200)?;
    world.provision_http(&account, &challenge)?;
    let answered = world.respond(&account, &challenge).await?.expect(200)?;
    for answer in [read, answered] {
        let up = answer.links("up");
        ensure!(
            up == [challenge.authorization.clone()],
            "rel=\"up\" of {} is {up:?}",
            challenge.url
        );
    }
    Ok(())
}

async fn the_directory_has_meta(world: &World) -> Outcome {
    let meta = &world.directory["meta"];
    ensure!(meta.is_object(), "meta is {meta}");
    for url in ["termsOfService", "website"] {
        let member = meta.get(url);
        ensure!(
            member.is_none_or(|url| url.as_str().is_some_and(|url| url.contains(':'))),
            "{url} is {member:?}"
        );
    }
    if let Some(identities) = meta.get("caaIdentities") {
        let named = identities
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one.is_string()));
        ensure!(named, "caaIdentities is {identities}");
    }
    let required = meta.get("externalAccountRequired");
    ensure!(
        required.is_none_or(|required| required.is_boolean()),
        "externalAccountRequired is {required:?}"
    );
    Ok(())
}
