//! Which authorizations an order needs: those that count already, those that are made, and which one a name rests on.

use std::{cmp::Reverse, iter, sync::Arc};

use acme::{AuthorizationStatus, Identifier, Problem, ProblemType, RequestedIdentifier};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Authority, later, validate::as_ordered};
use crate::{
    Failure, Refusal, Registry,
    identifier::Name,
    model::{Account, Authorization, AuthorizationId, AuthorizationState, Challenge},
    ports::{IdKind, Wider},
};

/// How a name of a request may be authorized beside by itself, with everything admitted.
#[derive(Clone, Default)]
pub(super) struct Elsewhere {
    others: Vec<Identifier>,
    wider: Option<AdmittedWider>,
}

/// An authorization for more than one name that some method can prove.
#[derive(Clone)]
pub(super) struct AdmittedWider {
    pub name: Name,
    pub members: Map<String, Value>,
}

/// What an order rests on.
pub(super) struct Chosen {
    /// In the sequence of the names, each once.
    pub authorizations: Vec<Arc<Authorization>>,
    /// Those of them that are new.
    pub offered: Vec<Authorization>,
}

impl Elsewhere {
    /// The name that will have to be proved for it, if nothing counts already.
    pub fn to_prove<'a>(&'a self, name: &'a Name) -> &'a Name {
        self.wider.as_ref().map_or(name, |wider| &wider.name)
    }
}

impl Registry {
    /// `Err` is a subproblem about the identifier.
    pub(super) fn elsewhere(&self, name: &Name, requested: &RequestedIdentifier) -> Result<Elsewhere, Problem> {
        let mut elsewhere = Elsewhere::default();
        for satisfaction in self.satisfactions() {
            let ways = satisfaction
                .ways(name, &requested.members)
                .map_err(|problem| problem.about(requested.identifier.clone()))?;
            elsewhere.others.extend(ways.others);
            if let Some(wider) = ways.wider {
                elsewhere.wider = Some(self.admit_wider(wider, &requested.identifier)?);
            }
        }
        Ok(elsewhere)
    }

    /// The authorization for more than the name that newAuthz asks for and is given.
    pub(super) fn wider_ahead(
        &self,
        name: &Name,
        requested: &RequestedIdentifier,
    ) -> Result<Option<AdmittedWider>, Problem> {
        for satisfaction in self.satisfactions() {
            let wider = satisfaction
                .ahead(name, &requested.members)
                .map_err(|problem| problem.about(requested.identifier.clone()))?;
            if let Some(wider) = wider {
                return self.admit_wider(wider, &requested.identifier).map(Some);
            }
        }
        Ok(None)
    }

    fn admit_wider(&self, wider: Wider, requested: &Identifier) -> Result<AdmittedWider, Problem> {
        let name = self.admit_provable(&wider.identifier);
        Ok(AdmittedWider {
            name: name.map_err(|problem| problem.about(requested.clone()))?,
            members: wider.members,
        })
    }

    fn covers(&self, authorization: &Authorization, name: &Name) -> bool {
        self.satisfactions().iter().any(|rule| rule.covers(authorization, name))
    }

    /// The authorization that a name rests on, of those of its order; `at` is the name's place there.
    pub(super) fn basis<'a>(
        &self,
        name: &Name,
        at: usize,
        authorizations: &'a [Arc<Authorization>],
    ) -> Option<&'a Arc<Authorization>> {
        let own = |authorization: &&Arc<Authorization>| is_for(authorization, name);
        // One for each name, in their sequence, unless some are shared.
        let in_its_place = authorizations.get(at).filter(own);
        in_its_place.or_else(|| authorizations.iter().find(own)).or_else(|| {
            authorizations
                .iter()
                .find(|authorization| self.covers(authorization, name))
        })
    }
}

/// Whether an authorization is for exactly this name.
fn is_for(authorization: &Authorization, name: &Name) -> bool {
    authorization.wildcard == name.is_wildcard() && authorization.identifier == *name.base()
}

