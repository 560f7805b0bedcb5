//! The whole suite on PostgreSQL, and what holds for several nodes on one database.

use std::{collections::HashSet, future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use authority::{
    model::*,
    ports::{Change, Claimed, Committed, IdKind, StoreError},
};
use futures_util::FutureExt as _;
use storage::{Database, OpenError};
use testbed::postgres::Cluster;

use crate::{objects::*, world::World};

/// A rule's name, and the rule.
pub type Rule = (
    &'static str,
    for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_of_the_suite_holds_on_postgresql() {
    let cluster = Cluster::start();
    let mut broken = Vec::new();
    for (name, rule) in crate::LASTING {
        let world = World::postgres(cluster.database());
        if AssertUnwindSafe(rule(&world)).catch_unwind().await.is_err() {
            broken.push(name);
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}

async fn nodes(cluster: &Cluster, count: usize) -> Vec<Arc<dyn Database>> {
    let world = World::postgres(cluster.database());
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(world.open().await);
    }
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_promises_the_others_keep() {
    let cluster = Cluster::start();
    t22_of_64_plans_at_once_on_three_nodes_one_is_made(&nodes(&cluster, 3).await).await;
    no_number_is_handed_out_twice_on_two_nodes(&nodes(&cluster, 2).await).await;
    work_is_claimed_by_one_of_three_nodes(&nodes(&cluster, 3).await).await;
    a_node_sees_at_once_what_another_changed(&nodes(&cluster, 2).await).await;
    the_first_secret_of_a_name_is_that_of_all_nodes(&nodes(&cluster, 5).await).await;
    a_node_finds_the_peer_of_another(&nodes(&cluster, 2).await).await;
    nodes_that_start_together_make_one_schema(&cluster).await;
}

async fn t22_of_64_plans_at_once_on_three_nodes_one_is_made(nodes: &[Arc<dyn Database>]) {
    let ready = Ready::create(&*nodes[0]).await;
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (store, plan) = (nodes[n % nodes.len()].clone(), ready.plan(n as u64));
            tokio::spawn(async move { store.commit(plan).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Committed::Done);
    }
    assert_eq!(done, 1);
}

async fn no_number_is_handed_out_twice_on_two_nodes(nodes: &[Arc<dyn Database>]) {
    let mut all = HashSet::new();
    for count in [1, 500, 600, 2000, 1] {
        for store in nodes {
            for number in store.reserve(IdKind::Order, count).await.unwrap() {
                assert!(all.insert(number), "{number}");
            }
        }
    }
}

async fn work_is_claimed_by_one_of_three_nodes(nodes: &[Arc<dyn Database>]) {
    let account = new_account(&*nodes[0]).await;
    for _ in 0..20 {
        for authorization in new_order(&*nodes[0], account.id).await.authorizations {
            let state = processing(at(10), at(10));
            let changed = Authorization {
                state,
                ..Authorization::clone(&authorization)
            };
            done(&*nodes[0], Change::UpdateAuthorization(changed)).await;
        }
    }
    let tasks: Vec<_> = nodes
        .iter()
        .map(|store| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut all = Vec::new();
                loop {
                    let claimed = store.claim(at(20), at(100), 3).await.unwrap();
                    if claimed.is_empty() {
                        return all;
                    }
                    all.extend(claimed);
                }
            })
        })
        .collect();
    let mut all = HashSet::new();
    for task in tasks {
        for claimed in task.await.unwrap() {
            let Claimed::Validation(authorization) = claimed else {
                panic!("{claimed:?}")
            };
            assert!(all.insert(authorization.id), "{authorization:?}");
        }
    }
    assert_eq!(all.len(), 40);
}

async fn a_node_sees_at_once_what_another_changed(nodes: &[Arc<dyn Database>]) {
    let account = new_account(&*nodes[0]).await;
    assert_eq!(
        text(&nodes[1].account(account.id).await.unwrap().unwrap()),
        text(&account)
    );
    let changed = Account {
        state: AccountState::Deactivated,
        ..Account::clone(&account)
    };
    done(&*nodes[1], Change::UpdateAccount(changed.clone())).await;
    assert_eq!(
        nodes[0].account(account.id).await.unwrap().unwrap().state,
        AccountState::Deactivated
    );
    conflict(&*nodes[0], Change::UpdateAccount(changed)).await;
}

async fn the_first_secret_of_a_name_is_that_of_all_nodes(nodes: &[Arc<dyn Database>]) {
    let tasks: Vec<_> = (0..nodes.len() as u8)
        .map(|n| {
            let store = nodes[usize::from(n)].clone();
            tokio::spawn(async move { store.load_or_create_secret("seal", [n; 32]).await.unwrap() })
        })
        .collect();
    let mut secrets = HashSet::new();
    for task in tasks {
        secrets.insert(task.await.unwrap());
    }
    assert_eq!(secrets.len(), 1);
}

async fn a_node_finds_the_peer_of_another(nodes: &[Arc<dyn Database>]) {
    for (process, peer) in [(7, "10.0.0.7:9000"), (u64::MAX, "[::1]:9000"), (7, "10.0.0.8:9000")] {
        nodes[0].register_node(process, peer.into()).await.unwrap();
        assert_eq!(nodes[1].node_peer(process).await.unwrap().as_deref(), Some(peer));
    }
    assert_eq!(nodes[1].node_peer(8).await.unwrap(), None);
}

async fn nodes_that_start_together_make_one_schema(cluster: &Cluster) {
    let world = Arc::new(World::postgres(cluster.database()));
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.open().await.account(AccountId(1)).await.unwrap().is_none() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_away_is_reported_and_found_again() {
    let cluster = Cluster::start();
    let world = World::postgres(cluster.database());
    let store = world.open().await;
    let account = new_account(&*store).await;
    let order = new_order(&*store, account.id).await;
    cluster.stop();
    let gone = store.order(order.order.id).await;
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    let refused = world.try_open().await.err().unwrap();
    assert!(matches!(refused, OpenError::Postgres { .. }), "{refused}");
    assert!(refused.to_string().contains("is the server running"), "{refused}");
    cluster.resume();
    // Each connection of the pool notices once that it was cut.
    let mut attempts = 0;
    while store.order(order.order.id).await.is_err() {
        attempts += 1;
        assert!(attempts < 20);
    }
    assert_eq!(text(&store.order(order.order.id).await.unwrap().unwrap()), text(&order));

    let refused = storage::open(&cluster.url("absent"), Box::new(|_| {}))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains(r#"database "absent" does not exist"#), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_spoken_to_within_tls_if_its_certificate_is_trusted_and_named() {
    let cluster = Cluster::start();
    let port = cluster.serve_tls();
    let roots = cluster.certificate().display().to_string();
    let url = |host: &str, options: &str| format!("postgres://vidimus:secret@{host}:{port}/postgres?{options}");
    let trusted = format!("sslmode=require&sslrootcert={roots}");

    let store = storage::open(&url("localhost", &trusted), Box::new(|_| {}))
        .await
        .unwrap();
    let account = new_account(&*store).await;
    assert!(store.account(account.id).await.unwrap().is_some());

    for (host, options, why) in [
        ("localhost", "sslmode=disable", "no encryption"),
        ("localhost", "sslmode=require", "UnknownIssuer"),
        ("127.0.0.1", &*trusted, "not valid for name"),
        ("localhost", "sslmode=require&sslrootcert=/absent.pem", "/absent.pem"),
    ] {
        let refused = storage::open(&url(host, options), Box::new(|_| {}))
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(refused.contains(why), "{host} {options}: {refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
}
