//! Every resource against every credential: whatever is not meant to open it is refused.

use jose::SigningKey;
use serde_json::json;

use crate::{World, ensure, message::Message, test::Outcome, world::Account};

crate::tests! {
    "T4" => t4_every_resource_refuses_every_credential_but_its_own;
}

/// Whose objects a resource serves, and whose key it takes.
enum Kind {
    /// Any account's.
    Any,
    /// A key that need not be an account's.
    Key,
    /// Only that of the account to which the object belongs.
    Own,
}

async fn t4_every_resource_refuses_every_credential_but_its_own(world: &World) -> Outcome {
    let account = world.account().await?;
    let stranger = world.account().await?;
    let left = world.account().await?;
    world
        .post(&left, &left.url, &json!({ "status": "deactivated" }))
        .await?;
    let name = world.name("deny");
    let issued = world.issue(&account, &[&name]).await?;
    let before = world.read_json(&account, &issued.order.url).await?;

    let mut resources = vec![
        (account.url.clone(), Kind::Own),
        (issued.order.url.clone(), Kind::Own),
        (issued.order.finalize()?.to_owned(), Kind::Own),
        (issued.url.clone(), Kind::Own),
    ];
    for authorization in issued.order.authorizations() {
        let object = world.read_json(&account, &authorization).await?;
        for challenge in object["challenges"].as_array().into_iter().flatten() {
            resources.extend(challenge["url"].as_str().map(|url| (url.to_owned(), Kind::Own)));
        }
        resources.push((authorization, Kind::Own));
    }
    let object = world.read_json(&account, &account.url).await?;
    resources.extend(object["orders"].as_str().map(|url| (url.to_owned(), Kind::Own)));
    for (key, kind) in [
        ("newAccount", Kind::Key),
        ("revokeCert", Kind::Key),
        ("newOrder", Kind::Any),
        ("keyChange", Kind::Any),
        ("newAuthz", Kind::Any),
    ] {
        resources.extend(world.directory[key].as_str().map(|url| (url.to_owned(), kind)));
    }

    for (url, kind) in &resources {
        for payload in [&b""[..], b"{}", b"{\"csr\":\"AA\",\"status\":\"deactivated\"}"] {
            for signed in foreign(world, url, kind, payload, [&account, &stranger, &left]).await? {
                world.send(url, signed).await?.refused(&[])?;
            }
        }
    }
    let after = world.read_json(&account, &issued.order.url).await?;
    ensure!(after == before, "the order was {before} and is {after}");
    Ok(())
}

/// Messages that the resource is not to take.
async fn foreign(
    world: &World,
    url: &str,
    kind: &Kind,
    payload: &[u8],
    [account, stranger, left]: [&Account; 3],
) -> Outcome<Vec<Vec<u8>>> {
    let message = async |signer: &Account| world.message(signer, url, payload).await;
    let mut all = vec![
        // No signature at all, and none that is right.
        payload.to_vec(),
        message(account).await?.sign(&stranger.key).body(),
        message(account).await?.with("alg", "none").sign(&account.key).body(),
        message(account)
            .await?
            .with("alg", "HS256")
            .mac(aws_lc_rs::hmac::HMAC_SHA256, account.url.as_bytes())
            .body(),
        // An account that is no more.
        message(left).await?.sign(&left.key).body(),
    ];
    if !matches!(kind, Kind::Key) {
        let nobody: SigningKey = SigningKey::generate(jose::Algorithm::Es256)?;
        let unknown: Message = world.message(&nobody, url, payload).await?;
        all.push(unknown.sign(&nobody).body());
    }
    if matches!(kind, Kind::Own) {
        all.push(message(stranger).await?.sign(&stranger.key).body());
    }
    Ok(all)
}
