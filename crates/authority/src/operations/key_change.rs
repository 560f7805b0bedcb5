//! keyChange (RFC 8555 §7.3.5).

use std::sync::Arc;

use jose::Jwk;

use super::Authority;
use crate::{Failure, Refusal, model::Account};

impl Authority {
    /// Gives an account another key, of which the caller has seen a signature. Challenges that were answered before
    /// keep the key authorization they were answered with.
    pub async fn change_key(&self, account: Arc<Account>, new: Jwk) -> Result<Arc<Account>, Failure> {
        let old = account.key.thumbprint();
        let key_sha256 = self.admit_key(&new).await?;
        let mut account = account;
        loop {
            if let Some(holder) = self.store.account_by_key(&account.directory, new.thumbprint()).await? {
                return Err(Refusal::KeyInUse(holder.id).into());
            }
            if account.key.thumbprint() != old {
                let detail = "the account's key was changed by another request; sign with the key it has now";
                return Err(Refusal::Unauthorized(detail.into()).into());
            }
            let changed = Account {
                key: new.clone(),
                ..(*account).clone()
            };
            match self.commit_account(changed).await? {
                Some(changed) => {
                    self.require_still_unblocked(&changed, &key_sha256).await?;
                    return Ok(changed);
                }
                None => account = self.active_account(account.id).await?,
            }
        }
    }
}
