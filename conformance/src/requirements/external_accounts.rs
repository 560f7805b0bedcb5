//! Accounts that are bound to keys of the operator (RFC 8555 §7.3.4).

use aws_lc_rs::hmac;
use futures_util::future::join_all;
use jose::{SigningKey, base64url};
use serde_json::{Value, json};

use crate::{
    World,
    answer::Answer,
    ensure,
    message::{self, Flattened, Message},
    not_applicable,
    test::Outcome,
    world::{Account, new_key},
};

crate::tests! {
    "8555-7.3.4-1" => where_a_binding_is_demanded_nobody_gets_an_account_without;
    "8555-7.3.4-2" => a_binding_with_another_header_is_refused;
    "8555-7.3.4-2" => a_binding_that_is_no_flattened_jws_is_refused;
    "8555-7.3.4-3" => a_binding_of_another_key_is_refused;
    "8555-7.3.4-3" => the_bound_key_may_be_written_in_any_sequence;
    "8555-7.3.4-4", "8555-7.3.4-7" => a_binding_that_the_key_did_not_make_is_refused;
    "8555-7.3.4-5", "8555-7.3.4-7" => a_right_binding_is_shown_as_it_was_sent;
    "8555-7.3.4-5" => a_binding_that_was_not_verified_is_not_shown;
    "8555-7.3.4-6" => a_binding_is_neither_changed_nor_added_later;
    "8555-7.3.4-8" => a_key_for_one_account_binds_one;
    "8555-7.3.4-9" => an_account_that_exists_needs_no_binding;
}

/// newAccount with this binding, or with none.
async fn ask(world: &World, key: &SigningKey, binding: Option<Value>) -> Outcome<Answer> {
    let mut request = json!({ "termsOfServiceAgreed": true });
    if let Some(binding) = binding {
        request["externalAccountBinding"] = binding;
    }
    world.post(key, &world.resource("newAccount")?, &request).await
}

/// A new key is refused with this binding, and then has no account.
async fn refused(world: &World, key: &SigningKey, binding: Value, what: &str) -> Outcome {
    let answer = ask(world, key, Some(binding)).await?;
    ensure!(!answer.is_success(), "a binding with {what} gets an account");
    answer.refused(&[
        "malformed",
        "unauthorized",
        "badPublicKey",
        "badSignatureAlgorithm",
        "externalAccountRequired",
    ])?;
    let exists = world.new_account(key, json!({ "onlyReturnExisting": true })).await?;
    exists.refused(&["accountDoesNotExist"]).map(drop)
}

fn mac(world: &World, message: &Message) -> Outcome<Flattened> {
    Ok(message.mac(hmac::HMAC_SHA256, &world.external_key()?.key))
}

async fn where_a_binding_is_demanded_nobody_gets_an_account_without(world: &World) -> Outcome {
    if !world.requires_binding() {
        not_applicable!("the directory does not demand a binding");
    }
    let key = new_key()?;
    for binding in [None, Some(Value::Null)] {
        let answer = ask(world, &key, binding).await?;
        answer.refused(&["externalAccountRequired"])?;
    }
    let exists = world.new_account(&key, json!({ "onlyReturnExisting": true })).await?;
    exists.refused(&["accountDoesNotExist"]).map(drop)
}

async fn a_binding_with_another_header_is_refused(world: &World) -> Outcome {
    let key = new_key()?;
    let right = || world.binding_message(&key);
    let url = world.resource("newAccount")?;
    let order = world.resource("newOrder")?;
    let nonce = world.fresh_nonce().await?;
    for (what, message) in [
        ("a nonce", right()?.with("nonce", nonce)),
        ("an empty nonce", right()?.with("nonce", "")),
        ("no key id", right()?.without("kid")),
        ("a key id that is no text", right()?.with("kid", 1)),
        (
            "jwk for a key id",
            right()?.without("kid").with("jwk", message::jwk(&key)),
        ),
        ("another url", right()?.with("url", order)),
        ("a longer url", right()?.with("url", format!("{url}/"))),
        ("no url", right()?.without("url")),
        ("no algorithm", right()?.without("alg")),
        ("the algorithm none", right()?.with("alg", "none")),
        ("another MAC than it says", right()?.with("alg", "HS512")),
        (
            "something critical",
            right()?.with("crit", json!(["exp"])).with("exp", 1),
        ),
    ] {
        refused(world, &key, mac(world, &message)?.json(), what).await?;
    }
    let signed = right()?.with("alg", "ES256").sign(&key);
    refused(world, &key, signed.json(), "a signature for a MAC").await?;
    // It was right but for these.
    ask(world, &key, Some(world.binding(&key)?))
        .await?
        .expect(201)
        .map(drop)
}

