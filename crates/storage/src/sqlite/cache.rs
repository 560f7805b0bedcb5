//! Live objects in memory, so that reading what is being worked on costs no query.
//!
//! This process is the only writer of its database (see the lock file), and its one writer thread puts every object it
//! changed in here, after COMMIT and before anybody is told of it. So an object in here is what the database holds, or
//! is about to be replaced by somebody whose COMMIT nobody has heard of yet. Two rules keep it so:
//!
//! * All objects of a batch are put under one lock, and all facts of an order are taken under one lock: nobody sees
//!   half of a commit.
//! * What a reader found in the database is only kept if no batch was put meanwhile ([`Ticket`]): otherwise it might
//!   be older than what was put and pushed out again.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use authority::model::{
    Account, AccountId, Authorization, AuthorizationId, CertificateId, CertificateRecord, Order, OrderFacts, OrderId,
};

// About 1 KiB an account (the parsed key is most of it), 3 KiB an order with its certificate (names, to-be-signed and
// signed bytes), 2 KiB an authorization with its evidence: 4 + 6 + 8 MiB when everything is full.
const ACCOUNTS: usize = 4096;
const ORDERS: usize = 2048;
const AUTHORIZATIONS: usize = 4096;

#[derive(Default)]
pub(super) struct Cache {
    objects: Mutex<Objects>,
}

/// How many batches had been put when a look-up missed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

pub(super) struct Objects {
    accounts: Clock<AccountId, Arc<Account>>,
    orders: Clock<OrderId, CachedOrder>,
    authorizations: Clock<AuthorizationId, Arc<Authorization>>,
    batches: u64,
}

/// An order and its newest certificate: `None` means that there is none.
#[derive(Clone)]
pub(super) struct CachedOrder {
    pub order: Arc<Order>,
    pub certificate: Option<Arc<CertificateRecord>>,
}

impl Cache {
    pub fn account(&self, id: AccountId) -> Result<Arc<Account>, Ticket> {
        let mut objects = self.lock();
        objects.accounts.get(&id).cloned().ok_or(Ticket(objects.batches))
    }

    pub fn authorization(&self, id: AuthorizationId) -> Result<Arc<Authorization>, Ticket> {
        let mut objects = self.lock();
        objects.authorizations.get(&id).cloned().ok_or(Ticket(objects.batches))
    }

    /// The certificate, if it is the newest of an order in here.
    pub fn certificate(&self, id: CertificateId) -> Option<Arc<CertificateRecord>> {
        let mut objects = self.lock();
        objects
            .orders
            .get(&id.order)?
            .certificate
            .clone()
            .filter(|certificate| certificate.id == id)
    }

    pub fn order(&self, id: OrderId) -> Result<OrderFacts, Ticket> {
        let mut objects = self.lock();
        objects.facts(id).ok_or(Ticket(objects.batches))
    }

    /// Keeps what a reader found, unless a batch was put since the ticket was drawn.
    pub fn fill(&self, ticket: Ticket, fill: impl FnOnce(&mut Objects)) {
        let mut objects = self.lock();
        if ticket == Ticket(objects.batches) {
            fill(&mut objects);
        }
    }

