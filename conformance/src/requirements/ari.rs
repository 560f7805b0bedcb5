//! Renewal information and `replaces` (RFC 9773).

use acme::RenewalId;
use http::Method;
use jiff::Timestamp;
use pkix::certificate::Certificate;
use serde_json::{Value, json};

use crate::{
    World,
    answer::Answer,
    ensure, fail, not_applicable,
    test::Outcome,
    world::{Account, Issued},
};

crate::tests! {
    "9773-3-1", "9773-1-1", "9773-4.1-1", "9773-4.2-1", "9773-4.2-2" => anybody_may_ask_when_to_renew;
    "9773-4.1-2" => unknown_and_malformed_names_are_told_apart;
    "9773-4.1-3" => the_octets_of_the_serial_count_and_not_its_number;
    "9773-5-2", "9773-5-3" => a_certificate_is_replaced_by_one_order_at_a_time;
    "9773-5-2" => only_the_accounts_own_certificate_for_one_of_the_names_is_replaced;
    "9773-5-4" => a_revoked_certificate_is_to_be_renewed_at_once;
}

/// The resource, without the slash that some servers end it with.
fn renewal_info(world: &World) -> Outcome<String> {
    match world.directory["renewalInfo"].as_str() {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => not_applicable!("the directory has no renewalInfo"),
    }
}

fn id_of(issued: &Issued) -> Outcome<RenewalId> {
    let certificate = Certificate::parse(&issued.chain[0])?;
    match certificate.authority_key_identifier() {
        Some(key) => Ok(RenewalId::new(key, certificate.serial().der_content())),
        None => fail!("the certificate has no authority key identifier"),
    }
}

async fn ask(world: &World, id: &RenewalId) -> Outcome<Answer> {
    world.get(Method::GET, &format!("{}/{id}", renewal_info(world)?)).await
}

fn window(answer: &Answer) -> Outcome<(Timestamp, Timestamp)> {
    let object = answer.json()?;
    let time = |which: &str| object["suggestedWindow"][which].as_str().unwrap_or_default().parse();
    let (start, end): (Timestamp, Timestamp) = (time("start")?, time("end")?);
    ensure!(start < end, "the window is {object}");
    if let Some(url) = object.get("explanationURL") {
        ensure!(url.is_string(), "explanationURL is {url}");
    }
    Ok((start, end))
}

async fn anybody_may_ask_when_to_renew(world: &World) -> Outcome {
    renewal_info(world)?;
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("ari")]).await?;
    let answer = ask(world, &id_of(&issued)?).await?.expect(200)?;
    ensure!(
        answer.content_type() == "application/json",
        "the content type is {:?}",
        answer.content_type()
    );
    let (start, end) = window(&answer)?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    ensure!(
        certificate.not_before() < start && end < certificate.not_after(),
        "{start} to {end} is not within the lifetime"
    );
    let Some(seconds) = answer.header("retry-after") else {
        fail!("there is no Retry-After");
    };
    let seconds: u32 = seconds.parse()?;
    ensure!((60..=86_400).contains(&seconds), "Retry-After is {seconds}");
    Ok(())
}

async fn unknown_and_malformed_names_are_told_apart(world: &World) -> Outcome {
    let base = renewal_info(world)?;
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("ari")]).await?;
    let id = id_of(&issued)?;
    for unknown in [
        RenewalId::new([7; 20], id.serial()),
        RenewalId::new(id.key_identifier(), [7; 16]),
    ] {
        ask(world, &unknown).await?.refused_with(404, &[])?;
    }
    let (key, serial) = (
        jose::base64url::encode(id.key_identifier()),
        jose::base64url::encode(id.serial()),
    );
    for malformed in [
        key.clone(),
        serial.clone(),
        format!("{key}."),
        format!(".{serial}"),
        format!("{key}=.{serial}="),
    ] {
        let answer = world.get(Method::GET, &format!("{base}/{malformed}")).await?;
        answer.refused_with(400, &["malformed"])?;
    }
    // The answer is the same for every cache in between.
    world.get(Method::GET, &format!("{base}/{id}?x=1")).await?.expect(200)?;
    Ok(())
}

