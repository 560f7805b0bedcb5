//! Agreeing to terms that have changed (RFC 8555 §7.3.3).

use std::sync::Arc;

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, AccountId},
};

impl Authority {
    /// RFC 8555 §7.3.3: what an account that agreed to other terms may not do until it agrees to those of now.
    pub(super) fn require_agreement(&self, account: &Account) -> Result<(), Refusal> {
        match &self.policy.terms_of_service {
            Some(terms) if self.policy.agree_again && account.agreed_terms.as_ref() != Some(terms) => {
                Err(Refusal::TermsChanged {
                    terms: terms.clone(),
                    account: account.id,
                })
            }
            _ => Ok(()),
        }
    }

    /// A person has agreed, on the page that the account was sent to.
    pub async fn agree_to_terms(&self, id: AccountId) -> Result<Arc<Account>, Failure> {
        loop {
            let account = self.active_account(id).await?;
            if account.agreed_terms == self.policy.terms_of_service {
                return Ok(account);
            }
            let changed = Account {
                agreed_terms: self.policy.terms_of_service.clone(),
                ..(*account).clone()
            };
            if let Some(changed) = self.commit_account(changed).await? {
                return Ok(changed);
            }
        }
    }
}