impl Authority {
    /// What the names of an order will rest on: what the order has already, what counts again, or something new.
    pub(super) async fn choose_authorizations(
        &self,
        account: &Account,
        names: &[Name],
        elsewhere: &[Elsewhere],
        profile: &str,
    ) -> Result<Chosen, Failure> {
        let mut offered = Vec::new();
        let mut chosen: Vec<(usize, Arc<Authorization>)> = Vec::with_capacity(names.len());
        for at in sequence(elsewhere) {
            let (name, ways) = (&names[at], &elsewhere[at]);
            let shared = || {
                let mut so_far = chosen.iter().map(|(_, authorization)| authorization);
                so_far
                    .find(|authorization| self.counts(authorization, name, ways))
                    .cloned()
            };
            // Ordinary names share nothing, and are not compared.
            let counted = match ways.others.is_empty() {
                true => None,
                false => shared(),
            };
            let counted = match counted {
                Some(shared) => Some(shared),
                None => self.reusable(account, name, ways, profile).await?,
            };
            let authorization = match counted {
                Some(counted) => counted,
                None => {
                    let id = AuthorizationId(self.store.reserve(IdKind::Authorization, 1).await?.start);
                    let fresh = match &ways.wider {
                        Some(wider) => self.offer_wider(account, wider, profile, id),
                        None => self.offer(account, name, profile, id),
                    };
                    offered.push(fresh.clone());
                    Arc::new(fresh)
                }
            };
            chosen.push((at, authorization));
        }
        Ok(Chosen {
            authorizations: each_once(chosen, elsewhere),
            offered,
        })
    }

    fn counts(&self, authorization: &Authorization, name: &Name, ways: &Elsewhere) -> bool {
        is_for(authorization, name)
            || ways.others.contains(&authorization.identifier) && self.registry.covers(authorization, name)
    }

