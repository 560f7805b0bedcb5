//! The CSR and what becomes of the order (RFC 8555 §7.4).

use std::collections::HashSet;

use futures_util::future::join_all;
use pkix::key::KeyPair;
use serde_json::json;

use crate::{World, craft, ensure, test::Outcome, world::poll};

crate::tests! {
    "8555-7.4-6" => finalize_of_a_pending_order_is_refused;
    "8555-7.4-6", "0.1-5" => the_same_csr_again_gets_the_order_and_another_is_refused;
    "8555-7.4-6" => finalize_of_an_invalid_order_is_refused;
    "8555-7.4-11", "0.1-3", "0.1-4" => finalize_answers_with_the_valid_order_and_its_location;
    "8555-7.4-14" => parallel_finalizes_give_one_certificate;
}

async fn finalize_of_a_pending_order_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("early");
    let order = world.order(&account, &[&name]).await?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    world
        .finalize(&account, &order, &csr)
        .await?
        .refused_with(403, &["orderNotReady"])?;
    let order = world.reread(&account, &order).await?;
    ensure!(
        order.status() == "pending",
        "after an early finalize the order is {}",
        order.body
    );
    Ok(())
}

async fn the_same_csr_again_gets_the_order_and_another_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("again");
    let issued = world.issue(&account, &[&name]).await?;
    let again = world
        .finalize(&account, &issued.order, &issued.csr)
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        again["certificate"] == issued.url.as_str(),
        "the same CSR again gets {again}"
    );
    let other = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    let answer = world.finalize(&account, &issued.order, &other).await?;
    answer.refused_with(403, &["orderNotReady"]).map(drop)
}

async fn finalize_of_an_invalid_order_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("invalid");
    let order = world.order(&account, &[&name]).await?;
    world
        .post(
            &account,
            &order.authorizations()[0],
            &json!({ "status": "deactivated" }),
        )
        .await?
        .expect(200)?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    world
        .finalize(&account, &order, &csr)
        .await?
        .refused_with(403, &["orderNotReady"])
        .map(drop)
}

async fn finalize_answers_with_the_valid_order_and_its_location(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("quick");
    let order = world.ready(&account, &[&name]).await?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    let answer = world.finalize(&account, &order, &csr).await?.expect(200)?;
    ensure!(
        answer.location().is_ok_and(|url| url == order.url),
        "finalize answers without the order's Location"
    );
    let object = answer.json()?;
    ensure!(object["status"] == "valid", "finalize answers with {object}");
    ensure!(object["certificate"].is_string(), "finalize answers with {object}");
    Ok(())
}

async fn parallel_finalizes_give_one_certificate(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("parallel");
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    // ECDSA signatures differ, and so each is another CSR.
    let csrs: Vec<_> = (0..16).map(|_| craft::csr_for(&key, &[&name])).collect();
    let answers = join_all(csrs.iter().map(|csr| world.finalize(&account, &order, csr))).await;
    let mut taken = 0;
    for answer in answers {
        let answer = answer?;
        if answer.is_success() {
            taken += 1;
        } else {
            answer.refused(&["orderNotReady"])?;
        }
    }
    ensure!(taken == 1, "{taken} of 16 different CSRs were taken");
    let read = async || world.reread(&account, &order).await;
    let order = poll(read, |order| order.status() == "valid").await?;
    ensure!(order.status() == "valid", "the order is {}", order.body);

    let name = world.name("parallel");
    let order = world.ready(&account, &[&name]).await?;
    let csr = craft::csr_for(&key, &[&name]);
    let answers = join_all((0..16).map(|_| world.finalize(&account, &order, &csr))).await;
    let mut certificates = HashSet::new();
    for answer in answers {
        let order = answer?.expect(200)?.json()?;
        certificates.extend(order["certificate"].as_str().map(str::to_owned));
    }
    ensure!(
        certificates.len() <= 1,
        "one order has the certificates {certificates:?}"
    );
    Ok(())
}
