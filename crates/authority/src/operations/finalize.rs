//! finalize: from a CSR to PLAN (RFC 8555 §7.4).

use std::{collections::BTreeSet, sync::Arc};

use acme::{OrderStatus, Problem, ProblemType};
use aws_lc_rs::digest::{Context, SHA256};
use jose::Jwk;
use pkix::{csr::CertificateRequest, name::GeneralName};

use super::{Authority, later};
use crate::{
    Failure, Refusal, Registry,
    identifier::Name,
    model::{Account, CertificateId, CertificateRecord, CertificateState, Evidence, Order, OrderFacts, OrderId},
    ports::{Change, Committed, IssuanceFailure, IssuanceRequest, PreIssuance, Proven, Subject, Validity},
};

impl Authority {
    /// Issues. The same CSR again, while the order is processing or valid, gets the order.
    pub async fn finalize(&self, account: &Arc<Account>, id: OrderId, csr: &[u8]) -> Result<OrderFacts, Failure> {
        let (authority, account, csr) = (self.clone(), Arc::clone(account), csr.to_vec());
        self.detached(async move { authority.finalize_to_the_end(account, id, &csr).await })
            .await
    }

    async fn finalize_to_the_end(
        &self,
        mut account: Arc<Account>,
        id: OrderId,
        csr: &[u8],
    ) -> Result<OrderFacts, Failure> {
        loop {
            let facts = self.order(&account, id).await?;
            let Some(ready) = admit(facts.clone(), csr, self.now())? else {
                return Ok(facts);
            };
            let csr = read_csr(csr)?;
            let names = ready.match_names(&csr, &self.registry)?;
            self.check_key(&csr).await?;
            let checks = self.last_look(&ready, &names).await?;
            self.count_certificate(&facts.order).await?;
            let record = self.plan(&ready, &names, &csr, checks)?;
            let change = Change::Plan {
                account: (account.id, account.version),
                order: (facts.order.id, facts.order.version),
                authorizations: facts.authorizations.iter().map(|a| (a.id, a.version)).collect(),
                certificate: record.clone(),
            };
            match self.store.commit(change).await? {
                // The gate read the account before: what became of it since counts here too.
                Committed::Conflict => account = self.active_account(account.id).await?,
                Committed::Done => {
                    self.changes.changed(Subject::Order(id));
                    self.sign_and_complete(Arc::new(record)).await;
                    return self.order(&account, id).await;
                }
            }
        }
    }

    /// Issued certificates are counted; whoever was let in to order is let through.
    async fn count_certificate(&self, order: &Order) -> Result<(), Failure> {
        let values: Vec<_> = order
            .identifiers
            .iter()
            .map(|identifier| identifier.value.clone())
            .collect();
        let is_renewal = order.members.contains_key("replaces");
        match self.limit_certificates(&values, is_renewal, true).await {
            Err(Failure::Refused(_)) => Ok(()),
            other => other,
        }
    }

    /// Every name is asked about at every issuance, however old its authorization is (RFC 8659 §3).
    async fn last_look(&self, ready: &ReadyOrder, names: &[(Name, GeneralName)]) -> Result<Vec<Evidence>, Failure> {
        let order = &ready.facts.order;
        // In the order's sequence, both of them.
        let proven = names.iter().zip(&ready.facts.authorizations);
        let proven = proven.filter_map(|((name, _), authorization)| {
            let (method, validated) = authorization.proof()?;
            Some(Proven {
                name,
                method,
                validated,
            })
        });
        let proven: Vec<_> = proven.collect();
        if proven.len() != names.len() {
            return Err(Failure::Unavailable(format!("order {}: a name has no proof", order.id)));
        }
        let request = PreIssuance {
            account: order.account,
            profile: &order.profile,
            names: &proven,
            now: self.now(),
        };
        let mut seen = Vec::new();
        for check in self.registry.checks() {
            seen.extend(check.check(&request).await.map_err(Refusal::PreIssuance)?);
        }
        Ok(seen)
    }

