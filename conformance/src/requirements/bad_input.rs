//! What is not a request at all: it gets a clear problem, and the server goes on (INCIDENTS T31).

use aws_lc_rs::rand::SecureRandom;
use bytes::Bytes;
use http::{Method, Request};
use jose::base64url;
use serde_json::json;

use crate::{World, ensure, message, test::Outcome, world::Account};

crate::tests! {
    "T31" => truncated_bodies_are_malformed;
    "T31" => random_bodies_are_malformed;
    "T31", "8555-6.2-15" => a_body_of_a_mebibyte_is_refused_quickly;
    "T31", "8555-6.2-15" => deep_json_is_malformed;
    "T31" => payloads_of_every_shape_are_refused_clearly;
    "T31" => unknown_paths_and_methods_are_refused_clearly;
    "T31" => what_is_not_http_closes_the_connection;
    "T31" => huge_and_odd_keys_are_refused;
}

/// The server is well: another request is answered.
async fn lives(world: &World, account: &Account) -> Outcome {
    world.read(account, &account.url).await?.expect(200).map(drop)
}

async fn truncated_bodies_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let body = world
        .message(&account, &account.url, b"{}")
        .await?
        .sign(&account.key)
        .body();
    for length in (0..body.len()).step_by(7) {
        world
            .send(&account.url, body[..length].to_vec())
            .await?
            .refused(&["malformed"])?;
    }
    lives(world, &account).await
}

async fn random_bodies_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let random = aws_lc_rs::rand::SystemRandom::new();
    for length in [1, 2, 16, 255, 1024, 65536] {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes)?;
        world.send(&account.url, bytes.clone()).await?.refused(&["malformed"])?;
        // The same where a header, a payload, a signature should be.
        let noise = base64url::encode(&bytes[..length.min(1024)]);
        for member in ["protected", "payload", "signature"] {
            let mut message = world
                .message(&account, &account.url, b"{}")
                .await?
                .sign(&account.key)
                .json();
            message[member] = noise.clone().into();
            let answer = world.send(&account.url, message.to_string()).await?;
            answer.refused(&["malformed", "unauthorized"])?;
        }
    }
    lives(world, &account).await
}

async fn a_body_of_a_mebibyte_is_refused_quickly(world: &World) -> Outcome {
    let account = world.account().await?;
    let padding = "x".repeat(1 << 20);
    let mut body = world
        .message(&account, &account.url, b"{}")
        .await?
        .sign(&account.key)
        .json();
    body["x-padding"] = padding.clone().into();
    let payload = json!({ "x-padding": padding }).to_string();
    let signed = world
        .message(&account, &account.url, payload.as_bytes())
        .await?
        .sign(&account.key);
    for body in [
        body.to_string().into_bytes(),
        signed.body(),
        vec![b'{'; 1 << 20],
        vec![0; 1 << 20],
    ] {
        let before = tokio::time::Instant::now();
        let answer = world.send(&account.url, body).await?;
        answer.refused(&["malformed"])?;
        ensure!(
            [400, 413].contains(&answer.status),
            "a body of a mebibyte gets {}",
            answer.status
        );
        ensure!(before.elapsed().as_secs() < 5, "a refusal took {:?}", before.elapsed());
    }
    lives(world, &account).await
}

async fn deep_json_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        world.send(&account.url, deep.clone()).await?.refused(&["malformed"])?;
        let mut body = world
            .message(&account, &account.url, b"{}")
            .await?
            .sign(&account.key)
            .json()
            .to_string();
        body.insert_str(body.len() - 1, &format!(",\"x\":{deep}"));
        world.send(&account.url, body).await?.refused(&["malformed"])?;
        let nonce = world.nonce().await?;
        let header = format!(
            r#"{{"alg":"ES256","nonce":"{nonce}","kid":{0},"url":{0},"x":{deep}}}"#,
            json!(account.url)
        );
        let signed = message::sign_text(&header, b"{}", &account.key);
        world.send(&account.url, signed.body()).await?.refused(&["malformed"])?;
        let payload = format!("{{\"contact\":{deep}}}");
        let answer = world.post_bytes(&account, &account.url, payload.as_bytes()).await?;
        answer.refused(&["malformed"])?;
    }
    lives(world, &account).await
}

