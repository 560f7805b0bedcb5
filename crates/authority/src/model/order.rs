//! Orders (RFC 8555 §7.1.3) and the one place that knows their status.

use std::sync::Arc;

use acme::{AuthorizationStatus, Identifier, OrderStatus, Problem, ProblemType};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{AccountId, Authorization, AuthorizationId, CertificateRecord, CertificateState, OrderId};

/// What was asked for. Identifiers and authorizations never change after creation. There may be fewer authorizations:
/// one that counts for several names is there once.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: OrderId,
    pub account: AccountId,
    pub identifiers: Vec<Identifier>,
    pub authorizations: Vec<AuthorizationId>,
    pub profile: String,
    /// As asked for (RFC 8555 §7.4), to whole seconds.
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// Members that extensions took from the request and that the order shows.
    pub members: Map<String, Value>,
    /// A CSR that came with the order, DER: finalize is bound to it.
    pub csr: Option<Vec<u8>>,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// Set when issuance failed after it began.
    pub failure: Option<Problem>,
    pub version: u32,
}

/// An order with everything its status is computed from.
#[derive(Clone, Debug)]
pub struct OrderFacts {
    pub order: Arc<Order>,
    /// In the order's own sequence, which need not be that of the identifiers.
    pub authorizations: Vec<Arc<Authorization>>,
    pub certificate: Option<Arc<CertificateRecord>>,
}

impl OrderFacts {
    /// RFC 8555 §7.1.6: derived, never written.
    pub fn status(&self, now: Timestamp) -> OrderStatus {
        if self.order.failure.is_some() {
            return OrderStatus::Invalid;
        }
        match self.certificate.as_ref().map(|certificate| &certificate.state) {
            Some(CertificateState::Issued { .. }) => return OrderStatus::Valid,
            Some(CertificateState::Planned { .. }) => return OrderStatus::Processing,
            Some(CertificateState::Abandoned) => return OrderStatus::Invalid,
            None => {}
        }
        if self.order.expires <= now || self.broken_authorization(now).is_some() {
            return OrderStatus::Invalid;
        }
        let ready = self
            .authorizations
            .iter()
            .all(|authorization| authorization.status(now) == AuthorizationStatus::Valid);
        if ready {
            OrderStatus::Ready
        } else {
            OrderStatus::Pending
        }
    }

    /// Why the order is invalid, `None` when it is not.
    pub fn error(&self, now: Timestamp) -> Option<Problem> {
        if self.status(now) != OrderStatus::Invalid {
            return None;
        }
        if let Some(failure) = &self.order.failure {
            return Some(failure.clone());
        }
        if let Some(authorization) = self.broken_authorization(now) {
            return Some(match &authorization.state {
                super::AuthorizationState::Invalid { problem, .. } => problem.clone(),
                _ => {
                    let status = authorization.status(now);
                    let detail = format!("the authorization for {} is {status:?}", authorization.identifier);
                    Problem::new(ProblemType::Unauthorized, detail.to_lowercase())
                }
            });
        }
        Some(Problem::new(
            ProblemType::Malformed,
            format!("the order expired at {}", self.order.expires),
        ))
    }

    fn broken_authorization(&self, now: Timestamp) -> Option<&Authorization> {
        self.authorizations.iter().map(Arc::as_ref).find(|authorization| {
            !matches!(
                authorization.status(now),
                AuthorizationStatus::Valid | AuthorizationStatus::Pending
            )
        })
    }
}