async fn a_binding_that_is_no_flattened_jws_is_refused(world: &World) -> Outcome {
    let key = new_key()?;
    let signed = mac(world, &world.binding_message(&key)?)?;
    let Flattened {
        protected,
        payload,
        signature,
    } = &signed;
    let compact = format!("{protected}.{payload}.{signature}");
    let one = json!({ "protected": protected, "signature": signature });
    let mut unprotected = signed.json();
    unprotected["header"] = json!({ "kid": world.external_key()?.kid });
    for (what, binding) in [
        ("an empty object", json!({})),
        ("text", json!("binding")),
        ("the compact serialization", json!(compact)),
        (
            "the general serialization",
            json!({ "payload": payload, "signatures": [one] }),
        ),
        ("an array", json!([signed.json()])),
        ("a number", json!(1)),
        ("an unprotected header", unprotected),
        ("no payload", json!({ "protected": protected, "signature": signature })),
        ("no MAC", json!({ "protected": protected, "payload": payload })),
    ] {
        refused(world, &key, binding, what).await?;
    }
    Ok(())
}

async fn a_binding_of_another_key_is_refused(world: &World) -> Outcome {
    let (key, other) = (new_key()?, new_key()?);
    refused(world, &key, world.binding(&other)?, "another key").await?;
    for (what, payload) in [
        ("an empty payload", String::new()),
        ("a payload that is no key", "{}".into()),
        ("a payload that is no JSON", "key".into()),
        ("a key in an array", json!([message::jwk(&key)]).to_string()),
    ] {
        let mut message = world.binding_message(&key)?;
        message.payload = payload.into_bytes();
        refused(world, &key, mac(world, &message)?.json(), what).await?;
    }
    Ok(())
}

async fn the_bound_key_may_be_written_in_any_sequence(world: &World) -> Outcome {
    let key = new_key()?;
    let jwk = message::jwk(&key);
    let mut message = world.binding_message(&key)?;
    let text = format!(
        r#" {{ "y":{}, "x" : {}, "kty":"EC",  "crv":"P-256" }} "#,
        jwk["y"], jwk["x"]
    );
    message.payload = text.into_bytes();
    let binding = mac(world, &message)?.json();
    ask(world, &key, Some(binding)).await?.expect(201).map(drop)
}

async fn a_binding_that_the_key_did_not_make_is_refused(world: &World) -> Outcome {
    let key = new_key()?;
    let external = world.external_key()?;
    let message = world.binding_message(&key)?;
    let by = |octets: &[u8]| message.mac(hmac::HMAC_SHA256, octets);
    let mut short = by(&external.key);
    short.signature = base64url::encode(&base64url::decode(&short.signature)?[..16]);
    let mut empty = by(&external.key);
    empty.signature.clear();
    let unknown = world
        .binding_message(&key)?
        .with("kid", format!("{}-unknown", external.kid));
    for (what, binding) in [
        ("a MAC of another key", by(&[7; 32])),
        ("a MAC of the empty key", by(&[])),
        (
            "a MAC of the key as it is written",
            by(base64url::encode(&external.key).as_bytes()),
        ),
        ("half a MAC", short),
        ("an empty MAC", empty),
        ("the MAC of an unknown key", mac(world, &unknown)?),
    ] {
        refused(world, &key, binding.json(), what).await?;
    }
    Ok(())
}

async fn a_right_binding_is_shown_as_it_was_sent(world: &World) -> Outcome {
    for (alg, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        let key = new_key()?;
        let message = world.binding_message(&key)?.with("alg", alg);
        let binding = message.mac(algorithm, &world.external_key()?.key).json();
        let answer = ask(world, &key, Some(binding.clone())).await?.expect(201)?;
        let account = Account {
            url: answer.location()?,
            key,
        };
        for object in [answer.json()?, world.read_json(&account, &account.url).await?] {
            ensure!(
                object["externalAccountBinding"] == binding,
                "the binding was {binding}, and is shown as {}",
                object["externalAccountBinding"]
            );
        }
    }
    Ok(())
}

