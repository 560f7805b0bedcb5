//! Reading and deactivating an authorization (RFC 8555 §7.5, §7.5.2).

use std::sync::Arc;

use acme::AuthorizationStatus;
use serde_json::{Map, Value};

use super::{Authority, validate::as_ordered};
use crate::{
    Failure, Refusal,
    model::{Account, Authorization, AuthorizationId, AuthorizationState, Challenge},
};

impl Authority {
    pub async fn authorization(&self, account: &Account, id: AuthorizationId) -> Result<Arc<Authorization>, Failure> {
        match self.store.authorization(id).await? {
            Some(authorization) if authorization.account == account.id => Ok(authorization),
            _ => Err(Refusal::NotFound.into()),
        }
    }

    /// The challenge object's `token`, where it shows one, and what its method adds.
    pub fn challenge_members(
        &self,
        authorization: &Authorization,
        challenge: &Challenge,
    ) -> (Option<String>, Map<String, Value>) {
        let token = (!challenge.token.is_empty()).then(|| challenge.token.clone());
        let Some(method) = self.registry.method(&challenge.method) else {
            return (token, Map::new());
        };
        let name = self.registry.admit(&as_ordered(authorization)).ok();
        let mut members = name
            .map(|name| method.members(&name, &challenge.token))
            .unwrap_or_default();
        match token.as_deref().and_then(|token| method.instead_of_token(token)) {
            Some((member, value)) => {
                members.insert(member.to_owned(), value);
                (None, members)
            }
            None => (token, members),
        }
    }

    /// Gives the right up. What is already final stays as it is.
    pub async fn deactivate_authorization(
        &self,
        account: &Account,
        id: AuthorizationId,
    ) -> Result<Arc<Authorization>, Failure> {
        loop {
            let authorization = self.authorization(account, id).await?;
            if !can_be_deactivated(authorization.status(self.now())) {
                return Ok(authorization);
            }
            let given_up = AuthorizationState::Deactivated {
                evidence: authorization.evidence().to_vec(),
            };
            if let Some(changed) = self.change_authorization(&authorization, given_up).await? {
                return Ok(changed);
            }
        }
    }
}

/// RFC 8555 §7.1.6: every other status is final.
fn can_be_deactivated(status: AuthorizationStatus) -> bool {
    matches!(status, AuthorizationStatus::Pending | AuthorizationStatus::Valid)
}
