use std::collections::HashSet;

use authority::ports::IdKind;

use crate::world::World;

pub async fn no_number_is_handed_out_twice(world: &World) {
    let store = world.open().await;
    for kind in [IdKind::Account, IdKind::Order, IdKind::Authorization] {
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut numbers = Vec::new();
                    for count in [1, 100, 1 + task, 1500] {
                        let range = store.reserve(kind, count).await.unwrap();
                        assert_eq!(range.end - range.start, count);
                        numbers.extend(range);
                    }
                    numbers
                })
            })
            .collect();
        let mut all = HashSet::new();
        for task in tasks {
            for number in task.await.unwrap() {
                assert!(number > 0 && all.insert(number), "{number}");
            }
        }
    }
}

pub async fn the_first_secret_of_a_name_stays(world: &World) {
    let store = world.open().await;
    assert_eq!(store.load_or_create_secret("a", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(store.load_or_create_secret("a", [2; 32]).await.unwrap(), [1; 32]);
    assert_eq!(store.load_or_create_secret("b", [3; 32]).await.unwrap(), [3; 32]);
    drop(store);
    if world.outlives_its_store() {
        let store = world.open().await;
        assert_eq!(store.load_or_create_secret("a", [4; 32]).await.unwrap(), [1; 32]);
    }
}
