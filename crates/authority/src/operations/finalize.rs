//! finalize: from a CSR to PLAN (RFC 8555 §7.4).

use std::sync::Arc;

use acme::{OrderStatus, Problem, ProblemType};
use aws_lc_rs::digest::{Context, SHA256};
use pkix::{csr::CertificateRequest, name::GeneralName};
use serde_json::{Map, Value};

use super::{Authority, later, limits::REPLACES};
use crate::{
    Failure, Refusal,
    identifier::Name,
    model::{Account, CertificateId, CertificateRecord, CertificateState, Evidence, Order, OrderFacts, OrderId},
    ports::{Change, Committed, IssuanceFailure, IssuanceRequest, Planned, PreIssuance, Proven, Subject, Validity},
};

impl Authority {
    /// Issues. The same CSR again, while the order is processing or valid, gets the order.
    pub async fn finalize(&self, account: &Arc<Account>, id: OrderId, csr: &[u8]) -> Result<OrderFacts, Failure> {
        self.finalize_with(account, id, Some(csr.to_vec()), Map::new()).await
    }

    /// Issues from the CSR that came with the order, and was not sent again.
    pub async fn finalize_as_ordered(&self, account: &Arc<Account>, id: OrderId) -> Result<OrderFacts, Failure> {
        self.finalize_with(account, id, None, Map::new()).await
    }

    /// Issues from this CSR, or from the one that came with the order; `members` is what stands beside it.
    pub async fn finalize_with(
        &self,
        account: &Arc<Account>,
        id: OrderId,
        csr: Option<Vec<u8>>,
        members: Map<String, Value>,
    ) -> Result<OrderFacts, Failure> {
        let (authority, account) = (self.clone(), Arc::clone(account));
        self.detached(async move {
            authority
                .finalize_to_the_end(account, id, csr.as_deref(), &members)
                .await
        })
        .await
    }

    async fn finalize_to_the_end(
        &self,
        mut account: Arc<Account>,
        id: OrderId,
        sent: Option<&[u8]>,
        members: &Map<String, Value>,
    ) -> Result<OrderFacts, Failure> {
        loop {
            let facts = self.order(&account, id).await?;
            let csr = sent.or(facts.order.csr.as_deref());
            let csr = csr.ok_or_else(|| Refusal::Malformed("the member \"csr\" is missing".into()))?;
            let Some(ready) = admit(facts.clone(), csr, self.now())? else {
                return Ok(facts);
            };
            let (csr, names) = self.admit_csr(csr, &facts.order.identifiers).await?;
            let checks = self.last_look(&ready, &names, &csr, members).await?;
            let record = self.plan(&ready, &names, &csr, checks)?;
            let errand = self.errand_of_plan(&record).await?;
            let change = Change::Plan {
                account: (account.id, account.version),
                order: (facts.order.id, facts.order.version),
                authorizations: facts.authorizations.iter().map(|a| (a.id, a.version)).collect(),
                certificate: record.clone(),
            };
            match self.store.commit(change.and(errand)).await? {
                // The gate read the account before: what became of it since counts here too.
                Committed::Conflict => account = self.active_account(account.id).await?,
                Committed::Done => {
                    self.changes.changed(Subject::Order(id));
                    self.count_certificate(&facts.order).await;
                    self.sign_and_complete(Arc::new(record)).await;
                    return self.order(&account, id).await;
                }
            }
        }
    }

    /// What is planned is counted, once; whoever was let in to order is let through.
    async fn count_certificate(&self, order: &Order) {
        let values: Vec<_> = order
            .identifiers
            .iter()
            .map(|identifier| identifier.value.clone())
            .collect();
        let is_renewal = order.members.contains_key(REPLACES);
        if let Err(Failure::Unavailable(why)) = self.limit_certificates(&values, is_renewal, true).await {
            tracing::warn!(order = %order.id, %why, "a certificate was not counted");
        }
    }

    /// Every name is asked about at every issuance, however old its authorization is (RFC 8659 §3).
    async fn last_look(
        &self,
        ready: &ReadyOrder,
        names: &[(Name, GeneralName)],
        csr: &CertificateRequest,
        members: &Map<String, Value>,
    ) -> Result<Vec<Evidence>, Failure> {
        let order = &ready.facts.order;
        let mut proven = Vec::with_capacity(names.len());
        for (at, (name, _)) in names.iter().enumerate() {
            let basis = self.registry.basis(name, at, &ready.facts.authorizations);
            let basis = basis.ok_or_else(|| {
                Refusal::OrderNotReady(format!(
                    "no authorization of the order counts for {} any more; place a new order",
                    name.identifier()
                ))
            })?;
            let (method, validated) = basis
                .proof()
                .ok_or_else(|| Failure::Unavailable(format!("order {}: a name has no proof", order.id)))?;
            proven.push(Proven {
                name,
                method,
                validated,
            });
        }
        let request = PreIssuance {
            account: order.account,
            profile: &order.profile,
            names: &proven,
            spki_der: csr.public_key().spki_der(),
            members,
            now: self.now(),
        };
        let mut seen = Vec::new();
        for check in self.registry.checks() {
            seen.extend(check.check(&request).await.map_err(Refusal::PreIssuance)?);
        }
        Ok(seen)
    }

    /// The bytes that would be signed now. Nothing is stored.
    pub(super) fn prepare(
        &self,
        order: &Order,
        names: &[(Name, GeneralName)],
        csr: &CertificateRequest,
    ) -> Result<Planned, Failure> {
        let mut serial_randomness = [0; 19];
        self.runtime.random(&mut serial_randomness);
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
            now: self.now(),
        };
        self.issuance.prepare(&request).map_err(|failure| match failure {
            IssuanceFailure::Refused(why) => Failure::Refused(Refusal::BadCsr(why)),
            IssuanceFailure::Unavailable(why) => Failure::Unavailable(why),
        })
    }

    fn plan(
        &self,
        ready: &ReadyOrder,
        names: &[(Name, GeneralName)],
        csr: &CertificateRequest,
        checks: Vec<Evidence>,
    ) -> Result<CertificateRecord, Failure> {
        let mut salt = [0; 16];
        self.runtime.random(&mut salt);
        let now = self.now();
        let order = &ready.facts.order;
        let planned = self.prepare(order, names, csr)?;
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
        OrderStatus::Ready => match &facts.order.csr {
            Some(first) if sha256(first) != sha256(csr) => Err(Refusal::BadCsr(
                "the CSR is not the one that the order came with; send that one, or \"{}\"".into(),
            )),
            _ => Ok(Some(ReadyOrder { facts })),
        },
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

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref());
    out
}
