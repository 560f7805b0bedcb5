//! keyChange (RFC 8555 §7.3.5).

use std::sync::Arc;

use jose::Jwk;

use super::{Authority, new_account::admit_key};
use crate::{
    Failure, Refusal,
    model::Account,
    ports::{Change, Committed},
};

impl Authority {
    /// Gives an account another key, of which the caller has seen a signature. Challenges that were answered before
    /// keep the key authorization they were answered with.
    pub async fn change_key(&self, account: Arc<Account>, new: Jwk) -> Result<Arc<Account>, Failure> {
        let old = account.key.thumbprint();
        self.admit_key(&new).await?;
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
            match self.store.commit(Change::UpdateAccount(changed.clone())).await? {
                Committed::Done => {
                    return Ok(Arc::new(Account {
                        version: changed.version + 1,
                        ..changed
                    }));
                }
                Committed::Conflict => account = self.active_account(account.id).await?,
            }
        }
    }

    async fn admit_key(&self, key: &Jwk) -> Result<(), Failure> {
        Ok(admit_key(key, &self.policy)?)
    }
}