    /// A proof of control that is young enough to count again.
    async fn reusable(
        &self,
        account: &Account,
        name: &Name,
        ways: &Elsewhere,
        profile: &str,
    ) -> Result<Option<Arc<Authorization>>, Failure> {
        let others = ways.others.iter().filter(|other| *other != name.base());
        for identifier in iter::once(name.base()).chain(others) {
            let counts = |candidate: &Authorization| self.counts(candidate, name, ways);
            if let Some(found) = self.proved_before(account, identifier, profile, counts).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The same, for what is asked for ahead of any order.
    pub(super) async fn reusable_ahead(
        &self,
        account: &Account,
        name: &Name,
        wider: Option<&AdmittedWider>,
        profile: &str,
    ) -> Result<Option<Arc<Authorization>>, Failure> {
        match wider {
            None => self.reusable(account, name, &Elsewhere::default(), profile).await,
            Some(wider) => {
                let as_wide =
                    |candidate: &Authorization| is_for(candidate, &wider.name) && candidate.members == wider.members;
                self.proved_before(account, wider.name.base(), profile, as_wide).await
            }
        }
    }

    /// INCIDENTS T2: of this account, for what counts and nothing else, by a method that would be offered today.
    async fn proved_before(
        &self,
        account: &Account,
        identifier: &Identifier,
        profile: &str,
        counts: impl Fn(&Authorization) -> bool,
    ) -> Result<Option<Arc<Authorization>>, Failure> {
        if self.policy.reuse_authorizations.is_zero() {
            return Ok(None);
        }
        let now = self.now();
        let candidates = self
            .store
            .authorizations_for(account.id, identifier.clone(), CANDIDATES)
            .await?;
        Ok(candidates.into_iter().find(|candidate| {
            candidate.status(now) == AuthorizationStatus::Valid
                && counts(candidate)
                && self.still_counts(candidate, profile, now)
        }))
    }

    fn still_counts(&self, candidate: &Authorization, profile: &str, now: Timestamp) -> bool {
        let (Some((method, validated)), Ok(name)) = (candidate.proof(), self.registry.admit(&as_ordered(candidate)))
        else {
            return false;
        };
        later(validated, self.policy.reuse_authorizations) > now
            && self
                .registry
                .methods_in(profile, &name)
                .any(|offered| offered.name() == method && offered.reusable())
    }

    /// A name that some method proves, but none in orders of this profile, is of no use in one.
    pub(super) fn require_methods<'a>(
        &self,
        profile: &str,
        names: impl Iterator<Item = &'a Name>,
    ) -> Result<(), Refusal> {
        let without = names.filter(|name| self.registry.methods_in(profile, name).next().is_none());
        let problems: Vec<_> = without
            .map(|name| {
                let identifier = name.identifier();
                let detail = format!("control of {identifier} is not proved in orders of the profile {profile:?}");
                Problem::new(ProblemType::RejectedIdentifier, detail).about(identifier.clone())
            })
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Identifiers(problems)),
        }
    }

    /// Whether certificates of the profile have names of these kinds.
    pub(super) fn require_kinds(&self, profile: &str, names: &[Name]) -> Result<(), Refusal> {
        let refused = names.iter().filter_map(|name| {
            let general_name = self.registry.to_general_name(name)?;
            let why = self.issuance.admit_name(profile, &general_name).err()?;
            Some(Problem::new(ProblemType::RejectedIdentifier, why).about(name.identifier().clone()))
        });
        let problems: Vec<_> = refused.collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Identifiers(problems)),
        }
    }

    /// A pending authorization with one challenge of every method that suits the name and the profile.
    pub(super) fn offer(&self, account: &Account, name: &Name, profile: &str, id: AuthorizationId) -> Authorization {
        let challenges = self.registry.methods_in(profile, name).map(|method| Challenge {
            method: method.name().to_owned(),
            token: if method.has_token() {
                self.token()
            } else {
                String::new()
            },
        });
        Authorization {
            id,
            account: account.id,
            identifier: name.base().clone(),
            wildcard: name.is_wildcard(),
            members: Map::new(),
            challenges: challenges.collect(),
            expires: later(self.now(), self.policy.order_lifetime),
            state: AuthorizationState::Pending,
            version: 0,
        }
    }

    pub(super) fn offer_wider(
        &self,
        account: &Account,
        wider: &AdmittedWider,
        profile: &str,
        id: AuthorizationId,
    ) -> Authorization {
        Authorization {
            members: wider.members.clone(),
            ..self.offer(account, &wider.name, profile, id)
        }
    }

    /// RFC 8555 §8: at least 128 bits of entropy.
    fn token(&self) -> String {
        let mut token = [0; 16];
        self.runtime.random(&mut token);
        jose::base64url::encode(token)
    }
}

/// The places of the names, in the sequence in which they are looked at: those that need a wider authorization come
/// first, the narrowest of them before the others, so that whatever they make counts for the rest.
fn sequence(elsewhere: &[Elsewhere]) -> Vec<usize> {
    let mut places: Vec<_> = (0..elsewhere.len()).collect();
    places.sort_by_key(|at| {
        Reverse(
            elsewhere[*at]
                .wider
                .as_ref()
                .map_or(0, |wider| wider.name.base().value.len()),
        )
    });
    places
}

/// As many as there are names, or fewer (RFC 8555 §7.1.3).
fn each_once(mut chosen: Vec<(usize, Arc<Authorization>)>, elsewhere: &[Elsewhere]) -> Vec<Arc<Authorization>> {
    let may_be_shared = elsewhere.iter().any(|ways| !ways.others.is_empty());
    chosen.sort_by_key(|(at, _)| *at);
    let mut authorizations: Vec<Arc<Authorization>> = Vec::with_capacity(chosen.len());
    for (_, authorization) in chosen {
        if !may_be_shared || authorizations.iter().all(|seen| seen.id != authorization.id) {
            authorizations.push(authorization);
        }
    }
    authorizations
}

/// How many of the newest authorizations for a name are looked at.
const CANDIDATES: usize = 16;