async fn a_binding_that_was_not_verified_is_not_shown(world: &World) -> Outcome {
    let key = new_key()?;
    let url = world.resource("newAccount")?;
    let mut message = Message::new(
        &key,
        Some("nobody"),
        "",
        &url,
        message::jwk(&key).to_string().as_bytes(),
    );
    message = message.without("nonce").with("alg", "HS256");
    let binding = message.mac(hmac::HMAC_SHA256, &[7; 32]).json();
    let answer = ask(world, &key, Some(binding)).await?;
    if !answer.is_success() {
        return answer.refused(&["malformed", "unauthorized"]).map(drop);
    }
    let object = answer.json()?;
    ensure!(
        object.get("externalAccountBinding").is_none(),
        "a binding by a key that nobody handed out is shown: {object}"
    );
    Ok(())
}

async fn a_binding_is_neither_changed_nor_added_later(world: &World) -> Outcome {
    let key = new_key()?;
    let answer = ask(world, &key, Some(world.binding(&key)?)).await?.expect(201)?;
    let account = Account {
        url: answer.location()?,
        key,
    };
    let mut accounts = vec![account];
    if !world.requires_binding() {
        accounts.push(world.account().await?);
    }
    for account in accounts {
        let before = world.read_json(&account, &account.url).await?;
        let message = world.binding_message(&account.key)?.with("alg", "HS384");
        let other = message.mac(hmac::HMAC_SHA384, &world.external_key()?.key).json();
        for binding in [other, Value::Null, json!({})] {
            let update = json!({ "externalAccountBinding": binding });
            let answer = world.post(&account, &account.url, &update).await?;
            // To say that it is malformed is as good.
            if !answer.is_success() {
                answer.refused(&["malformed"])?;
            }
            let after = world.read_json(&account, &account.url).await?;
            ensure!(after == before, "an update with {update} made {after} of {before}");
        }
    }
    Ok(())
}

async fn a_key_for_one_account_binds_one(world: &World) -> Outcome {
    let keys: Vec<_> = (0..8).map(|_| new_key()).collect::<Outcome<_>>()?;
    let requests = keys.iter().map(|key| {
        let binding = world.binding(key);
        async { ask(world, key, Some(binding?)).await }
    });
    let (mut bound, mut unbound) = (Vec::new(), Vec::new());
    for (answer, key) in join_all(requests).await.into_iter().zip(&keys) {
        let answer = answer?;
        match answer.status {
            201 => bound.push(key),
            _ => {
                answer.refused(&["malformed", "unauthorized"])?;
                unbound.push(key);
            }
        }
    }
    let late = new_key()?;
    let answer = ask(world, &late, Some(world.binding(&late)?)).await?;
    if answer.is_success() {
        not_applicable!("the key binds more than one account");
    }
    answer.refused(&["malformed", "unauthorized"])?;
    ensure!(
        bound.len() == 1,
        "a key that is used up bound {} accounts at once",
        bound.len()
    );
    unbound.push(&late);
    for key in unbound {
        let exists = world.new_account(key, json!({ "onlyReturnExisting": true })).await?;
        exists.refused(&["accountDoesNotExist"])?;
    }
    Ok(())
}

async fn an_account_that_exists_needs_no_binding(world: &World) -> Outcome {
    let key = new_key()?;
    let answer = ask(world, &key, Some(world.binding(&key)?)).await?.expect(201)?;
    let (url, object) = (answer.location()?, answer.json()?);
    let other = mac(world, &world.binding_message(&key)?.with("kid", "another"))?.json();
    for binding in [None, Some(other)] {
        let answer = ask(world, &key, binding).await?.expect(200)?;
        ensure!(answer.location()? == url, "the account moved to {}", answer.location()?);
        ensure!(
            answer.json()? == object,
            "the account was {object} and is {}",
            answer.excerpt()
        );
    }
    let exists = world.new_account(&key, json!({ "onlyReturnExisting": true })).await?;
    exists.expect(200).map(drop)
}
