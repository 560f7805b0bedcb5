//! The form of signed requests (RFC 8555 §6.2).

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::{
    World, ensure,
    message::{self, Flattened},
    test::Outcome,
};

crate::tests! {
    "8555-6.2-1" => compact_and_general_serializations_are_malformed;
    "8555-6.2-2" => an_unprotected_header_is_malformed;
    "8555-6.2-3" => detached_unencoded_and_critical_messages_are_malformed;
    "8555-6.2-4" => every_combination_of_header_members_but_the_right_one_is_refused;
    "8555-6.2-10" => each_resource_takes_its_kind_of_key_only;
    "8555-6.2-11" => a_kid_that_is_not_the_account_url_to_the_letter_is_no_account;
    "8555-6.2-12" => another_content_type_is_unsupported;
    "8555-6.2-12" => parameters_and_case_of_the_content_type_are_tolerated;
    "8555-6.2-14" => odd_spacing_in_the_header_verifies_as_it_was_received;
    "8555-6.2-14", "T31" => a_member_that_is_there_twice_is_malformed;
}

async fn compact_and_general_serializations_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let signed =
        async || -> Outcome<Flattened> { Ok(world.message(&account, &account.url, b"").await?.sign(&account.key)) };
    let Flattened {
        protected,
        payload,
        signature,
    } = signed().await?;
    let compact = format!("{protected}.{payload}.{signature}");
    world
        .send(&account.url, compact.clone())
        .await?
        .refused(&["malformed"])?;
    world
        .send(&account.url, json!(compact).to_string())
        .await?
        .refused(&["malformed"])?;

    let Flattened {
        protected,
        payload,
        signature,
    } = signed().await?;
    let one = json!({ "protected": protected, "signature": signature });
    let general = json!({ "payload": payload, "signatures": [one] });
    world
        .send(&account.url, general.to_string())
        .await?
        .refused(&["malformed"])?;

    let flattened = signed().await?;
    let mut both = flattened.json();
    both["signatures"] = json!([{ "protected": flattened.protected, "signature": flattened.signature }]);
    world
        .send(&account.url, both.to_string())
        .await?
        .refused(&["malformed"])?;
    Ok(())
}

async fn an_unprotected_header_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for header in [
        json!({}),
        json!({ "kid": account.url }),
        json!({ "alg": "ES256" }),
        json!(null),
        json!("x"),
    ] {
        let mut body = world
            .message(&account, &account.url, b"")
            .await?
            .sign(&account.key)
            .json();
        body["header"] = header;
        world
            .send(&account.url, body.to_string())
            .await?
            .refused(&["malformed"])?;
    }
    Ok(())
}

async fn detached_unencoded_and_critical_messages_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for member in ["payload", "protected", "signature"] {
        let mut body = world
            .message(&account, &account.url, b"")
            .await?
            .sign(&account.key)
            .json();
        if let Some(object) = body.as_object_mut() {
            object.remove(member);
        }
        world
            .send(&account.url, body.to_string())
            .await?
            .refused(&["malformed"])?;
    }
    let odd: [&[(&str, Value)]; 4] = [
        &[("b64", json!(false))],
        &[("b64", json!(false)), ("crit", json!(["b64"]))],
        &[("crit", json!(["exp"])), ("exp", json!(1))],
        &[("crit", json!([]))],
    ];
    for members in odd {
        let mut message = world.message(&account, &account.url, b"{}").await?;
        for (member, value) in members {
            message = message.with(member, value.clone());
        }
        world
            .send(&account.url, message.sign(&account.key).body())
            .await?
            .refused(&["malformed"])?;
    }
    Ok(())
}

async fn every_combination_of_header_members_but_the_right_one_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    // One bit for each member; all but jwk together are right.
    const MEMBERS: [&str; 5] = ["alg", "nonce", "url", "kid", "jwk"];
    for present in 0..32_u8 {
        let mut message = world
            .message(&account, &account.url, b"")
            .await?
            .with("jwk", message::jwk(&account.key));
        for (bit, member) in MEMBERS.iter().enumerate() {
            if present & (1 << bit) == 0 {
                message = message.without(member);
            }
        }
        let answer = world.send(&account.url, message.sign(&account.key).body()).await?;
        if present == 0b01111 {
            answer.expect(200)?;
        } else {
            let kinds: &[&str] = match present {
                0b01101 => &["badNonce"],
                _ => &["malformed", "badNonce", "badSignatureAlgorithm", "unauthorized"],
            };
            answer.refused(kinds)?;
        }
    }
    Ok(())
}

