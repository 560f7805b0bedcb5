//! newOrder (RFC 8555 §7.4).

use std::{collections::HashSet, sync::Arc};

use acme::NewOrder;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Authority, Limits, Policy,
    authorizing::{Chosen, Elsewhere},
    later,
    limits::REPLACES,
};
use crate::{
    Failure, Refusal, Registry,
    identifier::Name,
    model::{Account, Authorization, Order, OrderFacts, OrderId, RecordChange},
    ports::{Asked, Change, Committed, FirstCsr, IdKind, Validity},
};

impl Authority {
    pub async fn new_order(&self, account: &Arc<Account>, request: NewOrder) -> Result<OrderFacts, Failure> {
        let (names, elsewhere) = admit(&request, &self.registry, &self.policy)?;
        let mut account = Arc::clone(account);
        let mut is_counted = false;
        let mut codes_counted = false;
        loop {
            self.require_agreement(&account)?;
            let id = OrderId(self.store.reserve(IdKind::Order, 1).await?.start);
            let taken = self.take_members(id, &account, &names, &request).await?;
            let to_prove = names.iter().zip(&elsewhere).map(|(name, ways)| ways.to_prove(name));
            self.require_methods(&taken.profile, to_prove)?;
            self.require_kinds(&taken.profile, &names)?;
            if !is_counted {
                self.limit_order(&account, &names, &elsewhere, &taken).await?;
                is_counted = true;
            }
            let validity = self.admit_validity(&taken.profile, &request)?;
            let Chosen {
                authorizations,
                offered,
            } = self
                .choose_authorizations(&account, &names, &elsewhere, &taken.profile)
                .await?;
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
            let codes = self.codes_for(&offered);
            let sends = !codes.is_empty();
            if sends && !codes_counted {
                self.count_codes(&offered).await?;
                codes_counted = true;
            }
            records.extend(codes);
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
                if sends {
                    self.send_codes_soon();
                }
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
    async fn limit_order(
        &self,
        account: &Account,
        names: &[Name],
        elsewhere: &[Elsewhere],
        taken: &TakenMembers,
    ) -> Result<(), Failure> {
        if self.policy.limits == Limits::default() {
            return Ok(());
        }
        let to_prove = names.iter().zip(elsewhere).map(|(name, ways)| ways.to_prove(name));
        let to_prove: Vec<_> = to_prove.collect();
        for name in &to_prove {
            self.limit_failures(account, &name.base().value).await?;
        }
        self.require_unpaused(account, &to_prove).await?;
        // INCIDENTS T29: who replaces a certificate must not be kept from it. To say so is not enough: it was found.
        let is_renewal = taken.members.contains_key(REPLACES);
        let values: Vec<_> = names.iter().map(|name| name.identifier().value.clone()).collect();
        self.limit_certificates(&values, is_renewal, false).await?;
        if taken.first_renewal {
            return Ok(());
        }
        self.limit_new_order(account).await
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
            first_renewal: false,
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
            all.first_renewal |= taken.first_renewal;
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
}

struct TakenMembers {
    profile: String,
    members: Map<String, Value>,
    csr: Option<FirstCsr>,
    records: Vec<RecordChange>,
    first_renewal: bool,
}

/// The names of a request, each once, in its sequence, with how each may be authorized beside by itself.
fn admit(request: &NewOrder, registry: &Registry, policy: &Policy) -> Result<(Vec<Name>, Vec<Elsewhere>), Refusal> {
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
    let (mut names, mut elsewhere) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut problems = Vec::new();
    for requested in &request.identifiers {
        let admitted = registry
            .admit_provable(&requested.identifier)
            .and_then(|name| registry.elsewhere(&name, requested).map(|ways| (name, ways)));
        match admitted {
            Ok((name, ways)) if seen.insert(name.clone()) => {
                names.push(name);
                elsewhere.push(ways);
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok((names, elsewhere))
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
