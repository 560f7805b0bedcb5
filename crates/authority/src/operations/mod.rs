//! Every operation of the protocol, one file each: load, decide (pure), commit; again on conflict.

mod account;
mod authorization;
mod authorizing;
mod back_end;
mod blocked;
mod codes;
mod crl;
mod csr;
mod external_account;
mod finalize;
mod issue;
mod key_change;
mod limits;
mod new_account;
mod new_authorization;
mod new_order;
mod ocsp;
mod operator;
mod orders;
mod pausing;
mod respond;
mod resume;
mod returned;
mod revoke;
mod terms;
mod turns;
mod validate;

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_channel::oneshot;
use jiff::Timestamp;

pub use codes::{AwaitedCode, CodeReturn};
pub use crl::PublishedCrl;
pub use external_account::{ExternalAccounts, ExternalKey};
pub use limits::{Limit, Limits, RegisteredDomain, Uncounted};
pub use new_account::Arrival;
pub use ocsp::OcspAnswer;
pub use operator::Chosen;
pub use revoke::Requester;

use crate::{
    Failure, Registry,
    model::AccountId,
    places::Places,
    ports::{Changes, Issuance, OperatorOperation, Runtime, Store},
};

/// One authority: facts and the rules it lives by. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) changes: Arc<dyn Changes>,
    pub(crate) issuance: Arc<dyn Issuance>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) turns: Arc<turns::Turns>,
    /// In validations, of which one account has so many at one time.
    pub(crate) validating: Arc<Places<AccountId>>,
}

impl Authority {
    pub fn new(
        store: Arc<dyn Store>,
        runtime: Arc<dyn Runtime>,
        changes: Arc<dyn Changes>,
        issuance: Arc<dyn Issuance>,
        registry: Registry,
        policy: Policy,
    ) -> Self {
        Self {
            store,
            runtime,
            changes,
            issuance,
            registry: Arc::new(registry),
            policy: Arc::new(policy),
            turns: Arc::default(),
            validating: Places::new(validate::VALIDATIONS_AT_ONCE),
        }
    }

    /// The clock, to whole seconds: what protocol objects carry.
    pub fn now(&self) -> Timestamp {
        let now = self.runtime.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Runs work to its end even if whoever waits for it goes away: a connection that breaks must not leave half of it.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, outcome) = oneshot::channel();
        self.runtime.spawn(Box::pin(async move {
            let _ = done.send(work.await);
        }));
        outcome.await.unwrap_or_else(|_| {
            Err(Failure::Unavailable(
                "the work was dropped; the server is stopping".into(),
            ))
        })
    }

    /// The same authority by other rules: for a server of tests that keeps now these, now those.
    pub fn under(&self, policy: Policy) -> Self {
        Self {
            policy: Arc::new(policy),
            ..self.clone()
        }
    }

    /// An operation that an extension has for operators.
    pub fn operation(&self, name: &str) -> Option<&Arc<dyn OperatorOperation>> {
        self.registry.operation(name)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub fn issuance(&self) -> &dyn Issuance {
        &*self.issuance
    }
}

/// The operator's choices.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The name of the directory that is served.
    pub directory: String,
    /// Tells this database from any other, for back ends that know orders of several.
    pub instance: String,
    /// How long an order and its pending authorizations may be worked on.
    pub order_lifetime: Duration,
    /// How long a proof of control counts.
    pub authorization_lifetime: Duration,
    pub identifiers_per_order: usize,
    /// URL of the terms that newAccount must agree to.
    pub terms_of_service: Option<String>,
    /// Whether accounts must agree again when that URL changes (RFC 8555 §7.3.3).
    pub agree_again: bool,
    pub external_accounts: ExternalAccounts,
    pub limits: Limits,
    pub registered_domain: RegisteredDomain,
    /// How old a proof of control may be and still count for a new order; zero: every order proves anew.
    pub reuse_authorizations: Duration,
    /// The profile of orders that name none.
    pub default_profile: String,
    /// How long a challenge response waits for its validation before it answers `processing`.
    pub validation_wait: Duration,
    /// Attempts at a validation whose failure may pass by itself (RFC 8555 §8.2).
    pub validation_attempts: u32,
    pub validation_retry: Duration,
    /// How long one node may work on a piece of work before another takes it.
    pub lease: Duration,
    /// Longer than the wait for a place and a method's own bound, which is thirty seconds at most where no remote
    /// perspectives are asked; the rest is for a slow commit.
    pub longest_attempt: Duration,
    /// How long after PLAN a certificate may still be signed.
    pub issuance_limit: Duration,
    /// SHA-256 of SubjectPublicKeyInfo: keys that get neither account nor certificate.
    pub blocked_keys: HashSet<[u8; 32]>,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            directory: "default".to_owned(),
            instance: "vidimus".to_owned(),
            order_lifetime: Duration::from_secs(7 * DAY),
            authorization_lifetime: Duration::from_secs(30 * DAY),
            identifiers_per_order: 100,
            terms_of_service: None,
            agree_again: false,
            external_accounts: ExternalAccounts::Off,
            limits: Limits::none(),
            registered_domain: |name| Some(name.to_owned()),
            reuse_authorizations: Duration::ZERO,
            default_profile: "default".to_owned(),
            validation_wait: Duration::from_millis(50),
            validation_attempts: 3,
            validation_retry: Duration::from_secs(5),
            lease: Duration::from_secs(60),
            longest_attempt: Duration::from_secs(60),
            issuance_limit: Duration::from_secs(600),
            blocked_keys: HashSet::new(),
        }
    }
}

/// `now + duration`; a clock at the end of time stays there.
pub(crate) fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}