async fn the_octets_of_the_serial_count_and_not_its_number(world: &World) -> Outcome {
    renewal_info(world)?;
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("ari")]).await?;
    let id = id_of(&issued)?;
    let other = match id.serial() {
        [0, rest @ ..] => rest.to_vec(),
        octets => [&[0], octets].concat(),
    };
    let other = RenewalId::new(id.key_identifier(), other);
    ask(world, &other).await?.refused(&[])?;
    ask(world, &id).await?.expect(200).map(drop)
}

async fn replacing(world: &World, account: &Account, name: &str, replaces: impl Into<Value>) -> Outcome<Answer> {
    let request = json!({ "identifiers": [{ "type": "dns", "value": name }], "replaces": replaces.into() });
    world.post(account, &world.resource("newOrder")?, &request).await
}

async fn a_certificate_is_replaced_by_one_order_at_a_time(world: &World) -> Outcome {
    renewal_info(world)?;
    let (account, name) = (world.account().await?, world.name("ari"));
    let issued = world.issue(&account, &[&name]).await?;
    let id = id_of(&issued)?.to_string();
    let first = replacing(world, &account, &name, &*id).await?.expect(201)?;
    let url = first.location()?;
    for object in [first.json()?, world.read_json(&account, &url).await?] {
        ensure!(object["replaces"] == *id, "the order is: {object}");
    }
    let second = replacing(world, &account, &name, &*id).await?;
    second.refused_with(409, &["alreadyReplaced"])?;
    // Without it the order is as good as any.
    world.order(&account, &[&name]).await?;
    // An order that cannot be fulfilled any more holds nothing.
    let authorizations = first.json()?["authorizations"].clone();
    for authorization in authorizations.as_array().into_iter().flatten() {
        let url = authorization.as_str().unwrap_or_default();
        let answer = world.post(&account, url, &json!({ "status": "deactivated" })).await?;
        answer.expect(200)?;
    }
    let status = world.read_json(&account, &url).await?["status"].clone();
    ensure!(status == "invalid", "without an authorization the order is {status}");
    replacing(world, &account, &name, &*id).await?.expect(201).map(drop)
}

async fn only_the_accounts_own_certificate_for_one_of_the_names_is_replaced(world: &World) -> Outcome {
    renewal_info(world)?;
    let (account, stranger) = (world.account().await?, world.account().await?);
    let name = world.name("ari");
    let issued = world.issue(&account, &[&name]).await?;
    let id = id_of(&issued)?.to_string();
    replacing(world, &stranger, &name, &*id).await?.refused(&[])?;
    replacing(world, &account, &world.name("other"), &*id)
        .await?
        .refused(&[])?;
    for wrong in [
        json!("nonsense"),
        json!(""),
        json!(7),
        json!("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"),
    ] {
        replacing(world, &account, &name, wrong).await?.refused(&[])?;
    }
    replacing(world, &account, &name, &*id).await?.expect(201).map(drop)
}

async fn a_revoked_certificate_is_to_be_renewed_at_once(world: &World) -> Outcome {
    renewal_info(world)?;
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("ari")]).await?;
    let request = json!({ "certificate": jose::base64url::encode(&issued.chain[0]) });
    let answer = world.post(&account, &world.resource("revokeCert")?, &request).await?;
    answer.expect(200)?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    let (_, end) = window(&ask(world, &id_of(&issued)?).await?.expect(200)?)?;
    // Without a clock of its own, a test has the moment of issuance to compare with, and what is backdated a little.
    let soon = certificate
        .not_before()
        .checked_add(jiff::SignedDuration::from_hours(3))?;
    ensure!(end < soon, "the window of a revoked certificate ends at {end}");
    Ok(())
}
