//! Orders that several nodes work on.

use std::collections::HashSet;

use futures_util::future::join_all;
use pkix::certificate::Certificate;

use crate::{
    subscriber::{Subscriber, finalize, text},
    world::World,
};

// 8555-7.1-1, 8555-7.4-11
#[tokio::test(flavor = "multi_thread")]
async fn an_order_begun_on_one_node_is_finished_on_the_other() {
    let world = World::new().await;
    let (a, b) = (world.node("a"), world.node("b"));
    let subscriber = Subscriber::at(&a, &world).await;
    let order = subscriber.new_order(&a, "shared.example.test").await;
    subscriber.authorize(&b, &order).await;
    let csr = order.csr();
    let answer = subscriber.post(&a, &order.finalize, &finalize(&csr)).await;
    answer.expect(200).unwrap();
    let seen = subscriber.read_until(&b, &order.url, &["valid"]).await;
    let chain = subscriber.read(&b, &text(&seen["certificate"])).await;
    let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&chain.expect(200).unwrap().body)).unwrap();
    let leaf = Certificate::parse(&chain[0]).unwrap();
    assert_eq!(leaf.spki_der(), csr.spki_der());
}

// t22, 8555-7.4-14
#[tokio::test(flavor = "multi_thread")]
async fn of_64_finalizes_over_both_nodes_one_makes_a_certificate() {
    let world = World::new().await;
    let nodes = [world.node("a"), world.node("b")];
    let subscriber = Subscriber::at(&nodes[0], &world).await;
    let both = || (0..64).map(|turn| &nodes[turn % 2]);

    let same = subscriber.ready_order(&nodes[0], "same.example.test").await;
    let request = finalize(&same.csr());
    let nonces = join_all(both().map(|node| subscriber.nonce(node))).await;
    let requests: Vec<_> = nonces
        .iter()
        .map(|nonce| subscriber.sign(nonce, &same.finalize, request.to_string().as_bytes()))
        .collect();
    let answers = join_all(
        both()
            .zip(&requests)
            .map(|(node, request)| subscriber.send(node, request)),
    )
    .await;
    for answer in answers {
        let seen = answer.unwrap().expect(200).unwrap().json().unwrap();
        assert!(seen["status"] == "processing" || seen["status"] == "valid", "{seen}");
    }
    let mut urls = HashSet::new();
    for node in &nodes {
        urls.insert(text(
            &subscriber.read_until(node, &same.url, &["valid"]).await["certificate"],
        ));
    }
    assert_eq!(urls.len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM certificates"), 1);

    let different = subscriber.ready_order(&nodes[1], "different.example.test").await;
    let nonces = join_all(both().map(|node| subscriber.nonce(node))).await;
    let csrs: Vec<_> = nonces.iter().map(|_| different.csr()).collect();
    let requests: Vec<_> = nonces
        .iter()
        .zip(&csrs)
        .map(|(nonce, csr)| subscriber.sign(nonce, &different.finalize, finalize(csr).to_string().as_bytes()))
        .collect();
    let answers = join_all(
        both()
            .zip(&requests)
            .map(|(node, request)| subscriber.send(node, request)),
    )
    .await;
    let mut taken = Vec::new();
    for (answer, csr) in answers.into_iter().zip(&csrs) {
        let answer = answer.unwrap();
        match answer.status {
            200 => taken.push(csr),
            _ => drop(answer.refused_with(403, &["orderNotReady"]).unwrap()),
        }
    }
    assert_eq!(taken.len(), 1, "one CSR is taken");
    let seen = subscriber.read_until(&nodes[0], &different.url, &["valid"]).await;
    let chain = subscriber.read(&nodes[1], &text(&seen["certificate"])).await;
    let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&chain.body)).unwrap();
    assert_eq!(Certificate::parse(&chain[0]).unwrap().spki_der(), taken[0].spki_der());
    assert_eq!(world.count("SELECT count(*) FROM certificates"), 2);
    assert_eq!(
        world.count("SELECT count(DISTINCT serial) FROM certificates WHERE state = 'issued'"),
        2
    );
}
