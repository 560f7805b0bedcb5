//! What a server was asked, by the name it was asked for.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The last [`HISTORY`] events, oldest first.
pub struct History<Event> {
    events: Mutex<VecDeque<(String, Event)>>,
}

impl<Event: Clone> History<Event> {
    pub fn remember(&self, host: &str, event: Event) {
        let mut events = self.lock();
        if events.len() == HISTORY {
            events.pop_front();
        }
        events.push_back((canonical(host), event));
    }

    pub fn of(&self, host: &str) -> Vec<Event> {
        let host = canonical(host);
        let events = self.lock();
        let asked_for_it = events.iter().filter(|(name, _)| *name == host);
        asked_for_it.map(|(_, event)| event.clone()).collect()
    }

    pub fn clear(&self, host: &str) {
        let host = canonical(host);
        self.lock().retain(|(name, _)| *name != host);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Event)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Event> Default for History<Event> {
    fn default() -> Self {
        Self {
            events: Mutex::default(),
        }
    }
}

/// Names mean the same in any case, with and without the root's dot (RFC 4343).
pub fn canonical(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Enough for any test, and a bound for a server that is forgotten about.
pub const HISTORY: usize = 4096;
