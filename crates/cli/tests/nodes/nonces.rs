//! Nonces of one node, used at another.

use std::sync::Arc;

use client::{
    Account, Csr, Directory, Identifier, KeyType, Order, Registration, RetryPolicy, SystemClock, Transport,
    TransportSettings, Trust, silent,
};
use futures_util::future::join_all;

use crate::{subscriber::Subscriber, world::World};

// t33, 8555-6.5-2, 8555-6.5-3
#[tokio::test(flavor = "multi_thread")]
async fn t33_a_nonce_of_either_node_is_good_at_the_other_exactly_once() {
    let world = World::new().await;
    let nodes = [world.node("a"), world.node("b")];
    let subscriber = Subscriber::at(&nodes[0], &world).await;
    for (issuer, other) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
        let nonce = subscriber.nonce(issuer).await;
        let request = subscriber.sign(&nonce, subscriber.url(), b"");
        subscriber.send(other, &request).await.unwrap().expect(200).unwrap();
        for node in [issuer, other] {
            let replay = subscriber.send(node, &request).await.unwrap();
            replay.refused_with(400, &["badNonce"]).unwrap();
            let fresh = subscriber.sign(replay.nonce().unwrap(), subscriber.url(), b"");
            subscriber.send(node, &fresh).await.unwrap().expect(200).unwrap();
        }
    }
}

// t33, 8555-6.5-8
#[tokio::test(flavor = "multi_thread")]
async fn t33_of_64_replays_of_one_nonce_over_both_nodes_one_wins() {
    let world = World::new().await;
    let nodes = [world.node("a"), world.node("b")];
    let subscriber = Subscriber::at(&nodes[0], &world).await;
    let both = || (0..64).map(|turn| &nodes[turn % 2]);
    for issuer in &nodes {
        // All connections are there before, so that all requests arrive together.
        join_all(both().map(|node| subscriber.nonce(node))).await;
        let nonce = subscriber.nonce(issuer).await;
        let request = subscriber.sign(&nonce, subscriber.url(), b"");
        let answers = join_all(both().map(|node| subscriber.send(node, &request))).await;
        let mut won = 0;
        for answer in answers {
            let answer = answer.unwrap();
            match answer.status {
                200 => won += 1,
                _ => drop(answer.refused_with(400, &["badNonce"]).unwrap()),
            }
        }
        assert_eq!(won, 1);
    }
}

// t33, 8555-6.5-3, 8555-6.5-5
#[tokio::test(flavor = "multi_thread")]
async fn t33_after_kill_9_of_a_node_its_nonces_are_refused_with_a_fresh_one_and_its_client_goes_on() {
    let world = World::new().await;
    let (mut a, b) = (world.node("a"), world.node("b"));
    let subscriber = Subscriber::at(&a, &world).await;
    let (first, second) = (subscriber.nonce(&a).await, subscriber.nonce(&a).await);
    world.gate.lead_to(&[a.address, b.address]);
    let (mut order, names) = order_of_a_client(&world).await;
    a.kill();

    let old = subscriber.sign(&first, subscriber.url(), b"");
    let refused = subscriber.send(&b, &old).await.unwrap();
    refused.refused_with(400, &["badNonce"]).unwrap();
    let again = subscriber.sign(refused.nonce().unwrap(), subscriber.url(), b"");
    subscriber.send(&b, &again).await.unwrap().expect(200).unwrap();

    // The client has nonces of the dead node and a connection to it.
    order
        .solve(std::slice::from_ref(&world.solver), &silent())
        .await
        .unwrap();
    let csr = Csr::new(&KeyType::default().generate(), &names).unwrap();
    order.finalize(&csr).await.unwrap();
    let (chain, _) = order.download(None).await.unwrap();
    assert_eq!(chain.leaf().spki_der(), csr.spki_der());

    // A successor in the dead node's place does not know them either.
    let a = world.node("a");
    let old = subscriber.sign(&second, subscriber.url(), b"");
    for node in [&a, &b] {
        let refused = subscriber.send(node, &old).await.unwrap();
        refused.refused_with(400, &["badNonce"]).unwrap();
    }
}

// t33
#[tokio::test(flavor = "multi_thread")]
async fn t33_nonces_of_a_node_that_was_stopped_and_started_again_are_still_good_at_the_other_exactly_once() {
    let world = World::new().await;
    let (a, b) = (world.node("a"), world.node("b"));
    let subscriber = Subscriber::at(&a, &world).await;
    let used = subscriber.sign(&subscriber.nonce(&a).await, subscriber.url(), b"");
    subscriber.send(&b, &used).await.unwrap().expect(200).unwrap();
    let unused = subscriber.sign(&subscriber.nonce(&a).await, subscriber.url(), b"");
    a.stop();
    let _a = world.node("a");
    let refused = subscriber.send(&b, &used).await.unwrap();
    refused.refused_with(400, &["badNonce"]).unwrap();
    subscriber.send(&b, &unused).await.unwrap().expect(200).unwrap();
    let refused = subscriber.send(&b, &unused).await.unwrap();
    refused.refused_with(400, &["badNonce"]).unwrap();
}

/// An order that a client placed through the gate.
async fn order_of_a_client(world: &World) -> (Order, [Identifier; 1]) {
    let transport = Transport::new(TransportSettings {
        trust: Trust::Bundle(world.root()),
        ..Default::default()
    });
    let url = format!("{}/directory", world.origin());
    let directory = Directory::new(url, transport.unwrap(), RetryPolicy::default(), Arc::new(SystemClock));
    let key = Arc::new(jose::SigningKey::generate(jose::Algorithm::Es256).unwrap());
    let account = Account::create(&directory, key, &Registration::default())
        .await
        .unwrap();
    let names = [Identifier::from_wire(&acme::Identifier::dns("client.example.test")).unwrap()];
    let order = Order::create(&account, &names, Default::default()).await.unwrap();
    (order, names)
}