    /// 8555-7.4-9, INCIDENTS T25: neither weak, nor blocked, nor anybody's account key.
    async fn check_key(&self, csr: &CertificateRequest) -> Result<(), Failure> {
        let key = csr.public_key();
        if let Some(weakness) = key.weakness() {
            return Err(Refusal::BadCsr(format!("the CSR's key is weak: {weakness}; generate another")).into());
        }
        if self.is_blocked(&key.fingerprint()).await? {
            return Err(Refusal::BadCsr("the CSR's key is known to be compromised; generate another".into()).into());
        }
        if let Ok(jwk) = Jwk::from_spki_der(key.spki_der())
            && !self.store.accounts_of_key(jwk.thumbprint()).await?.is_empty()
        {
            return Err(Refusal::BadCsr(
                "the CSR's key is an account key; a certificate needs a key of its own".into(),
            )
            .into());
        }
        Ok(())
    }

    fn plan(
        &self,
        ready: &ReadyOrder,
        names: &[(Name, GeneralName)],
        csr: &CertificateRequest,
        checks: Vec<Evidence>,
    ) -> Result<CertificateRecord, Failure> {
        let (mut serial_randomness, mut salt) = ([0; 19], [0; 16]);
        self.runtime.random(&mut serial_randomness);
        self.runtime.random(&mut salt);
        let now = self.now();
        let order = &ready.facts.order;
        if !self.issuance.has_profile(&order.profile) {
            // draft-ietf-acme-profiles §4: the order is older than the decision to end its profile.
            let detail = format!(
                "the profile {:?} is not issued any more; place a new order",
                order.profile
            );
            return Err(Refusal::Problem(Problem::new(ProblemType::InvalidProfile, detail)).into());
        }
        let request = IssuanceRequest {
            profile: &order.profile,
            names,
            csr,
            validity: Validity {
                not_before: order.not_before,
                not_after: order.not_after,
            },
            serial_randomness,
            now,
        };
        let planned = self.issuance.prepare(&request).map_err(|failure| match failure {
            IssuanceFailure::Refused(why) => Failure::Refused(Refusal::BadCsr(why)),
            IssuanceFailure::Unavailable(why) => Failure::Unavailable(why),
        })?;
        Ok(CertificateRecord {
            id: CertificateId { order: order.id, n: 0 },
            account: order.account,
            serial: planned.serial,
            issuer: planned.issuer,
            profile: order.profile.clone(),
            csr_sha256: csr.sha256(),
            key_sha256: csr.public_key().fingerprint(),
            crl_shard: planned.crl_shard,
            to_be_signed: planned.to_be_signed,
            planned: now,
            not_after: planned.not_after,
            evidence_root: evidence_root(&ready.facts, &checks, &salt)?,
            salt,
            checks,
            state: CertificateState::Planned {
                lease: later(now, self.policy.lease),
            },
            revoked: None,
            version: 0,
        })
    }
}

/// An order whose every authorization is valid. Nothing else can be planned.
struct ReadyOrder {
    facts: OrderFacts,
}

/// `None`: this CSR was taken already, show the order.
fn admit(facts: OrderFacts, csr: &[u8], now: jiff::Timestamp) -> Result<Option<ReadyOrder>, Refusal> {
    match facts.status(now) {
        OrderStatus::Ready => Ok(Some(ReadyOrder { facts })),
        status @ (OrderStatus::Processing | OrderStatus::Valid) => {
            let same = facts
                .certificate
                .as_ref()
                .is_some_and(|record| record.csr_sha256 == sha256(csr));
            if same {
                return Ok(None);
            }
            let status = format!("{status:?}").to_lowercase();
            Err(Refusal::OrderNotReady(format!(
                "the order is {status} with another CSR; place a new order for this one"
            )))
        }
        OrderStatus::Pending => {
            let open = facts
                .authorizations
                .iter()
                .filter(|a| a.status(now) != acme::AuthorizationStatus::Valid);
            let open: Vec<_> = open.map(|a| a.identifier.to_string()).collect();
            Err(Refusal::OrderNotReady(format!(
                "the order is pending; not yet authorized: {}",
                open.join(", ")
            )))
        }
        OrderStatus::Invalid => {
            let why = facts.error(now).map(|problem| problem.detail).unwrap_or_default();
            Err(Refusal::OrderNotReady(format!(
                "the order is invalid ({why}); place a new one"
            )))
        }
    }
}

