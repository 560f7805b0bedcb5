//! Renewing what is due: from what is on disk to what is installed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use pkix::key::KeyPair;

use crate::{
    ari,
    clock::{Clock, SystemClock},
    directory::Directory,
    error::Error,
    issue::{Issued, Request, issue},
    progress::{Progress, silent},
    renewal::{RenewalPlan, renewal_id},
    retry::RetryPolicy,
    solver::Solver,
    store::{CertificateName, Store, StoreError},
    transport::Transport,
};

/// How a certificate is renewed.
#[derive(Clone)]
pub struct Renewal {
    /// Also what is not due, and at once after a failure.
    pub force: bool,
    /// On behalf of this command; what another renews is left to it.
    pub command: Option<String>,
    /// Of methods from elsewhere, tried before those that are remembered.
    pub other_solvers: Vec<Arc<dyn Solver>>,
    /// A key that was made before.
    pub key: Option<Arc<KeyPair>>,
    /// Only says what would be done; nothing is written.
    pub dry_run: bool,
    pub lock_wait: Duration,
    pub policy: RetryPolicy,
    pub clock: Arc<dyn Clock>,
    pub progress: Progress,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            force: false,
            command: None,
            other_solvers: Vec::new(),
            key: None,
            dry_run: false,
            lock_wait: Duration::from_secs(60),
            policy: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            progress: silent(),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum Renewed {
    NotDue(RenewalPlan),
    /// It is due, and has failed too lately to be tried again.
    Resting {
        plan: RenewalPlan,
        until: Timestamp,
    },
    /// Of a dry run.
    Due(RenewalPlan),
    /// It came here in some other way, and how to order it again is not known.
    NotOurs,
    /// Another command renews it: `vidimus mail renew`, say.
    By(String),
    Renewed(Box<Issued>),
}

/// Looks whether a certificate is due, asks the CA about it when it is time to, and renews it.
pub async fn renew(store: &Store, name: &CertificateName, renewal: &Renewal) -> Result<Renewed, Error> {
    let stored = store.stored(name)?;
    let stored = stored.ok_or_else(|| StoreError::NoCertificate(name.to_string()))?;
    let command = stored.settings.as_ref().and_then(|settings| settings.command.clone());
    if let Some(command) = command.filter(|_| renewal.command.is_none()) {
        return Ok(Renewed::By(command));
    }
    let request = stored.settings.as_ref().map(|settings| {
        let mut request = Request::again(name.clone(), settings, store.root());
        request.lock_wait = renewal.lock_wait;
        request.policy = renewal.policy.clone();
        request.clock = Arc::clone(&renewal.clock);
        request.progress = Arc::clone(&renewal.progress);
        request.other_solvers = renewal.other_solvers.clone();
        request.key = renewal.key.clone();
        request.replaces = renewal_id(&stored.leaf);
        request
    });
    let (leaf, mut state) = (&stored.leaf, stored.renewal.clone());
    let next_look = state.look(renewal.clock.now());
    if let Some(request) = &request
        && state.wants_to_ask(renewal.clock.now(), leaf.not_after())
    {
        let transport = Transport::new(request.transport.clone())?;
        let directory = Directory::new(
            &request.server,
            transport,
            renewal.policy.clone(),
            Arc::clone(&renewal.clock),
        );
        ari::ask(&directory, leaf, &mut state).await;
    }
    if !renewal.dry_run {
        store.save_renewal(name, &state)?;
    }
    let (now, plan) = (renewal.clock.now(), state.plan(leaf));
    if !renewal.force && !plan.is_due_before(next_look, now) {
        return Ok(Renewed::NotDue(plan));
    }
    let Some(request) = request else {
        return Ok(Renewed::NotOurs);
    };
    if let Some(until) = state.rests_until(now, leaf.not_after()).filter(|_| !renewal.force) {
        return Ok(Renewed::Resting { plan, until });
    }
    if renewal.dry_run {
        return Ok(Renewed::Due(plan));
    }
    match issue(request).await {
        Ok(issued) => Ok(Renewed::Renewed(Box::new(issued))),
        Err(error) => {
            state.fail(renewal.clock.now());
            store.save_renewal(name, &state)?;
            Err(error)
        }
    }
}
