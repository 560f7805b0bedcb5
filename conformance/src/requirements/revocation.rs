//! Revocation (RFC 8555 §7.6).

use jose::{SigningKey, base64url};
use pkix::{
    certificate::Certificate,
    crl::{Crl, Reason},
    extension::read_crl_distribution_points,
    key::KeyPair,
    oid,
};
use serde_json::{Value, json};

use crate::{
    World,
    answer::Answer,
    craft, ensure, fail, not_applicable,
    test::Outcome,
    world::{Issued, Signer, poll},
};

crate::tests! {
    "8555-7.6-1", "8555-7.6-2" => the_issuing_account_revokes;
    "8555-7.6-2" => an_account_with_every_authorization_revokes;
    "8555-7.6-2", "8555-7.6-8" => the_certificate_key_revokes_also_for_compromise;
    "8555-7.6-9" => certificate_keys_of_every_kind_revoke;
    "8555-7.6-3" => nobody_else_revokes;
    "8555-7.6-4" => a_wildcard_is_not_revoked_with_its_base_name;
    "8555-7.6-5" => what_is_revoked_is_already_revoked;
    "8555-7.6-5" => what_was_not_issued_here_is_not_revoked;
    "8555-7.6-6" => reasons_that_are_not_for_subscribers_are_refused;
    "8555-7.6-7" => no_reason_and_reason_zero_are_both_taken;
    "8555-7.6-11", "8555-7.6-7" => a_revocation_stands_in_the_list_that_the_certificate_names;
    "8555-7.6-10" => a_certificate_with_a_changed_signature_is_not_revoked;
}

async fn revoke<'a>(world: &World, signer: impl Into<Signer<'a>>, der: &[u8], reason: Value) -> Outcome<Answer> {
    let mut request = json!({ "certificate": base64url::encode(der) });
    if !reason.is_null() {
        request["reason"] = reason;
    }
    world.post(signer, &world.resource("revokeCert")?, &request).await
}

fn certificate_key(issued: &Issued) -> Outcome<SigningKey> {
    match craft::signing_key(&issued.key) {
        Some(key) => Ok(key),
        None => fail!("the certificate's key cannot sign requests"),
    }
}

async fn the_issuing_account_revokes(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("revoke")]).await?;
    let answer = revoke(world, &account, &issued.chain[0], Value::Null)
        .await?
        .expect(200)?;
    ensure!(answer.body.is_empty(), "the body is {}", answer.excerpt());
    Ok(())
}

async fn an_account_with_every_authorization_revokes(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    let names = [world.name("revoke"), world.name("revoke")];
    let names = [names[0].as_str(), &names[1]];
    let issued = world.issue(&account, &names).await?;
    world.ready(&other, &names).await?;
    revoke(world, &other, &issued.chain[0], json!(4))
        .await?
        .expect(200)
        .map(drop)
}

async fn the_certificate_key_revokes_also_for_compromise(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("revoke")]).await?;
    revoke(world, &certificate_key(&issued)?, &issued.chain[0], json!(1))
        .await?
        .expect(200)
        .map(drop)
}

async fn certificate_keys_of_every_kind_revoke(world: &World) -> Outcome {
    let account = world.account().await?;
    for make in [KeyPair::generate_rsa2048 as fn() -> KeyPair, KeyPair::generate_p384] {
        let name = world.name("revoke");
        let order = world.ready(&account, &[&name]).await?;
        let key = make();
        let csr = craft::csr_for(&key, &[&name]);
        let issued = world.complete(&account, order, key, csr).await?;
        revoke(world, &certificate_key(&issued)?, &issued.chain[0], json!(1))
            .await?
            .expect(200)?;
    }
    Ok(())
}

async fn nobody_else_revokes(world: &World) -> Outcome {
    let (account, stranger) = (world.account().await?, world.account().await?);
    let (one, two) = (world.name("revoke"), world.name("revoke"));
    let issued = world.issue(&account, &[&one, &two]).await?;
    let der = &issued.chain[0];
    revoke(world, &stranger, der, Value::Null)
        .await?
        .refused_with(403, &["unauthorized"])?;
    world.ready(&stranger, &[&one]).await?;
    revoke(world, &stranger, der, Value::Null)
        .await?
        .refused_with(403, &["unauthorized"])?;
    // Ordered, and not proved.
    world.order(&stranger, &[&two]).await?;
    revoke(world, &stranger, der, Value::Null)
        .await?
        .refused_with(403, &["unauthorized"])?;
    let key = crate::world::new_key()?;
    revoke(world, &key, der, Value::Null)
        .await?
        .refused_with(403, &["unauthorized"])?;
    revoke(world, &account.key, der, Value::Null)
        .await?
        .refused_with(403, &["unauthorized"])?;
    revoke(world, &account, der, Value::Null).await?.expect(200).map(drop)
}

async fn a_wildcard_is_not_revoked_with_its_base_name(world: &World) -> Outcome {
    world.dns()?;
    let (account, stranger) = (world.account().await?, world.account().await?);
    let name = world.name("revoke");
    let issued = world.issue(&account, &[&format!("*.{name}")]).await?;
    world.ready(&stranger, &[&name]).await?;
    let answer = revoke(world, &stranger, &issued.chain[0], Value::Null).await?;
    answer.refused_with(403, &["unauthorized"]).map(drop)
}

