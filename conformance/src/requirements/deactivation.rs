//! The end of an account (RFC 8555 §7.3.6).

use jose::base64url;
use serde_json::json;

use crate::{World, craft, ensure, fail, test::Outcome, world::Account};

crate::tests! {
    "8555-7.3.6-1", "8555-7.3.6-2" => a_deactivated_account_is_unauthorized_everywhere;
    "8555-7.3-10" => the_key_of_a_deactivated_account_gets_no_account;
    "8555-7.3.6-3" => deactivation_leaves_certificates_alone;
    "8555-7.3.6-4" => other_status_values_are_ignored;
    "8555-7.3.6-5" => the_certificate_key_revokes_after_deactivation;
}

async fn deactivate(world: &World, account: &Account) -> Outcome {
    let answer = world
        .post(account, &account.url, &json!({ "status": "deactivated" }))
        .await?;
    let object = answer.expect(200)?.json()?;
    ensure!(object["status"] == "deactivated", "a deactivated account is {object}");
    Ok(())
}

async fn a_deactivated_account_is_unauthorized_everywhere(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world.order(&account, &[&world.name("end")]).await?;
    let orders = world.read_json(&account, &account.url).await?["orders"].clone();
    deactivate(world, &account).await?;
    let mut urls = order.authorizations();
    urls.extend([
        account.url.clone(),
        order.url.clone(),
        orders.as_str().unwrap_or(&account.url).to_owned(),
    ]);
    for url in urls {
        world.read(&account, &url).await?.refused_with(401, &["unauthorized"])?;
    }
    let request = json!({ "identifiers": [{ "type": "dns", "value": world.name("end") }] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    answer.refused_with(401, &["unauthorized"])?;
    let answer = world
        .post(&account, &account.url, &json!({ "status": "valid" }))
        .await?;
    answer.refused_with(401, &["unauthorized"]).map(drop)
}

async fn the_key_of_a_deactivated_account_gets_no_account(world: &World) -> Outcome {
    let account = world.account().await?;
    deactivate(world, &account).await?;
    for request in [
        json!({ "termsOfServiceAgreed": true }),
        json!({ "onlyReturnExisting": true }),
    ] {
        let answer = world.new_account(&account.key, request).await?;
        answer.refused_with(401, &["unauthorized"])?;
    }
    Ok(())
}

async fn deactivation_leaves_certificates_alone(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("end")]).await?;
    deactivate(world, &account).await?;
    // Not revoked: it can still be.
    let Some(key) = craft::signing_key(&issued.key) else {
        fail!("the certificate's key cannot sign")
    };
    let request = json!({ "certificate": base64url::encode(&issued.chain[0]) });
    world
        .post(&key, &world.resource("revokeCert")?, &request)
        .await?
        .expect(200)
        .map(drop)
}

async fn other_status_values_are_ignored(world: &World) -> Outcome {
    let account = world.account().await?;
    for status in [json!("valid"), json!("revoked"), json!("DEACTIVATED"), json!("gone")] {
        let answer = world.post(&account, &account.url, &json!({ "status": status })).await?;
        // To say that it is malformed is as good.
        if !answer.is_success() {
            answer.refused(&["malformed"])?;
        }
    }
    let object = world.read_json(&account, &account.url).await?;
    ensure!(object["status"] == "valid", "the account is {object}");
    Ok(())
}

async fn the_certificate_key_revokes_after_deactivation(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("end")]).await?;
    deactivate(world, &account).await?;
    let url = world.resource("revokeCert")?;
    let request = json!({ "certificate": base64url::encode(&issued.chain[0]), "reason": 1 });
    world
        .post(&account, &url, &request)
        .await?
        .refused_with(401, &["unauthorized"])?;
    let Some(key) = craft::signing_key(&issued.key) else {
        fail!("the certificate's key cannot sign")
    };
    world.post(&key, &url, &request).await?.expect(200).map(drop)
}
