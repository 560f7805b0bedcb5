//! So many at one time, and the others in line: what keeps one account, or one address, from taking everything.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_channel::oneshot;

/// Places of which each key has equally many. A key that nobody uses takes no memory.
#[derive(Debug)]
pub struct Places<K: Eq + Hash + Clone> {
    each: usize,
    taken: Mutex<HashMap<K, Line<K>>>,
}

#[derive(Debug)]
struct Line<K: Eq + Hash + Clone> {
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place<K>>>,
}

/// A place; the first in line gets it when this is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash + Clone>(Option<(Arc<Places<K>>, K)>);

impl<K: Eq + Hash + Clone> Places<K> {
    pub fn new(each: usize) -> Arc<Self> {
        Arc::new(Self {
            each: each.max(1),
            taken: Mutex::default(),
        })
    }

    /// A place, at once or when it is one's turn. Whoever stops waiting leaves the line.
    pub async fn take(self: &Arc<Self>, key: K) -> Place<K> {
        let wait = {
            let mut taken = self.lock();
            let line = taken.entry(key.clone()).or_insert_with(|| Line {
                taken: 0,
                waiting: VecDeque::new(),
            });
            if line.taken < self.each {
                line.taken += 1;
                return Place(Some((Arc::clone(self), key)));
            }
            let (send, wait) = oneshot::channel();
            line.waiting.push_back(send);
            wait
        };
        wait.await
            .expect("invariant: a line lasts as long as a place of it is taken")
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Line<K>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first in line, or one more place that is free.
    fn next(&self, key: &K) -> Option<oneshot::Sender<Place<K>>> {
        let mut taken = self.lock();
        let line = taken.get_mut(key)?;
        if let Some(next) = line.waiting.pop_front() {
            return Some(next);
        }
        line.taken -= 1;
        if line.taken == 0 {
            taken.remove(key);
        }
        None
    }
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let Some((places, key)) = self.0.take() else { return };
        while let Some(next) = places.next(&key) {
            match next.send(Place(Some((Arc::clone(&places), key.clone())))) {
                Ok(()) => return,
                // It waits no more: its place goes on.
                Err(mut refused) => refused.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    // T40
    #[test]
    fn t40_one_key_takes_its_places_and_no_others() {
        let places = Places::new(2);
        let first = places.take("a").now_or_never().expect("there is one");
        let _second = places.take("a").now_or_never().expect("there is another");
        let mut third = Box::pin(places.take("a"));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(places.take("b").now_or_never().is_some(), "another key has its own");
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn whoever_stops_waiting_costs_nobody_a_place() {
        let places = Places::new(1);
        let first = places.take(7).now_or_never().expect("there is one");
        let mut gone = Box::pin(places.take(7));
        let mut handed_over = Box::pin(places.take(7));
        let mut last = Box::pin(places.take(7));
        for waiting in [&mut gone, &mut handed_over, &mut last] {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        // It was given the place and never looked.
        drop(handed_over);
        drop(last.now_or_never().expect("the place has come to the last"));
        assert!(places.lock().is_empty());
    }

    #[test]
    fn everybody_in_line_gets_a_turn() {
        let places = Places::new(3);
        let all = join_all((0..100).map(|_| places.take(()).map(drop)));
        assert_eq!(all.now_or_never().map(|all| all.len()), Some(100));
        assert!(places.lock().is_empty());
    }
}
