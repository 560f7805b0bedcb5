//! Buckets of the rate limits.

use std::time::Duration;

use authority::ports::{Spend, Spent, Store};

use crate::{objects::at, world::World};

fn spend(key: &str, interval: u64, depth: u64) -> Spend {
    Spend {
        key: key.to_owned(),
        interval: Duration::from_secs(interval),
        depth: Duration::from_secs(depth),
    }
}

async fn draw(store: &dyn Store, spends: &[Spend], second: i64) -> Spent {
    store.spend(spends.to_vec(), at(second), false).await.unwrap()
}

// 8555-6.6-1
pub async fn of_several_buckets_all_are_drawn_on_or_none(world: &World) {
    let store = world.open().await;
    let (one, ten) = (spend("one", 60, 60), spend("ten", 6, 60));
    assert_eq!(draw(&*store, &[ten.clone(), one.clone()], 0).await, Spent::Allowed);
    for _ in 0..20 {
        let refused = Spent::Refused {
            which: 1,
            until: at(60),
        };
        assert_eq!(draw(&*store, &[ten.clone(), one.clone()], 1).await, refused);
    }
    // The refused ones have drawn nothing from the other.
    for _ in 0..9 {
        assert_eq!(draw(&*store, std::slice::from_ref(&ten), 1).await, Spent::Allowed);
    }
    assert!(matches!(
        draw(&*store, std::slice::from_ref(&ten), 1).await,
        Spent::Refused { .. }
    ));
    assert_eq!(draw(&*store, &[ten, one], 60).await, Spent::Allowed);
}

pub async fn looking_at_a_bucket_draws_nothing(world: &World) {
    let store = world.open().await;
    let one = vec![spend("looked at", 60, 60)];
    for _ in 0..3 {
        assert_eq!(store.spend(one.clone(), at(0), true).await.unwrap(), Spent::Allowed);
    }
    assert_eq!(draw(&*store, &one, 0).await, Spent::Allowed);
    let looked = store.spend(one.clone(), at(0), true).await.unwrap();
    assert!(matches!(looked, Spent::Refused { which: 0, .. }));
}

pub async fn of_64_draws_at_once_as_many_succeed_as_the_bucket_holds(world: &World) {
    let store = world.open().await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { draw(&*store, &[spend("b", 6, 60), spend("a", 1, 640)], 0).await })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += usize::from(task.await.unwrap() == Spent::Allowed);
    }
    assert_eq!(allowed, 10);
}
