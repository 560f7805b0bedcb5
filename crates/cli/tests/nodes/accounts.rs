//! Accounts, as all nodes see them.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    subscriber::{Subscriber, finalize},
    world::World,
};

// 8555-7.3.6-2, 8555-7.3-10
#[tokio::test(flavor = "multi_thread")]
async fn an_account_deactivated_on_one_node_is_refused_on_the_other_at_once() {
    let world = World::new().await;
    let (a, b) = (world.node("a"), world.node("b"));
    let subscriber = Subscriber::at(&a, &world).await;
    let order = subscriber.ready_order(&b, "left.example.test").await;
    subscriber.read(&b, subscriber.url()).await.expect(200).unwrap();
    let gone = subscriber
        .post(&a, subscriber.url(), &json!({ "status": "deactivated" }))
        .await;
    assert_eq!(gone.expect(200).unwrap().json().unwrap()["status"], "deactivated");
    let refused = subscriber.post(&b, &order.finalize, &finalize(&order.csr())).await;
    refused.refused_with(401, &["unauthorized"]).unwrap();
    for url in [subscriber.url(), &order.url] {
        let refused = subscriber.read(&b, url).await;
        refused.refused_with(401, &["unauthorized"]).unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM certificates"), 0);
}

// 8555-7.3-1, 8555-7.3-2
#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_on_both_nodes_at_once_with_one_key_is_one_account() {
    let world = World::new().await;
    let nodes = [world.node("a"), world.node("b")];
    let subscriber = Subscriber::new(&world);
    let made = (0..64).map(|turn| subscriber.new_account(&nodes[turn % 2]));
    let (mut created, mut urls) = (0, HashSet::new());
    for answer in join_all(made).await {
        match answer.status {
            201 => created += 1,
            status => assert_eq!(status, 200, "{}", answer.excerpt()),
        }
        urls.insert(answer.location().unwrap());
    }
    assert_eq!((created, urls.len()), (1, 1));
    assert_eq!(world.count("SELECT count(*) FROM accounts"), 1);
}
