//! Nonces (RFC 8555 §6.5, §7.2).

use std::collections::HashSet;

use futures_util::future::join_all;
use http::Method;
use jose::base64url;
use serde_json::json;

use crate::{World, ensure, test::Outcome};

crate::tests! {
    "8555-7.2-1", "0.1-13" => new_nonce_answers_head_with_200_and_get_with_204;
    "8555-7.2-2" => new_nonce_may_not_be_cached;
    "8555-6.5-1" => every_answer_to_a_post_carries_a_nonce, last;
    "8555-6.5-2" => a_nonce_is_good_once_also_when_the_request_failed;
    "8555-6.5-3", "0.1-7" => a_rejected_nonce_comes_with_one_that_works;
    "8555-6.5-4" => a_nonce_that_is_not_base64url_is_malformed;
    "8555-6.5-7" => nonces_are_unique, last;
    "8555-6.5-7", "0.1-7" => a_nonce_is_good_for_any_account_and_request;
    "8555-6.5-8", "T33" => t33_of_64_parallel_replays_one_is_taken;
    "0.1-7" => fresh_nonces_are_never_rejected;
}

async fn new_nonce_answers_head_with_200_and_get_with_204(world: &World) -> Outcome {
    let url = world.resource("newNonce")?;
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204)] {
        let answer = world.get(method.clone(), &url).await?.expect(status)?;
        ensure!(answer.nonce().is_some(), "{method} newNonce gets no nonce");
        ensure!(answer.body.is_empty(), "{method} newNonce gets a body");
    }
    Ok(())
}

async fn new_nonce_may_not_be_cached(world: &World) -> Outcome {
    for method in [Method::HEAD, Method::GET] {
        let answer = world.get(method, &world.resource("newNonce")?).await?;
        let control = answer.header("cache-control").unwrap_or_default();
        ensure!(control.contains("no-store"), "Cache-Control is {control:?}");
    }
    Ok(())
}

async fn every_answer_to_a_post_carries_a_nonce(world: &World) -> Outcome {
    for heard in world
        .speaker
        .heard()
        .iter()
        .filter(|heard| heard.method == Method::POST)
    {
        let answer = &heard.answer;
        // SHOULD on errors, MUST on success; those who offer neither break pools of nonces.
        ensure!(
            answer.nonce().is_some(),
            "{}: {} without Replay-Nonce",
            answer.url,
            answer.status
        );
    }
    Ok(())
}

async fn a_nonce_is_good_once_also_when_the_request_failed(world: &World) -> Outcome {
    let account = world.account().await?;
    let body = world
        .message(&account, &account.url, b"")
        .await?
        .sign(&account.key)
        .body();
    world.send(&account.url, body.clone()).await?.expect(200)?;
    world.send(&account.url, body).await?.refused_with(400, &["badNonce"])?;

    let nonce = world.fresh_nonce().await?;
    let failing = world
        .message(&account, &account.url, b"[]")
        .await?
        .with("nonce", nonce.clone());
    world
        .send(&account.url, failing.sign(&account.key).body())
        .await?
        .refused(&["malformed"])?;
    let next = world.message(&account, &account.url, b"").await?.with("nonce", nonce);
    let answer = world.send(&account.url, next.sign(&account.key).body()).await?;
    answer.refused_with(400, &["badNonce"]).map(drop)
}

async fn a_rejected_nonce_comes_with_one_that_works(world: &World) -> Outcome {
    let account = world.account().await?;
    let unknown = base64url::encode([9; 32]);
    let near = world.fresh_nonce().await?;
    let (first, rest) = near.split_at(1);
    let near = format!("{}{rest}", if first == "A" { "B" } else { "A" });
    for nonce in [Some(unknown), Some(near), Some("AAAA".into()), None] {
        let message = world.message(&account, &account.url, b"").await?.without("nonce");
        let message = match nonce {
            Some(nonce) => message.with("nonce", nonce),
            None => message,
        };
        let answer = world
            .send_apart(&account.url, message.sign(&account.key).body())
            .await?;
        answer.refused_with(400, &["badNonce"])?;
        let Some(fresh) = answer.nonce() else {
            crate::fail!("badNonce without a nonce");
        };
        let again = message.with("nonce", fresh).sign(&account.key);
        world.send(&account.url, again.body()).await?.expect(200)?;
    }
    Ok(())
}

async fn a_nonce_that_is_not_base64url_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    for nonce in [json!("a b="), json!("a+b/"), json!("ü"), json!(1), json!(["AAAA"])] {
        let message = world.message(&account, &account.url, b"").await?.with("nonce", nonce);
        let answer = world.send(&account.url, message.sign(&account.key).body()).await?;
        answer.refused(&["malformed"])?;
    }
    Ok(())
}

async fn nonces_are_unique(world: &World) -> Outcome {
    let mut seen = HashSet::new();
    let fetched = join_all((0..512).map(|_| world.fresh_nonce())).await;
    for nonce in fetched {
        ensure!(seen.insert(nonce?), "a nonce was handed out twice");
    }
    let heard = world.speaker.heard();
    let nonces: Vec<_> = heard.iter().filter_map(|heard| heard.answer.nonce()).collect();
    let unique: HashSet<_> = nonces.iter().collect();
    ensure!(
        unique.len() == nonces.len(),
        "{} of {} nonces are different",
        unique.len(),
        nonces.len()
    );
    for nonce in nonces {
        let octets = base64url::decode(nonce);
        ensure!(
            octets.is_ok_and(|octets| octets.len() >= 8),
            "the nonce {nonce:?} is too simple"
        );
    }
    Ok(())
}

async fn a_nonce_is_good_for_any_account_and_request(world: &World) -> Outcome {
    let early = world.fresh_nonce().await?;
    let (one, other) = (world.account().await?, world.account().await?);
    let message = world.message(&other, &other.url, b"").await?.with("nonce", early);
    let answer = world
        .send(&other.url, message.sign(&other.key).body())
        .await?
        .expect(200)?;
    ensure!(answer.nonce().is_some(), "no nonce");
    // From an answer to one account, used by the other.
    let request = world
        .message(&one, &one.url, b"")
        .await?
        .with("nonce", world.fresh_nonce().await?);
    world
        .send(&one.url, request.sign(&one.key).body())
        .await?
        .expect(200)
        .map(drop)
}

async fn t33_of_64_parallel_replays_one_is_taken(world: &World) -> Outcome {
    let account = world.account().await?;
    let nonce = world.fresh_nonce().await?;
    let message = world.message(&account, &account.url, b"").await?.with("nonce", nonce);
    let body = message.sign(&account.key).body();
    let answers = join_all((0..64).map(|_| world.send(&account.url, body.clone()))).await;
    let mut taken = 0;
    for answer in answers {
        let answer = answer?;
        if answer.is_success() {
            taken += 1;
        } else {
            answer.refused_with(400, &["badNonce"])?;
            ensure!(answer.nonce().is_some(), "a rejection without a fresh nonce");
        }
    }
    ensure!(taken == 1, "{taken} of 64 requests with one nonce were taken");
    Ok(())
}

async fn fresh_nonces_are_never_rejected(world: &World) -> Outcome {
    let account = world.account().await?;
    for round in 0..200 {
        let message = world
            .message(&account, &account.url, b"")
            .await?
            .with("nonce", world.fresh_nonce().await?);
        let answer = world.send(&account.url, message.sign(&account.key).body()).await?;
        ensure!(
            answer.is_success(),
            "request {round} with a fresh nonce gets {}",
            answer.kind()
        );
    }
    Ok(())
}
