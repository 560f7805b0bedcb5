//! A small world: one authority with a true store and true issuers, in which time passes when the test says so.

pub mod clock;
pub mod issuing;
pub mod legacy;
pub mod method;
pub mod store;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use acme::{Identifier, NewAccount, NewOrder, OrderStatus};
use authority::{
    Authority, Failure, Policy, Refusal, Registry,
    identifier::Dns,
    model::{Account, Authorization, CertificateId, CertificateRecord, ChallengeId, OrderFacts, OrderId},
    ports::{Changes, Store, Subject},
};
use jose::{Algorithm, SigningKey};
use pkix::{certificate::Certificate, csr::build_csr, key::KeyPair, name::GeneralName};

use self::{
    clock::{Clock, Node},
    issuing::{ScriptedCheck, ScriptedIssuance},
    method::ScriptedMethod,
    store::WatchedStore,
};

pub const HOUR: Duration = Duration::from_secs(60 * 60);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The places of the two methods among a name's challenges; a wildcard has the second one only.
pub const HTTP: u8 = 0;
pub const DNS: u8 = 1;

pub struct World {
    pub clock: Arc<Clock>,
    pub store: Arc<WatchedStore>,
    pub told: Arc<Told>,
    pub issuance: Arc<ScriptedIssuance>,
    pub http: Arc<ScriptedMethod>,
    pub dns: Arc<ScriptedMethod>,
    pub check: Arc<ScriptedCheck>,
    pub policy: Policy,
    pub node: Arc<Node>,
    pub authority: Authority,
    /// Adds what only this world has.
    pub extend: fn(&mut Registry),
    nodes: u64,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Policy::default()).await
    }

    pub async fn with(policy: Policy) -> Self {
        Self::extended(policy, |_| {}).await
    }

    /// With an extension that not every world has.
    pub async fn extended(policy: Policy, extend: fn(&mut Registry)) -> Self {
        let clock = Clock::new();
        let database = storage::open("sqlite::memory:", Box::new(|what| panic!("{what}"))).await;
        let store = WatchedStore::new(database.unwrap());
        let (told, issuance) = (Arc::new(Told::default()), ScriptedIssuance::new(clock.now()));
        let http = ScriptedMethod::new("http-01", false, clock.clone());
        let dns = ScriptedMethod::new("dns-01", true, clock.clone());
        let check = Arc::new(ScriptedCheck::default());
        let node = Node::new(clock.clone(), 1);
        let mut registry = registry(&http, &dns, &check);
        extend(&mut registry);
        let authority = Authority::new(
            store.clone(),
            node.clone(),
            told.clone(),
            issuance.clone(),
            registry,
            policy.clone(),
        );
        Self {
            clock,
            store,
            told,
            issuance,
            http,
            dns,
            check,
            policy,
            node,
            authority,
            extend,
            nodes: 1,
        }
    }

    /// The node dies where it stands and another one comes up on the same store.
    pub fn restart(&mut self) {
        self.node.die();
        self.nodes += 1;
        self.node = Node::new(self.clock.clone(), self.nodes);
        self.authority = self.second_node();
    }

    /// Another authority beside the first, on the same store; it dies with the first.
    pub fn second_node(&self) -> Authority {
        Authority::new(
            self.store.clone(),
            self.node.clone(),
            self.told.clone(),
            self.issuance.clone(),
            self.registry(),
            self.policy.clone(),
        )
    }

    /// Another one whose clock is its own.
    pub fn node_with_clock(&self, clock: Arc<Clock>) -> Authority {
        Authority::new(
            self.store.clone(),
            Node::new(clock, 1000),
            self.told.clone(),
            self.issuance.clone(),
            self.registry(),
            self.policy.clone(),
        )
    }

    fn registry(&self) -> Registry {
        let mut registry = registry(&self.http, &self.dns, &self.check);
        (self.extend)(&mut registry);
        registry
    }

    /// Until every task waits for the clock or for the test. On the test's one thread a task that can run does so
    /// before this one is asked again; what the store's own thread still owes is counted.
    pub async fn settle(&self) {
        let mut quiet = 0;
        while quiet < 16 {
            tokio::task::yield_now().await;
            quiet = if self.store.is_idle() { quiet + 1 } else { 0 };
        }
    }

    /// Time passes, and whatever it sets going is done.
    pub async fn pass(&self, duration: Duration) {
        self.settle().await;
        self.clock.advance(duration);
        self.settle().await;
    }

    /// Answers a request while time passes.
    pub async fn meanwhile<T>(&self, duration: Duration, request: impl Future<Output = T>) -> T {
        let (answer, ()) = futures_util::future::join(request, self.pass(duration)).await;
        answer
    }

    /// Looks for work left behind, once, and lets it be done.
    pub async fn resume(&self) -> usize {
        let count = self.authority.resume(100).await.unwrap();
        self.settle().await;
        count
    }

    pub async fn account(&self) -> Arc<Account> {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let (account, created) = self
            .authority
            .new_account(key.jwk().clone(), NEW_ACCOUNT, NewAccount::default())
            .await
            .unwrap();
        assert!(created);
        account
    }

    pub async fn order(&self, account: &Arc<Account>, names: &[&str]) -> OrderFacts {
        self.authority.new_order(account, new_order(names)).await.unwrap()
    }

    /// The order as it is now.
    pub async fn reread(&self, facts: &OrderFacts) -> OrderFacts {
        self.store.order(facts.order.id).await.unwrap().unwrap()
    }

    pub fn status(&self, facts: &OrderFacts) -> OrderStatus {
        facts.status(self.clock.now())
    }

    pub async fn status_now(&self, facts: &OrderFacts) -> OrderStatus {
        self.status(&self.reread(facts).await)
    }

    /// Answers a challenge of an order's n-th authorization.
    pub async fn respond(&self, account: &Arc<Account>, order: &OrderFacts, n: usize, index: u8) -> Arc<Authorization> {
        self.authority
            .respond(account, challenge(order, n, index))
            .await
            .unwrap()
    }

    /// An order whose every authorization is valid.
    pub async fn ready(&self, account: &Arc<Account>, names: &[&str]) -> OrderFacts {
        let order = self.order(account, names).await;
        for n in 0..order.authorizations.len() {
            self.respond(account, &order, n, 0).await;
        }
        let order = self.reread(&order).await;
        assert_eq!(self.status(&order), OrderStatus::Ready);
        order
    }

    /// A certificate, all the way.
    pub async fn issue(&self, account: &Arc<Account>, names: &[&str]) -> Issued {
        self.issue_for(account, names, KeyPair::generate_p256()).await
    }

    /// A certificate for a key of the test's choice.
    pub async fn issue_for(&self, account: &Arc<Account>, names: &[&str], key: KeyPair) -> Issued {
        let order = self.ready(account, names).await;
        let csr = csr_of(&key, names);
        let facts = self.authority.finalize(account, order.order.id, &csr).await.unwrap();
        assert_eq!(self.status(&facts), OrderStatus::Valid);
        let (record, der) = self.certificate(account, order.order.id).await.unwrap();
        Issued {
            order: facts,
            key,
            record,
            der,
        }
    }

    pub async fn certificate(
        &self,
        account: &Arc<Account>,
        order: OrderId,
    ) -> Result<(Arc<CertificateRecord>, Vec<u8>), Failure> {
        self.authority.certificate(account, CertificateId { order, n: 0 }).await
    }
}

