//! Signed requests (RFC 8555 §6.2).

use bytes::Bytes;
use http::Request;
use jose::{Algorithm, SigningKey, base64url};
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
    "8555-6.2-5" => none_and_macs_are_not_signatures;
    "8555-6.2-6" => accounts_can_have_keys_of_the_usual_algorithms;
    "8555-6.2-7" => an_unsupported_algorithm_is_answered_with_the_supported_ones;
    "8555-6.2-8" => a_weak_or_foreign_key_is_a_bad_public_key;
    "8555-6.2-8", "8555-6.2-9" => algorithm_and_key_must_fit_together;
    "8555-6.2-9" => a_jwk_with_its_private_part_is_refused;
    "8555-6.2-10" => each_resource_takes_its_kind_of_key_only;
    "8555-6.2-11" => a_kid_that_is_not_the_account_url_to_the_letter_is_no_account;
    "8555-6.2-12" => another_content_type_is_unsupported;
    "8555-6.2-12" => parameters_and_case_of_the_content_type_are_tolerated;
    "8555-6.2-13" => signatures_in_der_or_of_another_length_are_refused;
    "8555-6.2-14" => odd_spacing_in_the_header_verifies_as_it_was_received;
    "8555-6.2-14", "T31" => a_member_that_is_there_twice_is_malformed;
    "T31" => a_signature_of_another_key_is_refused;
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

async fn none_and_macs_are_not_signatures(world: &World) -> Outcome {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let url = world.resource("newAccount")?;
    for alg in ["none", "None", "NONE", "HS256", "HS384", "HS512"] {
        let message = world
            .message(&key, &url, b"{\"termsOfServiceAgreed\":true}")
            .await?
            .with("alg", alg);
        let mut signed = message.sign(&key);
        if alg.eq_ignore_ascii_case("none") {
            world
                .send(&url, signed.body())
                .await?
                .refused(&["badSignatureAlgorithm"])?;
            let message = world
                .message(&key, &url, b"{\"termsOfServiceAgreed\":true}")
                .await?
                .with("alg", alg);
            signed = message.sign(&key);
            signed.signature.clear();
        } else {
            // The classic confusion: the MAC's key is the public key, as everybody has it.
            let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key.jwk().to_spki_der());
            let input = format!("{}.{}", signed.protected, signed.payload);
            signed.signature = base64url::encode(aws_lc_rs::hmac::sign(&secret, input.as_bytes()));
        }
        world
            .send(&url, signed.body())
            .await?
            .refused(&["badSignatureAlgorithm"])?;
    }
    Ok(())
}

async fn accounts_can_have_keys_of_the_usual_algorithms(world: &World) -> Outcome {
    for algorithm in Algorithm::ALL {
        let account = world.account_of(SigningKey::generate(algorithm)?).await?;
        world.read(&account, &account.url).await?.expect(200)?;
    }
    Ok(())
}

async fn an_unsupported_algorithm_is_answered_with_the_supported_ones(world: &World) -> Outcome {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let url = world.resource("newAccount")?;
    for alg in ["RS1", "ES256K", "XX999", "es256", "PS256-", ""] {
        let message = world.message(&key, &url, b"{}").await?.with("alg", alg);
        let answer = world.send(&url, message.sign(&key).body()).await?;
        let problem = answer.refused_with(400, &["badSignatureAlgorithm"])?;
        let listed = problem["algorithms"].as_array().cloned().unwrap_or_default();
        ensure!(
            listed.contains(&json!("ES256")),
            "for {alg:?} the algorithms are {listed:?}"
        );
    }
    Ok(())
}

async fn a_weak_or_foreign_key_is_a_bad_public_key(world: &World) -> Outcome {
    let url = world.resource("newAccount")?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let mut off_curve = message::jwk(&key);
    off_curve["y"] = off_curve["x"].clone();
    let ed448 = json!({ "kty": "OKP", "crv": "Ed448", "x": base64url::encode([7; 57]) });
    for (alg, jwk) in [("RS256", weak_rsa()), ("ES256", off_curve), ("EdDSA", ed448)] {
        let message = world.message(&key, &url, b"{\"termsOfServiceAgreed\":true}").await?;
        let signed = message.with("alg", alg).with("jwk", jwk.clone()).sign(&key);
        let answer = world.send(&url, signed.body()).await?;
        answer.refused_with(400, &["badPublicKey"])?;
    }
    Ok(())
}