    /// For the writer: puts all objects of a batch.
    pub fn publish(&self, publish: impl FnOnce(&mut Objects)) {
        let mut objects = self.lock();
        objects.batches += 1;
        publish(&mut objects);
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    pub fn put_account(&mut self, account: Arc<Account>) {
        self.accounts.put(account.id, account);
    }

    pub fn put_order(&mut self, order: Arc<Order>, certificate: Option<Arc<CertificateRecord>>) {
        self.orders.put(order.id, CachedOrder { order, certificate });
    }

    pub fn put_authorization(&mut self, authorization: Arc<Authorization>) {
        self.authorizations.put(authorization.id, authorization);
    }

    pub fn put_facts(&mut self, facts: &OrderFacts) {
        self.put_order(facts.order.clone(), facts.certificate.clone());
        for authorization in &facts.authorizations {
            self.put_authorization(authorization.clone());
        }
    }

    /// A new certificate of an order; nothing to do if the order is not in here.
    pub fn put_certificate(&mut self, certificate: Arc<CertificateRecord>) {
        if let Some(cached) = self.orders.get(&certificate.id.order)
            && cached
                .certificate
                .as_ref()
                .is_none_or(|known| known.id.n <= certificate.id.n)
        {
            cached.certificate = Some(certificate);
        }
    }

    /// Changes a certificate that was at `version`. If the one in here is another, the order is forgotten, and so read
    /// again, rather than guessed at.
    pub fn change_certificate(
        &mut self,
        id: CertificateId,
        version: u32,
        change: impl FnOnce(&mut CertificateRecord, &mut Arc<Order>),
    ) {
        let Some(cached) = self.orders.get(&id.order) else {
            return;
        };
        match &mut cached.certificate {
            Some(certificate) if certificate.id == id && certificate.version == version => {
                let mut changed = CertificateRecord::clone(certificate);
                changed.version += 1;
                change(&mut changed, &mut cached.order);
                *certificate = Arc::new(changed);
            }
            Some(certificate) if certificate.id.n > id.n => {}
            _ => self.forget_order(id.order),
        }
    }

    pub fn forget_account(&mut self, id: AccountId) {
        self.accounts.remove(&id);
    }

    pub fn forget_order(&mut self, id: OrderId) {
        self.orders.remove(&id);
    }

    pub fn forget_authorization(&mut self, id: AuthorizationId) {
        self.authorizations.remove(&id);
    }

    fn facts(&mut self, id: OrderId) -> Option<OrderFacts> {
        let CachedOrder { order, certificate } = self.orders.get(&id)?.clone();
        let mut authorizations = Vec::with_capacity(order.authorizations.len());
        for id in &order.authorizations {
            authorizations.push(self.authorizations.get(id)?.clone());
        }
        Some(OrderFacts {
            order,
            authorizations,
            certificate,
        })
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            accounts: Clock::new(ACCOUNTS),
            orders: Clock::new(ORDERS),
            authorizations: Clock::new(AUTHORIZATIONS),
            batches: 0,
        }
    }
}

/// A bounded map that pushes out what came long ago and was not looked at since (CLOCK, or second chance).
struct Clock<K, V> {
    capacity: usize,
    slots: HashMap<K, Slot<V>>,
    /// Every key of `slots`, oldest first, and some that were removed.
    hand: VecDeque<K>,
}

struct Slot<V> {
    value: V,
    touched: bool,
}

impl<K: Copy + Eq + Hash, V> Clock<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            slots: HashMap::new(),
            hand: VecDeque::new(),
        }
    }

    fn get(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.slots.get_mut(key)?;
        slot.touched = true;
        Some(&mut slot.value)
    }

    fn put(&mut self, key: K, value: V) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.value = value;
            return;
        }
        while self.hand.len() >= self.capacity {
            self.push_out();
        }
        self.slots.insert(key, Slot { value, touched: false });
        self.hand.push_back(key);
    }

    fn remove(&mut self, key: &K) {
        self.slots.remove(key);
    }

    fn push_out(&mut self) {
        let Some(key) = self.hand.pop_front() else { return };
        match self.slots.get_mut(&key) {
            Some(slot) if slot.touched => {
                slot.touched = false;
                self.hand.push_back(key);
            }
            _ => {
                self.slots.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_outlives_what_is_not_and_the_bound_holds() {
        let mut clock = Clock::new(4);
        for n in 0..100 {
            clock.put(n, n);
            assert!(clock.get(&0).is_some(), "{n}");
        }
        assert_eq!(clock.slots.len(), 4);
        assert!(clock.get(&99).is_some() && clock.get(&50).is_none());
    }

    #[test]
    fn removing_and_putting_again_does_not_grow_it() {
        let mut clock = Clock::new(4);
        for _ in 0..100 {
            clock.put(1, ());
            clock.remove(&1);
        }
        clock.put(1, ());
        assert!(clock.hand.len() <= 4 && clock.get(&1).is_some());
    }

    #[test]
    fn what_a_reader_found_is_dropped_if_a_batch_came_between() {
        let cache = Cache::default();
        let Err(ticket) = cache.account(AccountId(1)) else {
            panic!("it is empty")
        };
        cache.publish(|_| {});
        cache.fill(ticket, |_| panic!("it might be stale"));
        let Err(ticket) = cache.account(AccountId(1)) else {
            panic!("it is empty")
        };
        let mut filled = false;
        cache.fill(ticket, |_| filled = true);
        assert!(filled);
    }
}
