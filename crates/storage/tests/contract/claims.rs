use std::{collections::HashMap, sync::Arc};

use authority::{
    model::*,
    ports::{Change, Claimed},
};
use jiff::Timestamp;
use storage::Database;

use crate::{objects::*, world::World};

/// Two orders: four validations due at `due`, and two certificates planned with a lease until `lease`.
async fn work(store: &dyn Database, due: Timestamp, lease: Timestamp, serial_number: u64) {
    let account = new_account(store).await;
    for n in 0..2 {
        for authorization in new_order(store, account.id).await.authorizations {
            let state = processing(due, at(0));
            done(
                store,
                Change::UpdateAuthorization(Authorization {
                    state,
                    ..Authorization::clone(&authorization)
                }),
            )
            .await;
        }
        let ready = Ready::of(store, &account).await;
        let Change::Plan {
            account,
            order,
            authorizations,
            mut certificate,
        } = ready.plan(serial_number + n)
        else {
            unreachable!()
        };
        certificate.state = CertificateState::Planned { lease };
        done(
            store,
            Change::Plan {
                account,
                order,
                authorizations,
                certificate,
            },
        )
        .await;
    }
}

async fn claim(store: &dyn Database, now: i64, lease: i64, limit: usize) -> (usize, usize) {
    let claimed = store.claim(at(now), at(lease), limit).await.unwrap();
    let validations = claimed
        .iter()
        .filter(|claimed| matches!(claimed, Claimed::Validation(_)))
        .count();
    (validations, claimed.len() - validations)
}

pub async fn work_is_claimed_when_due_and_once_until_its_lease_passes(world: &World) {
    let store = world.open().await;
    work(&*store, at(100), at(100), 1).await;
    work(&*store, at(200), at(200), 10).await;
    assert_eq!(claim(&*store, 99, 150, 100).await, (0, 0));
    assert_eq!(claim(&*store, 100, 150, 100).await, (4, 2));
    assert_eq!(claim(&*store, 149, 250, 100).await, (0, 0));
    assert_eq!(claim(&*store, 150, 190, 3).await, (3, 0));
    assert_eq!(claim(&*store, 150, 190, 100).await, (1, 2));
    assert_eq!(claim(&*store, 200, 300, 100).await, (8, 4));
}

pub async fn work_claimed_at_the_same_time_is_claimed_once(world: &World) {
    let store = world.open().await;
    for n in 0..5 {
        work(&*store, at(10), at(10), n * 10).await;
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
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
    let mut times = HashMap::new();
    for task in tasks {
        for claimed in task.await.unwrap() {
            let name = match claimed {
                Claimed::Validation(authorization) => format!("validation {}", authorization.id),
                Claimed::Issuance(certificate) => format!("issuance {}", certificate.id.order),
            };
            *times.entry(name).or_insert(0) += 1;
        }
    }
    assert_eq!(times.len(), 5 * 6);
    assert!(times.values().all(|count| *count == 1), "{times:?}");
}

pub async fn a_claim_moves_the_version(world: &World) {
    let store = world.open().await;
    work(&*store, at(10), at(10), 1).await;
    let before: Arc<dyn Database> = store.clone();
    for claimed in before.claim(at(20), at(100), 100).await.unwrap() {
        match claimed {
            Claimed::Validation(claimed) => {
                let AuthorizationState::Processing { due, lease, .. } = claimed.state else {
                    panic!("{claimed:?}")
                };
                assert_eq!((due, lease), (at(10), at(100)));
                assert_eq!(
                    text(&store.authorization(claimed.id).await.unwrap().unwrap()),
                    text(&claimed)
                );
                let stale = Authorization {
                    version: claimed.version - 1,
                    ..Authorization::clone(&claimed)
                };
                conflict(&*store, Change::UpdateAuthorization(stale)).await;
                let concluded = Authorization {
                    state: valid(),
                    ..Authorization::clone(&claimed)
                };
                done(&*store, Change::UpdateAuthorization(concluded)).await;
            }
            Claimed::Issuance(claimed) => {
                assert_eq!(claimed.state, CertificateState::Planned { lease: at(100) });
                assert_eq!(
                    text(&store.certificate(claimed.id).await.unwrap().unwrap()),
                    text(&claimed)
                );
                let complete = |version| Change::Complete {
                    id: claimed.id,
                    version,
                    certificate: vec![0x30],
                };
                conflict(&*store, complete(claimed.version - 1)).await;
                done(&*store, complete(claimed.version)).await;
            }
        }
    }
    assert!(store.claim(at(1000), at(1100), 100).await.unwrap().is_empty());
}
