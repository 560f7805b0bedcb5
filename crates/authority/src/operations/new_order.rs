//! newOrder (RFC 8555 §7.4).

use std::{collections::HashSet, sync::Arc};

use acme::{AuthorizationStatus, NewOrder};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Authority, Limits, Policy, later, limits::REPLACES};
use crate::{
    Failure, Refusal, Registry,
    identifier::Name,
    model::{
        Account, Authorization, AuthorizationId, AuthorizationState, Challenge, Order, OrderFacts, OrderId,
        RecordChange,
    },
    ports::{Asked, Change, Committed, FirstCsr, IdKind, Validity},
};

impl Authority {
    pub async fn new_order(&self, account: &Arc<Account>, request: NewOrder) -> Result<OrderFacts, Failure> {
        let names = admit(&request, &self.registry, &self.policy)?;
        let mut account = Arc::clone(account);
        let mut is_counted = false;
        loop {
            self.require_agreement(&account)?;
            let id = OrderId(self.store.reserve(IdKind::Order, 1).await?.start);
            let taken = self.take_members(id, &account, &names, &request).await?;
            if !is_counted {
                self.limit_order(&account, &names, &taken).await?;
                is_counted = true;
            }
            let validity = self.admit_validity(&taken.profile, &request)?;
            let mut authorizations = Vec::with_capacity(names.len());
            let mut offered = Vec::new();
            for name in &names {
                authorizations.push(match self.reusable(&account, name).await? {
                    Some(valid) => valid,
                    None => {
                        let number = self.store.reserve(IdKind::Authorization, 1).await?.start;
                        let fresh = self.offer(&account, name, AuthorizationId(number));
                        offered.push(fresh.clone());
                        Arc::new(fresh)
                    }
                });
            }
            let now = self.now();
            let mut order = Order {
                id,
                account: account.id,
                identifiers: names.iter().map(|name| name.identifier().clone()).collect(),
                authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
                profile: taken.profile,
                created: now,
                not_before: validity.not_before,
                not_after: validity.not_after,
                members: taken.members,
                csr: None,
                expires: expires(&authorizations, &self.policy, now),
                failure: None,
                version: 0,
            };
            let mut records = taken.records;
            if let Some(first) = taken.csr {
                let (csr, named) = self.admit_csr(&first.der, &order.identifiers).await?;
                if first.binding {
                    // What finalize would refuse is better known before anything is proved.
                    self.prepare(&order, &named, &csr)?;
                }
                records.extend(self.submit(&order, &first).await?);
                order.csr = first.binding.then_some(first.der);
            }
            let change = Change::CreateOrder {
                account: (account.id, account.version),
                order: order.clone(),
                authorizations: offered,
            };
            if self.store.commit(change.and(records)).await? == Committed::Done {
                return Ok(OrderFacts {
                    order: Arc::new(order),
                    authorizations,
                    certificate: None,
                });
            }
            // The gate read the account before: what became of it since counts here too.
            account = self.active_account(account.id).await?;
        }
    }

    /// What is asked before anything is made; the order itself is counted here, certificates when they are issued.
    async fn limit_order(&self, account: &Account, names: &[Name], taken: &TakenMembers) -> Result<(), Failure> {
        if self.policy.limits == Limits::default() {
            return Ok(());
        }
        for name in names {
            self.limit_failures(account, &name.base().value).await?;
        }
        self.require_unpaused(account, names).await?;
        // INCIDENTS T29: who replaces a certificate must not be kept from it. To say so is not enough: it was found.
        let is_renewal = taken.members.contains_key(REPLACES);
        let values: Vec<_> = names.iter().map(|name| name.identifier().value.clone()).collect();
        self.limit_certificates(&values, is_renewal, false).await?;
        if is_renewal {
            Ok(())
        } else {
            self.limit_new_order(account).await
        }
    }

    /// What extensions make of the request's members.
    async fn take_members(
        &self,
        id: OrderId,
        account: &Account,
        names: &[Name],
        request: &NewOrder,
    ) -> Result<TakenMembers, Failure> {
        let asked = Asked {
            id,
            account,
            names,
            default_profile: &self.policy.default_profile,
            store: &*self.store,
            issuance: &*self.issuance,
            now: self.now(),
        };
        let mut all = TakenMembers {
            profile: self.policy.default_profile.clone(),
            members: Map::new(),
            csr: None,
            records: Vec::new(),
        };
        for member in self.registry.order_members() {
            let taken = member.admit(request.members.get(member.name()), &asked).await?;
            if let Some(shown) = taken.shown {
                all.members.insert(member.name().to_owned(), shown);
            }
            if let Some(profile) = taken.profile {
                all.profile = profile;
            }
            all.csr = taken.csr.or(all.csr);
            all.records.extend(taken.records);
        }
        Ok(all)
    }