pub fn registry(http: &Arc<ScriptedMethod>, dns: &Arc<ScriptedMethod>, check: &Arc<ScriptedCheck>) -> Registry {
    let mut registry = Registry::default();
    registry.add_identifier_type(Dns);
    ip::register(&mut registry);
    profiles::register(&mut registry);
    ari::register(&mut registry);
    registry.add_method(http.clone());
    registry.add_method(dns.clone());
    registry.add_check(check.clone());
    registry
}

/// What came of an order.
pub struct Issued {
    pub order: OrderFacts,
    pub key: KeyPair,
    pub record: Arc<CertificateRecord>,
    pub der: Vec<u8>,
}

impl Issued {
    pub fn certificate(&self) -> Certificate {
        Certificate::parse(&self.der).unwrap()
    }
}

/// Everybody who was told of a change.
#[derive(Default)]
pub struct Told(Mutex<Vec<Subject>>);

impl Told {
    /// Since the last time it was asked.
    pub fn take(&self) -> Vec<Subject> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Changes for Told {
    fn changed(&self, subject: Subject) {
        self.0.lock().unwrap().push(subject);
    }
}

/// Where newAccount requests went.
pub const NEW_ACCOUNT: &str = "https://ca.example/acme/new-account";

/// Names that look like addresses are ordered as such.
pub fn new_order(names: &[&str]) -> NewOrder {
    NewOrder {
        identifiers: names.iter().map(|name| identifier(name).into()).collect(),
        not_before: None,
        not_after: None,
        members: Default::default(),
    }
}

/// A request with one member more.
pub fn new_order_with(names: &[&str], member: &str, value: impl Into<serde_json::Value>) -> NewOrder {
    let mut request = new_order(names);
    request.members.insert(member.to_owned(), value.into());
    request
}

pub fn identifier(name: &str) -> Identifier {
    match name.parse::<std::net::IpAddr>() {
        Ok(_) => Identifier::ip(name),
        Err(_) => Identifier::dns(name),
    }
}

pub fn general_name(name: &str) -> GeneralName {
    match name.parse() {
        Ok(address) => GeneralName::Ip(address),
        Err(_) => GeneralName::Dns(name.to_owned()),
    }
}

pub fn csr_of(key: &KeyPair, names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|name| general_name(name)).collect();
    build_csr(key, None, &names).unwrap()
}

/// A request with a key of its own.
pub fn csr(names: &[&str]) -> Vec<u8> {
    csr_of(&KeyPair::generate_p256(), names)
}

pub fn challenge(order: &OrderFacts, n: usize, index: u8) -> ChallengeId {
    ChallengeId {
        authorization: order.order.authorizations[n],
        index,
    }
}

pub fn refusal<T: Debug>(outcome: Result<T, Failure>) -> Refusal {
    match outcome {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn unavailable<T: Debug>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(Failure::Unavailable(what)) => what,
        other => panic!("not unavailable: {other:?}"),
    }
}
