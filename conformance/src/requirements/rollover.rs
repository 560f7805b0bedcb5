//! keyChange as it should not be: each wrong part alone (RFC 8555 §7.3.5).

use aws_lc_rs::hmac;
use jose::{SigningKey, base64url};
use serde_json::{Value, json};

use super::keys::weak_rsa;
use crate::{
    World,
    answer::Answer,
    ensure,
    message::{self, Flattened, Message},
    test::Outcome,
    world::{Account, Signer, new_key},
};

crate::tests! {
    "8555-7.3.5-1" => the_outer_request_is_signed_by_the_key_of_the_account;
    "8555-7.3.5-1" => a_payload_that_is_no_flattened_jws_is_malformed;
    "8555-7.3.5-2" => the_inner_header_has_the_new_key_the_same_url_and_nothing_else;
    "8555-7.3.5-2" => the_inner_jws_is_signed_by_the_new_key;
    "8555-7.3.5-3" => the_inner_payload_names_this_account_and_its_key;
    "8555-7.3.5-3" => the_old_key_may_be_written_in_any_sequence;
    "8555-7.3.5-7" => a_weak_or_foreign_key_is_nothing_to_change_to;
}

/// A right inner JWS before it is signed, to be made wrong.
pub fn inner(world: &World, account: &Account, new: &SigningKey) -> Outcome<Message> {
    let payload = json!({ "account": account.url, "oldKey": message::jwk(&account.key) });
    let url = world.resource("keyChange")?;
    let message = Message::new(new, None, "", &url, payload.to_string().as_bytes());
    Ok(message.without("nonce"))
}

/// keyChange with this inner JWS.
pub async fn change(world: &World, account: &Account, inner: &Flattened) -> Outcome<Answer> {
    let url = world.resource("keyChange")?;
    world.post_bytes(account, &url, &inner.body()).await
}

/// Changes an account's key in the right way, and gives the old one.
pub async fn roll(world: &World, account: &mut Account, new: SigningKey) -> Outcome<SigningKey> {
    let request = inner(world, account, &new)?.sign(&new);
    change(world, account, &request).await?.expect(200)?;
    Ok(std::mem::replace(&mut account.key, new))
}

/// The answer is a refusal, and the account has the key it had.
async fn nothing_changed(world: &World, account: &Account, answer: Answer, what: &str) -> Outcome {
    ensure!(!answer.is_success(), "a change with {what} is made");
    answer.refused(&[
        "malformed",
        "unauthorized",
        "badPublicKey",
        "badSignatureAlgorithm",
        "accountDoesNotExist",
    ])?;
    let read = world.read(account, &account.url).await?;
    ensure!(
        read.status == 200,
        "after a refused change with {what} the account's key gets {}",
        read.status
    );
    Ok(())
}

async fn the_outer_request_is_signed_by_the_key_of_the_account(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    let new = new_key()?;
    let url = world.resource("keyChange")?;
    let request = inner(world, &account, &new)?.sign(&new);
    let by = |key, kid| Signer { key, kid };
    for (what, signer) in [
        ("the outer signature of the new key", by(&new, Some(&*account.url))),
        ("the new key in the outer header", by(&new, None)),
        ("the old key in the outer header", by(&account.key, None)),
        (
            "the outer signature of another account",
            by(&other.key, Some(&*other.url)),
        ),
        (
            "the outer signature of another account's key",
            by(&other.key, Some(&*account.url)),
        ),
    ] {
        let answer = world.post_bytes(signer, &url, &request.body()).await?;
        nothing_changed(world, &account, answer, what).await?;
        world.read(&other, &other.url).await?.expect(200)?;
    }
    Ok(())
}

async fn a_payload_that_is_no_flattened_jws_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let new = new_key()?;
    let url = world.resource("keyChange")?;
    let signed = inner(world, &account, &new)?.sign(&new);
    let Flattened {
        protected,
        payload,
        signature,
    } = &signed;
    let compact = format!("{protected}.{payload}.{signature}");
    let one = json!({ "protected": protected, "signature": signature });
    let mut unprotected = signed.json();
    unprotected["header"] = json!({ "kid": account.url });
    let plain = json!({ "account": account.url, "oldKey": message::jwk(&account.key), "newKey": message::jwk(&new) });
    for (what, payload) in [
        ("nothing", String::new()),
        ("an empty object", "{}".into()),
        ("an array", json!([signed.json()]).to_string()),
        ("no JSON", "inner".into()),
        ("the compact serialization", compact.clone()),
        ("the compact serialization in JSON", json!(compact).to_string()),
        (
            "the general serialization",
            json!({ "payload": payload, "signatures": [one] }).to_string(),
        ),
        ("an unprotected header", unprotected.to_string()),
        (
            "no signature",
            json!({ "protected": protected, "payload": payload }).to_string(),
        ),
        ("no JWS at all", plain.to_string()),
    ] {
        let answer = world.post_bytes(&account, &url, payload.as_bytes()).await?;
        nothing_changed(world, &account, answer, &format!("{what} for a payload")).await?;
    }
    Ok(())
}

