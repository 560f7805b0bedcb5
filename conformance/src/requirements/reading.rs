//! GET, POST-as-GET and the integrity of URLs (RFC 8555 §6.3, §6.4).

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    World, ensure,
    test::Outcome,
    world::{Account, Issued},
};

crate::tests! {
    "8555-6.3-1", "0.1-13" => get_is_for_directory_and_nonces_only;
    "8555-6.3-3" => an_empty_object_is_no_read;
    "8555-6.3-3" => reading_a_challenge_does_not_start_its_validation;
    "8555-6.3-4", "8555-7.4.2-8", "T35" => t35_what_is_somebody_elses_is_as_absent_as_what_never_was;
    "8555-6.3-5" => directory_and_new_nonce_can_be_read_with_a_signed_request;
    "8555-6.3-6" => every_url_that_is_handed_out_can_be_read;
    "8555-6.4-1" => a_url_header_that_differs_in_any_way_is_unauthorized;
    "8555-6.4-4" => a_url_header_that_is_no_string_is_malformed;
    "8555-6.4-2", "T41" => a_wrong_host_header_changes_no_url;
    "8555-10.5-1", "T35" => t35_ids_on_the_wire_cannot_be_guessed;
}

/// Every URL that an account can read, after one certificate.
async fn readable(world: &World, account: &Account) -> Outcome<(Issued, Vec<String>)> {
    let name = world.name("reading");
    let issued = world.issue(account, &[&name]).await?;
    let mut urls = vec![account.url.clone(), issued.order.url.clone(), issued.url.clone()];
    for authorization in issued.order.authorizations() {
        let object = world.read_json(account, &authorization).await?;
        let challenges = object["challenges"].as_array().cloned().unwrap_or_default();
        urls.extend(
            challenges
                .iter()
                .filter_map(|challenge| challenge["url"].as_str().map(str::to_owned)),
        );
        urls.push(authorization);
    }
    let object = world.read_json(account, &account.url).await?;
    urls.extend(object["orders"].as_str().map(str::to_owned));
    Ok((issued, urls))
}

async fn get_is_for_directory_and_nonces_only(world: &World) -> Outcome {
    let account = world.account().await?;
    let (issued, mut urls) = readable(world, &account).await?;
    urls.push(issued.order.finalize()?.to_owned());
    for key in ["newAccount", "newOrder", "revokeCert", "keyChange", "newAuthz"] {
        urls.extend(world.directory[key].as_str().map(str::to_owned));
    }
    for url in urls {
        let answer = world.get(Method::GET, &url).await?;
        answer.refused_with(405, &["malformed"])?;
        let head = world.get(Method::HEAD, &url).await?;
        ensure!(head.status == 405, "{url}: HEAD gets {}", head.status);
    }
    Ok(())
}

async fn an_empty_object_is_no_read(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("object");
    let issued = world.issue(&account, &[&name]).await?;
    let mut urls = issued.order.authorizations();
    urls.extend([issued.order.url, issued.url]);
    for url in urls {
        let answer = world.post(&account, &url, &json!({})).await?;
        answer.refused(&["malformed"])?;
    }
    Ok(())
}

async fn reading_a_challenge_does_not_start_its_validation(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &challenge)?;
    for _ in 0..3 {
        let object = world.read_json(&account, &challenge.url).await?;
        ensure!(
            object["status"] == "pending",
            "a challenge that was only read is {object}"
        );
    }
    ensure!(
        world.http()?.visits(&challenge.path()).is_empty(),
        "a challenge that was only read is validated"
    );
    let object = world.conclude(&account, &challenge).await?;
    ensure!(
        object["status"] == "valid",
        "after a response the authorization is {object}"
    );
    Ok(())
}

async fn t35_what_is_somebody_elses_is_as_absent_as_what_never_was(world: &World) -> Outcome {
    let (account, stranger) = (world.account().await?, world.account().await?);
    let (_, urls) = readable(world, &account).await?;
    for url in urls.iter().filter(|url| **url != account.url) {
        let theirs = world.read(&stranger, url).await?;
        ensure!(
            [403, 404].contains(&theirs.status),
            "{url}: a stranger gets {}",
            theirs.status
        );
        theirs.refused(&["unauthorized", "malformed"])?;
    }
    let theirs = world.read(&stranger, &account.url).await?;
    ensure!(!theirs.is_success(), "a stranger reads the account {}", account.url);
    theirs.refused(&["unauthorized", "malformed"]).map(drop)
}

async fn directory_and_new_nonce_can_be_read_with_a_signed_request(world: &World) -> Outcome {
    let account = world.account().await?;
    let directory = world.read(&account, &world.options.directory).await?.expect(200)?;
    ensure!(
        directory.json()?["newNonce"].is_string(),
        "the directory by POST-as-GET is {}",
        directory.excerpt()
    );
    let nonce = world.read(&account, &world.resource("newNonce")?).await?;
    ensure!(
        nonce.is_success() && nonce.nonce().is_some(),
        "newNonce by POST-as-GET gets {}",
        nonce.status
    );
    Ok(())
}