fn read_csr(der: &[u8]) -> Result<CertificateRequest, Refusal> {
    let csr =
        CertificateRequest::parse(der).map_err(|error| Refusal::BadCsr(format!("the CSR cannot be read: {error}")))?;
    csr.verify_self_signature()
        .map_err(|error| Refusal::BadCsr(format!("the CSR's own signature does not verify: {error}")))?;
    if csr.asks_for_ca() {
        return Err(Refusal::BadCsr(
            "the CSR asks for a CA certificate; this order is for an end entity".into(),
        ));
    }
    Ok(csr)
}

impl ReadyOrder {
    /// 8555-7.4-8, INCIDENTS T3: the CSR's names are the order's, as sets; the common name counts where a type reads it.
    fn match_names(&self, csr: &CertificateRequest, registry: &Registry) -> Result<Vec<(Name, GeneralName)>, Refusal> {
        let bad = |why: String| Err(Refusal::BadCsr(why));
        let mut ordered = Vec::with_capacity(self.facts.order.identifiers.len());
        for identifier in &self.facts.order.identifiers {
            let name = registry.admit(identifier).map_err(|problem| {
                Refusal::BadCsr(format!("{identifier} is no longer issued for: {}", problem.detail))
            })?;
            let Some(general_name) = registry.to_general_name(&name) else {
                return bad(format!("{identifier} has no place in a certificate"));
            };
            ordered.push((name, general_name));
        }
        let wanted: BTreeSet<&Name> = ordered.iter().map(|(name, _)| name).collect();

        let mut found = BTreeSet::new();
        for general_name in csr.subject_alternative_names() {
            match registry.read_general_name(general_name) {
                Some(Ok(name)) if wanted.contains(&name) => drop(found.insert(name)),
                Some(Ok(name)) => {
                    return bad(format!(
                        "the CSR names {}, which is not in the order",
                        name.identifier()
                    ));
                }
                Some(Err(refusal)) => return bad(format!("the CSR has a name that cannot be issued: {refusal}")),
                None => {
                    return bad(format!(
                        "the CSR has a name of a kind that is not in the order: {general_name}"
                    ));
                }
            }
        }
        for common_name in csr.common_names() {
            match registry.read_common_name(common_name) {
                Some(Ok(name)) if wanted.contains(&name) => drop(found.insert(name)),
                // A text that repeats an identifier of another type says nothing and counts for nothing.
                _ if wanted.iter().any(|name| name.identifier().value == *common_name) => {}
                _ => return bad(format!("the CSR's common name {common_name:?} is not in the order")),
            }
        }
        if let Some(missing) = wanted.iter().find(|name| !found.contains(**name)) {
            return bad(format!(
                "the CSR does not name {}, which is in the order",
                missing.identifier()
            ));
        }
        Ok(ordered)
    }
}

/// Salted, so that a public leaf cannot confirm a guess at what was seen.
fn evidence_root(facts: &OrderFacts, checks: &[Evidence], salt: &[u8; 16]) -> Result<[u8; 32], Failure> {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    let proofs = facts
        .authorizations
        .iter()
        .map(|authorization| authorization.evidence());
    for evidence in proofs.chain([checks]) {
        let evidence = serde_json::to_vec(evidence)
            .map_err(|error| Failure::Unavailable(format!("evidence does not serialise: {error}")))?;
        context.update(&sha256(&evidence));
    }
    let mut root = [0; 32];
    root.copy_from_slice(context.finish().as_ref());
    Ok(root)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref());
    out
}
