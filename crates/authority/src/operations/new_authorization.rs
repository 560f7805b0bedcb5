//! newAuthz: an authorization before there is an order (RFC 8555 §7.4.1).

use std::sync::Arc;

use acme::{ProblemType, RequestedIdentifier};

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, Authorization, AuthorizationId},
    ports::{Change, Committed, IdKind},
};

impl Authority {
    /// One that can be answered, or one that is valid already and counts for new orders.
    pub async fn new_authorization(
        &self,
        account: &Arc<Account>,
        requested: &RequestedIdentifier,
    ) -> Result<Arc<Authorization>, Failure> {
        self.require_agreement(account)?;
        let refused = |problem| Refusal::Identifiers(vec![problem]);
        let identifier = &requested.identifier;
        let name = self.registry.admit_provable(identifier).map_err(refused)?;
        if name.is_wildcard() {
            let detail = "a wildcard cannot be authorized ahead of its order; name the domain itself, or order it";
            let problem = acme::Problem::new(ProblemType::Malformed, detail).about(identifier.clone());
            return Err(refused(problem).into());
        }
        let wider = self.registry.wider_ahead(&name, requested).map_err(refused)?;
        // What is proved ahead is for orders that name no profile.
        let profile = &self.policy.default_profile;
        let to_prove = wider.as_ref().map_or(&name, |wider| &wider.name);
        self.require_methods(profile, std::iter::once(to_prove))?;
        if let Some(valid) = self.reusable_ahead(account, &name, wider.as_ref(), profile).await? {
            return Ok(valid);
        }
        loop {
            let id = AuthorizationId(self.store.reserve(IdKind::Authorization, 1).await?.start);
            let offered = match &wider {
                Some(wider) => self.offer_wider(account, wider, profile, id),
                None => self.offer(account, &name, profile, id),
            };
            let codes = self.codes_for(std::slice::from_ref(&offered));
            let sends = !codes.is_empty();
            if sends {
                self.count_codes(std::slice::from_ref(&offered)).await?;
            }
            let change = Change::CreateAuthorization(offered.clone()).and(codes);
            if self.store.commit(change).await? == Committed::Done {
                if sends {
                    self.send_codes_soon();
                }
                return Ok(Arc::new(offered));
            }
        }
    }
}