    /// RFC 8555 §7.4: what cannot be satisfied as asked is refused, never silently changed.
    fn admit_validity(&self, profile: &str, request: &NewOrder) -> Result<Validity, Refusal> {
        let validity = Validity {
            not_before: request
                .not_before
                .as_deref()
                .map(|text| date("notBefore", text))
                .transpose()?,
            not_after: request
                .not_after
                .as_deref()
                .map(|text| date("notAfter", text))
                .transpose()?,
        };
        if validity != Validity::default() {
            self.issuance
                .admit_validity(profile, validity, self.now())
                .map_err(Refusal::Malformed)?;
        }
        Ok(validity)
    }

    /// A proof of control that is young enough to count again. INCIDENTS T2: of this account, for exactly this name, by
    /// a method that would be offered today.
    pub(super) async fn reusable(&self, account: &Account, name: &Name) -> Result<Option<Arc<Authorization>>, Failure> {
        if self.policy.reuse_authorizations.is_zero() {
            return Ok(None);
        }
        let now = self.now();
        let candidates = self
            .store
            .authorizations_for(account.id, name.base().clone(), CANDIDATES)
            .await?;
        Ok(candidates.into_iter().find(|candidate| {
            candidate.status(now) == AuthorizationStatus::Valid
                && candidate.wildcard == name.is_wildcard()
                && candidate.proof().is_some_and(|(method, validated)| {
                    later(validated, self.policy.reuse_authorizations) > now
                        && self
                            .registry
                            .methods_for(name)
                            .any(|offered| offered.name() == method && offered.reusable())
                })
        }))
    }

    /// A pending authorization with one challenge of every method that suits the name.
    pub(super) fn offer(&self, account: &Account, name: &Name, id: AuthorizationId) -> Authorization {
        let challenges = self.registry.methods_for(name).map(|method| Challenge {
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
            challenges: challenges.collect(),
            expires: later(self.now(), self.policy.order_lifetime),
            state: AuthorizationState::Pending,
            version: 0,
        }
    }

    /// RFC 8555 §8: at least 128 bits of entropy.
    fn token(&self) -> String {
        let mut token = [0; 16];
        self.runtime.random(&mut token);
        jose::base64url::encode(token)
    }
}

struct TakenMembers {
    profile: String,
    members: Map<String, Value>,
    csr: Option<FirstCsr>,
    records: Vec<RecordChange>,
}

/// How many of the newest authorizations for a name are looked at.
const CANDIDATES: usize = 16;

/// The names of a request, each once, in its sequence.
fn admit(request: &NewOrder, registry: &Registry, policy: &Policy) -> Result<Vec<Name>, Refusal> {
    let count = request.identifiers.len();
    if count == 0 {
        return Err(Refusal::Malformed("\"identifiers\" is empty; name at least one".into()));
    }
    if count > policy.identifiers_per_order {
        let most = policy.identifiers_per_order;
        return Err(Refusal::Malformed(format!(
            "the order names {count} identifiers; {most} is the most"
        )));
    }
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(count);
    let mut problems = Vec::new();
    for identifier in &request.identifiers {
        match registry.admit_provable(identifier) {
            Ok(name) if seen.insert(name.clone()) => names.push(name),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(names)
    } else {
        Err(Refusal::Identifiers(problems))
    }
}

/// RFC 3339 with any offset and fraction; a certificate counts whole seconds (RFC 5280 §4.1.2.5).
fn date(member: &str, text: &str) -> Result<Timestamp, Refusal> {
    let malformed = || {
        let seen: String = text.chars().take(64).collect();
        Refusal::Malformed(format!(
            "\"{member}\" is {seen:?}, which is no time as RFC 3339 writes it, for example \"2027-01-01T00:00:00Z\""
        ))
    };
    // The parser knows more ways to write a time than the RFC does.
    if !text.is_ascii()
        || text.len() > 64
        || !matches!(text.as_bytes().get(10), Some(b'T' | b't'))
        || text.contains('[')
    {
        return Err(malformed());
    }
    let time: Timestamp = text.parse().map_err(|_| malformed())?;
    Timestamp::from_second(time.as_second()).map_err(|_| malformed())
}

/// RFC 8555 §7.1.3: never later than the authorizations it needs, neither as they are nor as they will be when valid.
fn expires(authorizations: &[Arc<Authorization>], policy: &Policy, now: Timestamp) -> Timestamp {
    let each = authorizations.iter().map(|authorization| authorization.expires);
    let bounds = [
        later(now, policy.order_lifetime),
        later(now, policy.authorization_lifetime),
    ];
    each.chain(bounds).min().unwrap_or(now)
}