async fn payloads_of_every_shape_are_refused_clearly(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world.order(&account, &[&world.name("shape")]).await?;
    let mut urls = vec![order.url.clone(), order.finalize()?.to_owned(), account.url.clone()];
    urls.extend(order.authorizations());
    for key in ["newOrder", "revokeCert", "newNonce", "keyChange", "newAuthz"] {
        urls.extend(world.directory[key].as_str().map(str::to_owned));
    }
    for url in urls {
        for payload in [
            "[]",
            "\"x\"",
            "1",
            "null",
            "true",
            "{",
            "{\"a\":}",
            "\u{0}",
            "{}{}",
            "{\"status\":1}",
        ] {
            let answer = world.post_bytes(&account, &url, payload.as_bytes()).await?;
            ensure!(
                answer.status < 500,
                "{url}: the payload {payload:?} gets {}",
                answer.status
            );
            // Where a payload means nothing the server may look away.
            if !answer.is_success() {
                answer.refused(&[])?;
            }
        }
    }
    lives(world, &account).await
}

async fn unknown_paths_and_methods_are_refused_clearly(world: &World) -> Outcome {
    let account = world.account().await?;
    let base = world
        .options
        .directory
        .splitn(4, '/')
        .take(3)
        .collect::<Vec<_>>()
        .join("/");
    for path in [
        "/",
        "/nowhere",
        "/acme/order/AAAA",
        "/%00",
        "/%2e%2e/etc/passwd",
        "/acme//order",
        "/directory/",
    ] {
        let answer = world.get(Method::GET, &format!("{base}{path}")).await?;
        ensure!([404, 405].contains(&answer.status), "GET {path} gets {}", answer.status);
        answer.refused(&["malformed"])?;
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
        for url in [&world.options.directory, &account.url, &world.resource("newOrder")?] {
            let answer = world.get(method.clone(), url).await?;
            ensure!(answer.status == 405, "{method} {url} gets {}", answer.status);
            answer.refused(&["malformed"])?;
        }
    }
    lives(world, &account).await
}

async fn what_is_not_http_closes_the_connection(world: &World) -> Outcome {
    let account = world.account().await?;
    let url = &world.options.directory;
    for bytes in [
        &b"\0\0\0\0\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let seen = world.speaker.send_raw(url, bytes).await?;
        let text = String::from_utf8_lossy(&seen);
        let status = text.split(' ').nth(1).unwrap_or_default();
        ensure!(!status.starts_with('2') && status != "500", "{bytes:?} gets {status}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 17));
    let seen = world.speaker.send_raw(url, long.as_bytes()).await?;
    ensure!(
        !String::from_utf8_lossy(&seen).contains(" 500 "),
        "a long path is an error of the server"
    );
    lives(world, &account).await
}

async fn huge_and_odd_keys_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let url = world.resource("newAccount")?;
    let key = crate::world::new_key()?;
    let modulus = base64url::encode(vec![0xc5; 16 * 1024]);
    let exponent = base64url::encode(vec![0xff; 1024]);
    let odd = [
        json!({ "kty": "RSA", "n": modulus, "e": "AQAB" }),
        json!({ "kty": "RSA", "n": base64url::encode([0xc5; 256]), "e": exponent }),
        json!({ "kty": "RSA", "n": base64url::encode([0xc4; 256]), "e": "AQAB" }),
        json!({ "kty": "RSA", "n": base64url::encode([0xc5; 256]), "e": "AQ" }),
        json!({ "kty": "RSA", "n": "", "e": "" }),
        json!({ "kty": "EC", "crv": "P-521", "x": base64url::encode([1; 66]), "y": base64url::encode([1; 66]) }),
        json!({ "kty": "EC", "crv": "P-256", "x": "", "y": "" }),
        json!({ "kty": "EC", "crv": "P-256", "x": base64url::encode([0; 32]), "y": base64url::encode([0; 32]) }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode([0; 31]) }),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({}),
        json!("key"),
        json!(null),
    ];
    for jwk in odd {
        for alg in ["ES256", "RS256", "EdDSA"] {
            let message = world.message(&key, &url, b"{\"termsOfServiceAgreed\":true}").await?;
            let body = message.with("alg", alg).with("jwk", jwk.clone()).sign(&key).body();
            let before = tokio::time::Instant::now();
            let request = Request::post(&url)
                .header("Content-Type", acme::JOSE_JSON)
                .body(Bytes::from(body))?;
            let answer = world.speaker.send(request).await?;
            answer.refused(&["malformed", "badPublicKey", "badSignatureAlgorithm"])?;
            ensure!(
                before.elapsed().as_secs() < 5,
                "refusing a key took {:?}",
                before.elapsed()
            );
        }
    }
    lives(world, &account).await
}