async fn the_inner_header_has_the_new_key_the_same_url_and_nothing_else(world: &World) -> Outcome {
    let account = world.account().await?;
    let new = new_key()?;
    let right = || inner(world, &account, &new);
    let nonce = world.fresh_nonce().await?;
    let newly = world.resource("newAccount")?;
    let url = world.resource("keyChange")?;
    for (what, message) in [
        ("a nonce in the inner header", right()?.with("nonce", nonce)),
        ("an empty nonce in the inner header", right()?.with("nonce", "")),
        (
            "kid beside jwk in the inner header",
            right()?.with("kid", account.url.clone()),
        ),
        (
            "kid for jwk in the inner header",
            right()?.without("jwk").with("kid", account.url.clone()),
        ),
        ("no key in the inner header", right()?.without("jwk")),
        ("another url in the inner header", right()?.with("url", newly)),
        (
            "a longer url in the inner header",
            right()?.with("url", format!("{url}/")),
        ),
        ("no url in the inner header", right()?.without("url")),
        ("no algorithm in the inner header", right()?.without("alg")),
        ("another algorithm in the inner header", right()?.with("alg", "ES384")),
        ("the algorithm none in the inner header", right()?.with("alg", "none")),
        (
            "something critical in the inner header",
            right()?.with("crit", json!(["exp"])).with("exp", 1),
        ),
        (
            "a private part in the inner header",
            right()?.with("jwk", with_private_part(&new)),
        ),
    ] {
        let answer = change(world, &account, &message.sign(&new)).await?;
        nothing_changed(world, &account, answer, what).await?;
    }
    // It was right but for these.
    change(world, &account, &right()?.sign(&new))
        .await?
        .expect(200)
        .map(drop)
}

fn with_private_part(key: &SigningKey) -> Value {
    let mut jwk = message::jwk(key);
    jwk["d"] = base64url::encode([7; 32]).into();
    jwk
}

async fn the_inner_jws_is_signed_by_the_new_key(world: &World) -> Outcome {
    let account = world.account().await?;
    let (new, third) = (new_key()?, new_key()?);
    let right = inner(world, &account, &new)?;
    let mut empty = right.sign(&new);
    empty.signature.clear();
    let mut exchanged = right.sign(&new);
    let payload = json!({ "oldKey": message::jwk(&account.key), "account": account.url });
    exchanged.payload = base64url::encode(payload.to_string() + " ");
    let confused = right.clone().with("alg", "HS256");
    for (what, request) in [
        ("the inner signature of the old key", right.sign(&account.key)),
        ("the inner signature of a third key", right.sign(&third)),
        ("an empty inner signature", empty),
        ("an inner payload that was exchanged", exchanged),
        (
            "a MAC by the public key",
            confused.mac(hmac::HMAC_SHA256, &new.jwk().to_spki_der()),
        ),
    ] {
        let answer = change(world, &account, &request).await?;
        nothing_changed(world, &account, answer, what).await?;
    }
    Ok(())
}

async fn the_inner_payload_names_this_account_and_its_key(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    let new = new_key()?;
    let old = message::jwk(&account.key);
    let url = &account.url;
    for (what, payload) in [
        ("another account", json!({ "account": other.url, "oldKey": old })),
        (
            "a longer account URL",
            json!({ "account": format!("{url}/"), "oldKey": old }),
        ),
        ("an account that is no text", json!({ "account": [url], "oldKey": old })),
        ("no account", json!({ "oldKey": old })),
        (
            "another account's key as the old one",
            json!({ "account": url, "oldKey": message::jwk(&other.key) }),
        ),
        (
            "the new key as the old one",
            json!({ "account": url, "oldKey": message::jwk(&new) }),
        ),
        (
            "an old key that is text",
            json!({ "account": url, "oldKey": old.to_string() }),
        ),
        ("an old key that is empty", json!({ "account": url, "oldKey": {} })),
        ("no old key", json!({ "account": url })),
        ("an array for an inner payload", json!([url, old])),
        ("an empty inner payload", Value::Null),
    ] {
        let mut message = inner(world, &account, &new)?;
        message.payload = match payload {
            Value::Null => Vec::new(),
            payload => payload.to_string().into_bytes(),
        };
        let answer = change(world, &account, &message.sign(&new)).await?;
        nothing_changed(world, &account, answer, what).await?;
    }
    world.read(&other, &other.url).await?.expect(200).map(drop)
}

async fn the_old_key_may_be_written_in_any_sequence(world: &World) -> Outcome {
    let account = world.account().await?;
    let new = new_key()?;
    let jwk = message::jwk(&account.key);
    let mut message = inner(world, &account, &new)?;
    let payload = format!(
        r#" {{ "oldKey": {{ "y": {}, "x": {}, "kty":"EC", "crv":"P-256" }}, "account": {} }}"#,
        jwk["y"],
        jwk["x"],
        json!(account.url)
    );
    message.payload = payload.into_bytes();
    change(world, &account, &message.sign(&new))
        .await?
        .expect(200)
        .map(drop)
}

async fn a_weak_or_foreign_key_is_nothing_to_change_to(world: &World) -> Outcome {
    let account = world.account().await?;
    let new = new_key()?;
    let mut off_curve = message::jwk(&new);
    off_curve["y"] = off_curve["x"].clone();
    let ed448 = json!({ "kty": "OKP", "crv": "Ed448", "x": base64url::encode([7; 57]) });
    for (alg, jwk) in [("RS256", weak_rsa()), ("ES256", off_curve), ("EdDSA", ed448)] {
        let message = inner(world, &account, &new)?.with("alg", alg).with("jwk", jwk);
        let answer = change(world, &account, &message.sign(&new)).await?;
        answer.refused_with(400, &["badPublicKey"])?;
        nothing_changed(world, &account, answer, "a key that is not accepted").await?;
    }
    Ok(())
}
