//! newOrder (RFC 8555 §7.4).

use std::{collections::HashSet, sync::Arc};

use acme::{Identifier, NewOrder, Problem, ProblemType};
use jiff::Timestamp;
use serde_json::Map;

use super::{Authority, Policy, later};
use crate::{
    Failure, Refusal, Registry,
    identifier::Name,
    model::{Account, Authorization, AuthorizationId, AuthorizationState, Challenge, Order, OrderFacts, OrderId},
    ports::{Change, Committed, IdKind},
};

impl Authority {
    pub async fn new_order(&self, account: &Arc<Account>, request: NewOrder) -> Result<OrderFacts, Failure> {
        let names = admit(&request, &self.registry, &self.policy)?;
        let mut account = Arc::clone(account);
        loop {
            let id = OrderId(self.store.reserve(IdKind::Order, 1).await?.start);
            let first = self
                .store
                .reserve(IdKind::Authorization, names.len() as u64)
                .await?
                .start;
            let numbered = names.iter().zip(first..);
            let authorizations: Vec<_> = numbered
                .map(|(name, number)| self.offer(&account, name, AuthorizationId(number)))
                .collect();
            let order = compose(&account, id, &names, &authorizations, &self.policy, self.now());
            let change = Change::CreateOrder {
                account: (account.id, account.version),
                order: order.clone(),
                authorizations: authorizations.clone(),
            };
            if self.store.commit(change).await? == Committed::Done {
                return Ok(OrderFacts {
                    order: Arc::new(order),
                    authorizations: authorizations.into_iter().map(Arc::new).collect(),
                    certificate: None,
                });
            }
            // The gate read the account before: what became of it since counts here too.
            account = self.active_account(account.id).await?;
        }
    }

    /// A pending authorization with one challenge of every method that suits the name.
    fn offer(&self, account: &Account, name: &Name, id: AuthorizationId) -> Authorization {
        let challenges = self.registry.methods_for(name).map(|method| {
            // RFC 8555 §8: at least 128 bits of entropy.
            let mut token = [0; 16];
            self.runtime.random(&mut token);
            Challenge {
                method: method.name().to_owned(),
                token: jose::base64url::encode(token),
            }
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
}

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
    // RFC 8555 §7.4: what cannot be satisfied as asked is refused, never silently changed.
    if request.not_before.is_some() || request.not_after.is_some() {
        let detail = "this server does not take notBefore or notAfter; leave them out and the profile decides";
        return Err(Refusal::Malformed(detail.into()));
    }
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(count);
    let mut problems = Vec::new();
    for identifier in &request.identifiers {
        match admit_one(identifier, registry) {
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

fn admit_one(identifier: &Identifier, registry: &Registry) -> Result<Name, Problem> {
    let name = registry.admit(identifier)?;
    if registry.methods_for(&name).next().is_none() {
        let detail = format!("no validation method of this server can prove control of {identifier}");
        return Err(Problem::new(ProblemType::RejectedIdentifier, detail).about(identifier.clone()));
    }
    Ok(name)
}

fn compose(
    account: &Account,
    id: OrderId,
    names: &[Name],
    authorizations: &[Authorization],
    policy: &Policy,
    now: Timestamp,
) -> Order {
    // RFC 8555 §7.1.3: never later than the authorizations it needs, neither as they are nor as they will be when valid.
    let pending = authorizations.iter().map(|authorization| authorization.expires);
    let expires = pending.chain([later(now, policy.authorization_lifetime)]).min();
    Order {
        id,
        account: account.id,
        identifiers: names.iter().map(|name| name.identifier().clone()).collect(),
        authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
        profile: policy.default_profile.clone(),
        created: now,
        not_before: None,
        not_after: None,
        members: Map::new(),
        csr: None,
        expires: expires.unwrap_or(now),
        failure: None,
        version: 0,
    }
}
