//! Keys, algorithms and signatures (RFC 8555 §6.2).

use jose::{Algorithm, SigningKey, base64url};
use serde_json::{Value, json};

use crate::{World, ensure, message, test::Outcome};

crate::tests! {
    "8555-6.2-5" => none_and_macs_are_not_signatures;
    "8555-6.2-6" => accounts_can_have_keys_of_the_usual_algorithms;
    "8555-6.2-7" => an_unsupported_algorithm_is_answered_with_the_supported_ones;
    "8555-6.2-8" => a_weak_or_foreign_key_is_a_bad_public_key;
    "8555-6.2-8", "8555-6.2-9" => algorithm_and_key_must_fit_together;
    "8555-6.2-9" => a_jwk_with_its_private_part_is_refused;
    "8555-6.2-13" => signatures_in_der_or_of_another_length_are_refused;
    "T31" => a_signature_of_another_key_is_refused;
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
pub fn weak_rsa() -> Value {
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
