//! Looking from several places on the network (RFC 8555 §10.2; Baseline Requirements §3.2.2.9): who diverts the traffic of
//! a name towards one of them should not get a certificate for it.
//!
//! The primary looks first, then asks every remote perspective that is configured, all at once, and believes what it has
//! seen only with a [`quorum`] of theirs. A remote runs the same methods and checks behind a [`Desk`] and keeps nothing.
//! Whatever else it does than to answer this question, in time, in its own name and by its own certificate ([`pins`]), is
//! no corroboration. There is no choice of remotes that somebody could steer, and no making do with fewer (INCIDENTS T17).
//!
//! In scope: the rule, both sides of the exchange, what goes around methods and checks. Out of scope: the listener and the
//! settings (composition).

mod check;
mod desk;
mod exchange;
mod method;
pub mod pins;
pub mod quorum;
mod reading;
mod remote;
#[cfg(test)]
mod tests;
mod wire;

use std::{collections::BTreeSet, sync::Arc};

use authority::{Registry, model::AccountId, ports::AccountUrl};
use futures_util::future::join_all;

use self::{
    check::CorroboratedCheck,
    method::Corroborated,
    quorum::Rule,
    reading::Reading,
    wire::{Look, Question},
};
pub use self::{
    desk::{Accounts, Desk},
    remote::{Remote, RemoteError},
    wire::PATH,
};
use crate::attempt::{Clock, Random};

/// The remote perspectives of an authority.
pub struct Perspectives {
    remotes: Vec<Remote>,
    rule: Rule,
    account_url: AccountUrl,
    clock: Clock,
    random: Random,
}

/// Why these remotes cannot be a quorum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PerspectivesError {
    #[error("there are {0} remote perspectives, and remotes_at_least is {1}; name more")]
    TooFew(usize, usize),
    #[error("the remote perspectives are in {0} regions, and regions_at_least is {1}; name some elsewhere")]
    TooNear(usize, usize),
    #[error("remote.{0} and remote.{1} are reached at the same place, so they are one; give each its own machine")]
    OnePlace(String, String),
    #[error("remote.{0} and remote.{1} are known by the same certificate, so they are one; give each its own")]
    OneIdentity(String, String),
}

impl Perspectives {
    pub fn new(
        remotes: Vec<Remote>,
        rule: Rule,
        account_url: AccountUrl,
        clock: Clock,
        random: Random,
    ) -> Result<Self, PerspectivesError> {
        let least = rule.remotes_at_least.max(1);
        if remotes.len() < least {
            return Err(PerspectivesError::TooFew(remotes.len(), least));
        }
        let regions: BTreeSet<_> = remotes.iter().map(Remote::region).collect();
        if regions.len() < rule.regions_at_least {
            return Err(PerspectivesError::TooNear(regions.len(), rule.regions_at_least));
        }
        for (at, remote) in remotes.iter().enumerate() {
            for other in &remotes[..at] {
                let (one, two) = (other.name().to_owned(), remote.name().to_owned());
                if remote.is_at_the_place_of(other) {
                    return Err(PerspectivesError::OnePlace(one, two));
                }
                if remote.is_known_as(other) {
                    return Err(PerspectivesError::OneIdentity(one, two));
                }
            }
        }
        Ok(Self {
            remotes,
            rule,
            account_url,
            clock,
            random,
        })
    }

    /// Stands around every method and check, registered by now, that looks at the network.
    pub fn wrap(self: Arc<Self>, registry: &mut Registry) {
        registry.wrap_methods(|method| match method.is_probe() {
            true => Arc::new(Corroborated::new(method, self.clone())),
            false => method,
        });
        registry.wrap_checks(|check| match check.is_probe() {
            true => Arc::new(CorroboratedCheck::new(check, self.clone())),
            false => check,
        });
    }

    /// Asks all of them, and waits for each: what every one of them has seen is evidence (Baseline Requirements §5.4.1).
    async fn ask_all(&self, account: AccountId, look: &Look, limit: usize) -> Vec<Reading<'_>> {
        let account = (self.account_url)(account);
        let ask = |remote| {
            let mut nonce = [0; 16];
            (self.random)(&mut nonce);
            self.ask(
                remote,
                account.clone(),
                look.clone(),
                jose::base64url::encode(nonce),
                limit,
            )
        };
        join_all(self.remotes.iter().map(ask)).await
    }

    async fn ask<'a>(
        &'a self,
        remote: &'a Remote,
        account: String,
        look: Look,
        nonce: String,
        limit: usize,
    ) -> Reading<'a> {
        let question = Question {
            perspective: remote.name().to_owned(),
            nonce,
            account,
            look,
        };
        let outcome = remote.ask(&question, limit, self.rule.time_limit).await;
        if let Err(silence) = &outcome {
            tracing::warn!(perspective = remote.name(), %silence, "a perspective did not corroborate");
        }
        Reading { remote, outcome }
    }
}