async fn each_resource_takes_its_kind_of_key_only(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = json!({ "identifiers": [{ "type": "dns", "value": world.name("kind") }] });
    let mut urls = vec![account.url.clone()];
    for key in ["newOrder", "keyChange", "newAuthz"] {
        urls.extend(world.directory[key].as_str().map(str::to_owned));
    }
    for url in urls {
        let answer = world.post(&account.key, &url, &order).await?;
        answer.refused(&["malformed"])?;
    }
    let answer = world.post(&account, &world.resource("newAccount")?, &json!({})).await?;
    answer.refused(&["malformed"]).map(drop)
}

async fn a_kid_that_is_not_the_account_url_to_the_letter_is_no_account(world: &World) -> Outcome {
    let account = world.account().await?;
    let other = match account.url.char_indices().last() {
        Some((at, last)) => format!("{}{}", &account.url[..at], if last == '7' { '8' } else { '7' }),
        None => String::new(),
    };
    let near = [
        format!("{}/", account.url),
        format!("{}?", account.url),
        format!("{}#", account.url),
        account.url.replacen("https", "HTTPS", 1),
        account.url.replacen("https", "http", 1),
        account.url.replacen("://", "://elsewhere.", 1),
        other,
        world.options.directory.clone(),
        "1".into(),
        String::new(),
    ];
    for kid in near {
        let message = world
            .message(&account, &account.url, b"")
            .await?
            .with("kid", kid.clone());
        let answer = world.send(&account.url, message.sign(&account.key).body()).await?;
        ensure!(!answer.is_success(), "the kid {kid:?} is accepted for {}", account.url);
        answer.refused(&["accountDoesNotExist", "malformed"])?;
    }
    Ok(())
}

async fn another_content_type_is_unsupported(world: &World) -> Outcome {
    let account = world.account().await?;
    for content_type in [
        "application/json",
        "text/plain",
        "application/jose",
        "application/jose+jsonx",
        "",
    ] {
        let body = world
            .message(&account, &account.url, b"")
            .await?
            .sign(&account.key)
            .body();
        let mut request = Request::post(&account.url);
        if !content_type.is_empty() {
            request = request.header("Content-Type", content_type);
        }
        let answer = world.speaker.send(request.body(Bytes::from(body))?).await?;
        answer.refused_with(415, &["malformed"])?;
    }
    Ok(())
}

async fn parameters_and_case_of_the_content_type_are_tolerated(world: &World) -> Outcome {
    let account = world.account().await?;
    for content_type in ["application/jose+json; charset=utf-8", "Application/JOSE+JSON"] {
        let body = world
            .message(&account, &account.url, b"")
            .await?
            .sign(&account.key)
            .body();
        let request = Request::post(&account.url)
            .header("Content-Type", content_type)
            .body(Bytes::from(body))?;
        world.speaker.send(request).await?.expect(200)?;
    }
    Ok(())
}

async fn odd_spacing_in_the_header_verifies_as_it_was_received(world: &World) -> Outcome {
    let account = world.account().await?;
    let nonce = world.fresh_nonce().await?;
    let header = format!(
        "\n{{ \"url\" : {},\t\"kid\":\r\n{} , \"no\\u006ece\":\"{nonce}\", \"alg\":\"ES256\" }} ",
        json!(account.url),
        json!(account.url),
    );
    let signed = message::sign_text(&header, b"", &account.key);
    let body = format!(
        " {{ \"signature\" : \"{}\",\n \"payload\":\"\" , \"protected\" :\"{}\" }}\n",
        signed.signature, signed.protected
    );
    world.send(&account.url, body).await?.expect(200).map(drop)
}

async fn a_member_that_is_there_twice_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let (url, kid) = (json!(account.url), json!(account.url));
    let nonce = world.fresh_nonce().await?;
    let header = format!(r#"{{"alg":"ES256","url":{url},"url":{url},"kid":{kid},"nonce":"{nonce}"}}"#);
    let body = message::sign_text(&header, b"", &account.key).body();
    world.send(&account.url, body).await?.refused(&["malformed"])?;

    let signed = world.message(&account, &account.url, b"").await?.sign(&account.key);
    let body = format!(
        r#"{{"protected":"{0}","protected":"{0}","payload":"","signature":"{1}"}}"#,
        signed.protected, signed.signature
    );
    world.send(&account.url, body).await?.refused(&["malformed"]).map(drop)
}