async fn every_url_that_is_handed_out_can_be_read(world: &World) -> Outcome {
    let account = world.account().await?;
    let (issued, urls) = readable(world, &account).await?;
    for url in urls {
        world.read(&account, &url).await?.expect(200)?;
    }
    for alternate in world.read(&account, &issued.url).await?.links("alternate") {
        world.read(&account, &alternate).await?.expect(200)?;
    }
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    let pending = world.read_json(&account, &challenge.authorization).await?;
    for challenge in pending["challenges"].as_array().cloned().unwrap_or_default() {
        let object = world
            .read_json(&account, challenge["url"].as_str().unwrap_or_default())
            .await?;
        ensure!(
            object["url"] == challenge["url"],
            "the challenge is {object}, and was {challenge}"
        );
    }
    Ok(())
}

async fn a_url_header_that_differs_in_any_way_is_unauthorized(world: &World) -> Outcome {
    let account = world.account().await?;
    let url = world.resource("newOrder")?;
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let other = [
        url.replacen("https", "http", 1),
        url.replacen("https", "HTTPS", 1),
        url.replacen("://", "://elsewhere.", 1),
        url.replace(path, &path.to_ascii_uppercase()),
        url.replacen(&format!("/{path}"), &format!(":1/{path}"), 1),
        format!("{url}/"),
        format!("{url}?x"),
        format!("{url}#x"),
        format!("/{path}"),
        account.url.clone(),
        String::new(),
    ];
    let payload = json!({ "identifiers": [{ "type": "dns", "value": world.name("url") }] }).to_string();
    for wrong in other.iter().filter(|wrong| **wrong != url) {
        let message = world
            .message(&account, &url, payload.as_bytes())
            .await?
            .with("url", wrong.clone());
        let answer = world.send(&url, message.sign(&account.key).body()).await?;
        answer.refused(&["unauthorized"])?;
        ensure!([401, 403].contains(&answer.status), "{wrong:?} gets {}", answer.status);
    }
    Ok(())
}

async fn a_url_header_that_is_no_string_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for wrong in [json!(1), json!([account.url]), json!({}), json!(null), json!(true)] {
        let message = world.message(&account, &account.url, b"").await?.with("url", wrong);
        let answer = world.send(&account.url, message.sign(&account.key).body()).await?;
        answer.refused(&["malformed"])?;
    }
    Ok(())
}

async fn a_wrong_host_header_changes_no_url(world: &World) -> Outcome {
    let evil = "evil.example";
    let get = |url: &str| {
        Request::get(url)
            .header("Host", evil)
            .header("X-Forwarded-Host", evil)
            .body(Bytes::new())
    };
    let answer = world.speaker.send(get(&world.options.directory)?).await?;
    let tainted = answer
        .headers
        .values()
        .any(|value| value.as_bytes().windows(12).any(|part| part == evil.as_bytes()));
    ensure!(
        !answer.excerpt().contains(evil) && !tainted,
        "the directory for Host {evil}: {}",
        answer.excerpt()
    );

    let account = world.account().await?;
    let payload = json!({ "identifiers": [{ "type": "dns", "value": world.name("host") }] }).to_string();
    let url = world.resource("newOrder")?;
    let post = async |claimed: &str| {
        let message = world.message(&account, claimed, payload.as_bytes()).await?;
        let request = Request::post(&url)
            .header("Content-Type", acme::JOSE_JSON)
            .header("Host", evil)
            .header("X-Forwarded-Host", evil)
            .body(Bytes::from(message.sign(&account.key).body()))?;
        world.speaker.send(request).await
    };
    let answer = post(&url).await?;
    // Refusing the Host altogether is right as well.
    if answer.is_success() {
        let order: Value = answer.json()?;
        ensure!(!order.to_string().contains(evil), "an order for Host {evil}: {order}");
        ensure!(
            !answer.location()?.contains(evil),
            "an order for Host {evil} is at {}",
            answer.location()?
        );
    }
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let answer = post(&format!("https://{evil}/{path}")).await?;
    ensure!(
        !answer.is_success(),
        "a request signed for https://{evil}/ is accepted because its Host says so"
    );
    Ok(())
}

async fn t35_ids_on_the_wire_cannot_be_guessed(world: &World) -> Outcome {
    let account = world.account().await?;
    let (one, other) = (
        world.order(&account, &[&world.name("ids")]).await?,
        world.order(&account, &[&world.name("ids")]).await?,
    );
    let mut pairs = vec![
        (one.url.clone(), other.url.clone()),
        (account.url.clone(), world.account().await?.url),
    ];
    pairs.extend(one.authorizations().into_iter().zip(other.authorizations()));
    for (one, other) in pairs {
        let differing = one.bytes().zip(other.bytes()).filter(|(a, b)| a != b).count();
        let id = one.rsplit('/').find(|part| part.len() >= 16).unwrap_or_default();
        // 128 bits of base64url are 22 characters, 64 of which differ in all but a few places.
        ensure!(id.len() >= 20 && differing >= 8, "{one} and {other} are too much alike");
    }
    Ok(())
}
