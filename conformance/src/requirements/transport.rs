//! Transport and binary values (RFC 8555 §6.1).

use bytes::Bytes;
use http::{Method, Request};
use jose::base64url;
use serde_json::json;

use crate::{World, craft, ensure, message, test::Outcome};

crate::tests! {
    "8555-6.1-1" => plain_http_to_the_port_gets_no_directory;
    "8555-6.1-4" => answers_may_be_read_by_scripts_of_any_origin;
    "8555-6.1-5" => a_signed_request_in_another_spelling_of_base64_is_malformed;
    "8555-6.1-5", "8555-6.1-6" => a_csr_in_another_spelling_of_base64_is_refused;
    "8555-6.1-6" => a_signed_request_in_second_spellings_of_base64url_is_malformed;
}

async fn plain_http_to_the_port_gets_no_directory(world: &World) -> Outcome {
    let request = b"GET /directory HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let seen = world.speaker.send_plain(&world.options.directory, request).await?;
    let text = String::from_utf8_lossy(&seen);
    ensure!(
        !text.contains(" 200 ") && !text.contains("newNonce"),
        "plain HTTP is answered: {text:.100}"
    );
    Ok(())
}

async fn answers_may_be_read_by_scripts_of_any_origin(world: &World) -> Outcome {
    for url in [world.options.directory.clone(), world.resource("newNonce")?] {
        let request = Request::get(&url)
            .header("Origin", "https://elsewhere.example")
            .body(Bytes::new())?;
        let answer = world.speaker.send(request).await?;
        ensure!(
            answer.header("access-control-allow-origin") == Some("*"),
            "{url}: Access-Control-Allow-Origin is {:?}",
            answer.header("access-control-allow-origin")
        );
    }
    let account = world.account().await?;
    let answer = world.read(&account, &account.url).await?;
    ensure!(
        answer.header("access-control-allow-origin") == Some("*"),
        "a POST is answered without it"
    );
    let exposed = answer
        .header("access-control-expose-headers")
        .unwrap_or_default()
        .to_ascii_lowercase();
    for header in ["replay-nonce", "location", "link", "retry-after"] {
        ensure!(
            exposed.contains(header),
            "the headers exposed to scripts are {exposed:?}, without {header}"
        );
    }
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(world.resource("newOrder")?)
        .header("Origin", "https://elsewhere.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type")
        .body(Bytes::new())?;
    let preflight = world.speaker.send(request).await?;
    let allowed = preflight
        .header("access-control-allow-headers")
        .unwrap_or_default()
        .to_ascii_lowercase();
    ensure!(
        preflight.is_success() && allowed.contains("content-type"),
        "the preflight gets {} and Access-Control-Allow-Headers {allowed:?}",
        preflight.status
    );
    Ok(())
}

async fn a_signed_request_in_another_spelling_of_base64_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for spoil in [
        |text: &str| format!("{text}="),
        |text: &str| format!(" {text}"),
        |text: &str| format!("{text}+/"),
    ] {
        for member in ["protected", "payload", "signature"] {
            let message = world.message(&account, &account.url, b"{}").await?;
            let right = message.sign(&account.key);
            let (protected, payload) = match member {
                "protected" => (spoil(&right.protected), right.payload),
                "payload" => (right.protected, spoil(&right.payload)),
                _ => (right.protected, right.payload),
            };
            // Signed as it stands, so that only the spelling is wrong.
            let mut crafted = message::sign_encoded(protected, payload, &account.key);
            if member == "signature" {
                crafted.signature = spoil(&crafted.signature);
            }
            world
                .send(&account.url, crafted.body())
                .await?
                .refused(&["malformed"])?;
        }
    }
    Ok(())
}

async fn a_signed_request_in_second_spellings_of_base64url_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    // "{}" is e30; e31 decodes to the same two octets with a stray bit.
    for payload in ["e31", "e30\n", "e", "e30e3"] {
        let message = world.message(&account, &account.url, b"").await?;
        let right = message.sign(&account.key);
        let crafted = message::sign_encoded(right.protected, payload.into(), &account.key);
        let refused = world.send(&account.url, crafted.body()).await?;
        refused.refused(&["malformed"])?;
    }
    Ok(())
}

async fn a_csr_in_another_spelling_of_base64_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("spelling");
    let order = world.ready(&account, &[&name]).await?;
    let key = pkix::key::KeyPair::generate_p256();
    let mut csr = craft::csr_for(&key, &[&name]);
    // Of a length that leaves bits over.
    while csr.len().is_multiple_of(3) {
        csr = craft::csr_for(&key, &[&name]);
    }
    let right = base64url::encode(&csr);
    let last = right.chars().last().unwrap_or('A');
    let stray = char::from_u32(u32::from(last) + 1).unwrap_or('B');
    let spoiled = [
        format!("{right}="),
        format!("{right}=="),
        format!(" {right}"),
        format!("{}\n{}", &right[..64], &right[64..]),
        format!("{}{stray}", &right[..right.len() - 1]),
        format!("{right}A"),
        right.replace(['-', '_'], "+"),
    ];
    for csr in spoiled.iter().filter(|spoiled| **spoiled != right) {
        let answer = world.post(&account, order.finalize()?, &json!({ "csr": csr })).await?;
        answer.refused(&["malformed", "badCSR"])?;
    }
    Ok(())
}