async fn what_is_revoked_is_already_revoked(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("revoke")]).await?;
    revoke(world, &account, &issued.chain[0], Value::Null)
        .await?
        .expect(200)?;
    let again = revoke(world, &account, &issued.chain[0], Value::Null).await?;
    again.refused_with(400, &["alreadyRevoked"])?;
    let again = revoke(world, &certificate_key(&issued)?, &issued.chain[0], json!(1)).await?;
    // A second request that proves compromise may change the reason.
    if !again.is_success() {
        again.refused_with(400, &["alreadyRevoked"])?;
    }
    Ok(())
}

async fn what_was_not_issued_here_is_not_revoked(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("foreign");
    world.ready(&account, &[&name]).await?;
    let foreign = craft::Presented::right(craft::dns(&name), &[7; 32]).sign(&KeyPair::generate_p256());
    for der in [foreign.as_slice(), b"hello", b""] {
        let answer = revoke(world, &account, der, Value::Null).await?;
        answer.refused(&["malformed", "unauthorized"])?;
    }
    let issued = world.issue(&account, &[&name]).await?;
    let issuer = issued.chain.get(1).cloned().unwrap_or_default();
    revoke(world, &account, &issuer, Value::Null)
        .await?
        .refused(&["malformed", "unauthorized"])?;
    let url = world.resource("revokeCert")?;
    for request in [
        json!({}),
        json!({ "certificate": 1 }),
        json!({ "certificate": "a=" }),
        json!([]),
    ] {
        world.post(&account, &url, &request).await?.refused(&["malformed"])?;
    }
    Ok(())
}

async fn reasons_that_are_not_for_subscribers_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("reason")]).await?;
    for reason in [7, 11, 12, 255, 1_000_000] {
        let answer = revoke(world, &account, &issued.chain[0], json!(reason)).await?;
        ensure!(!answer.is_success(), "reason {reason} is taken");
        answer.refused(&["badRevocationReason", "malformed"])?;
    }
    for reason in [2, 6, 8, 10] {
        let answer = revoke(world, &account, &issued.chain[0], json!(reason)).await?;
        ensure!(!answer.is_success(), "reason {reason} is taken from a subscriber");
        answer.refused(&["badRevocationReason"])?;
    }
    for reason in [json!("1"), json!(-1), json!(1.5), json!([1]), json!(true)] {
        let answer = revoke(world, &account, &issued.chain[0], reason.clone()).await?;
        ensure!(!answer.is_success(), "reason {reason} is taken");
        answer.refused(&["malformed", "badRevocationReason"])?;
    }
    Ok(())
}

async fn no_reason_and_reason_zero_are_both_taken(world: &World) -> Outcome {
    let account = world.account().await?;
    for reason in [Value::Null, json!(0), json!(4), json!(5)] {
        let issued = world.issue(&account, &[&world.name("reason")]).await?;
        revoke(world, &account, &issued.chain[0], reason).await?.expect(200)?;
    }
    Ok(())
}

async fn a_revocation_stands_in_the_list_that_the_certificate_names(world: &World) -> Outcome {
    let account = world.account().await?;
    for (reason, listed) in [
        (json!(4), Some(Reason::Superseded)),
        (json!(0), None),
        (Value::Null, None),
    ] {
        let issued = world.issue(&account, &[&world.name("list")]).await?;
        let certificate = Certificate::parse(&issued.chain[0])?;
        let points = match certificate.extension(&oid::CRL_DISTRIBUTION_POINTS) {
            Some(extension) => read_crl_distribution_points(&extension.value)?,
            None => Vec::new(),
        };
        let Some(point) = points.iter().find(|point| point.starts_with("http://")) else {
            not_applicable!("certificates name no list");
        };
        revoke(world, &account, &issued.chain[0], reason).await?.expect(200)?;
        let list = poll(
            async || fetch_list(world, point).await,
            |list| list.find(certificate.serial()).is_some(),
        )
        .await?;
        list.verify_signed_by(&Certificate::parse(&issued.chain[1])?.public_key()?)?;
        let Some(entry) = list.find(certificate.serial()) else {
            not_applicable!("the list is made anew by {} only", list.contents().next_update);
        };
        ensure!(
            entry.reason == listed,
            "the list gives {:?} where {listed:?} was due",
            entry.reason
        );
    }
    Ok(())
}

/// A list from where certificates say that it is.
async fn fetch_list(world: &World, point: &str) -> Outcome<Crl> {
    let url: http::Uri = point.parse()?;
    let (path, host) = (url.path(), url.authority().map_or("", |authority| authority.as_str()));
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let seen = world.speaker.send_plain(point, request.as_bytes()).await?;
    let Some(end) = seen.windows(4).position(|part| part == b"\r\n\r\n") else {
        fail!("{point} is not answered with HTTP");
    };
    match Crl::parse(&seen[end + 4..]) {
        Ok(list) => Ok(list),
        Err(error) => fail!("{point} is no list of revoked certificates: {error}"),
    }
}

async fn a_certificate_with_a_changed_signature_is_not_revoked(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("tampered")]).await?;
    let mut changed = issued.chain[0].clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let longer = [&issued.chain[0][..], &[0]].concat();
    for der in [changed, longer] {
        let answer = revoke(world, &account, &der, Value::Null).await?;
        ensure!(!answer.is_success(), "bytes that were never issued are revoked");
        answer.refused(&["malformed", "unauthorized"])?;
    }
    revoke(world, &account, &issued.chain[0], Value::Null)
        .await?
        .expect(200)
        .map(drop)
}