/// The modulus is odd, of 1024 bits, and nobody's.
fn weak_rsa() -> Value {
    let mut modulus = [0xc5; 128];
    modulus[64] = 0x5b;
    json!({ "kty": "RSA", "n": base64url::encode(modulus), "e": "AQAB" })
}

async fn algorithm_and_key_must_fit_together(world: &World) -> Outcome {
    let url = world.resource("newAccount")?;
    let pairs = [
        (Algorithm::Es384, "ES256"),
        (Algorithm::Es256, "ES384"),
        (Algorithm::Es256, "RS256"),
        (Algorithm::EdDsa, "ES256"),
        (Algorithm::Rs256, "ES256"),
    ];
    for (algorithm, alg) in pairs {
        let key = SigningKey::generate(algorithm)?;
        let message = world
            .message(&key, &url, b"{\"termsOfServiceAgreed\":true}")
            .await?
            .with("alg", alg);
        let answer = world.send(&url, message.sign(&key).body()).await?;
        answer.refused(&["badPublicKey", "malformed", "badSignatureAlgorithm"])?;
    }
    Ok(())
}

async fn a_jwk_with_its_private_part_is_refused(world: &World) -> Outcome {
    let url = world.resource("newAccount")?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let mut jwk = message::jwk(&key);
    jwk["d"] = base64url::encode([7; 32]).into();
    let message = world
        .message(&key, &url, b"{\"termsOfServiceAgreed\":true}")
        .await?
        .with("jwk", jwk);
    let answer = world.send(&url, message.sign(&key).body()).await?;
    answer.refused(&["badPublicKey", "malformed"]).map(drop)
}

async fn each_resource_takes_its_kind_of_key_only(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = json!({ "identifiers": [{ "type": "dns", "value": world.name("kind") }] });
    for url in [world.resource("newOrder")?, account.url.clone()] {
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

async fn signatures_in_der_or_of_another_length_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let spoils: [fn(&[u8]) -> Vec<u8>; 4] = [
        to_der,
        |signature| signature[..63].to_vec(),
        |signature| [signature, &[0]].concat(),
        |signature| [&[0], &signature[..32], &[0], &signature[32..]].concat(),
    ];
    for spoil in spoils {
        let mut signed = world.message(&account, &account.url, b"").await?.sign(&account.key);
        let signature = base64url::decode(&signed.signature)?;
        signed.signature = base64url::encode(spoil(&signature));
        let answer = world.send(&account.url, signed.body()).await?;
        answer.refused(&["malformed", "unauthorized"])?;
    }
    Ok(())
}

/// r and s as a SEQUENCE of INTEGERs (RFC 3279 §2.2.3).
fn to_der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(0);
        let mut content = number[start..].to_vec();
        if content.first().is_some_and(|byte| byte & 0x80 != 0) {
            content.insert(0, 0);
        }
        crate::craft::element(0x02, &content)
    };
    crate::craft::sequence(&[&integer(&signature[..32]), &integer(&signature[32..])])
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

async fn a_signature_of_another_key_is_refused(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    let message = world.message(&account, &account.url, b"").await?;
    let answer = world.send(&account.url, message.sign(&other.key).body()).await?;
    answer.refused(&["malformed", "unauthorized"])?;
    // A payload that was exchanged after signing.
    let mut signed = world.message(&account, &account.url, b"").await?.sign(&account.key);
    signed.payload = base64url::encode(r#"{"status":"deactivated"}"#);
    world
        .send(&account.url, signed.body())
        .await?
        .refused(&["malformed", "unauthorized"])?;
    world.read(&account, &account.url).await?.expect(200).map(drop)
}
