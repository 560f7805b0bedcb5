//! newAccount (RFC 8555 §7.3).

use std::{net::IpAddr, sync::Arc};

use acme::NewAccount;
use jose::Jwk;

use super::{Authority, Policy, account::check_contacts};
use crate::{
    Failure, Refusal,
    model::{Account, AccountId, AccountState},
    ports::{Change, Committed, IdKind},
};

impl Authority {
    /// The account of a key, and whether it was made just now. An external binding is bound to the URL that the request went
    /// to.
    pub async fn new_account(
        &self,
        key: Jwk,
        arrival: impl Into<Arrival<'_>>,
        request: NewAccount,
    ) -> Result<(Arc<Account>, bool), Failure> {
        let arrival = arrival.into();
        let mut counted = false;
        loop {
            let directory = &self.policy.directory;
            let existing = self.store.account_by_key(directory, key.thumbprint()).await?;
            if let Some(existing) = admit_existing(existing)? {
                return Ok((existing, false));
            }
            if request.only_return_existing {
                return Err(Refusal::AccountDoesNotExist.into());
            }
            let key_sha256 = self.admit_key(&key).await?;
            let contact = admit_new(&request, &self.policy)?;
            let id = AccountId(self.store.reserve(IdKind::Account, 1).await?.start);
            let sent = request.external_account_binding.as_ref();
            let binding = self.bind(id, &key, arrival.url, sent).await?;
            if !counted {
                self.limit_new_account(arrival.from).await?;
                counted = true;
            }
            let (external_binding, used) = binding.map(|binding| (binding.jws, binding.used)).unzip();
            let account = Account {
                id,
                key: key.clone(),
                directory: directory.clone(),
                contact,
                agreed_terms: (request.terms_of_service_agreed == Some(true))
                    .then(|| self.policy.terms_of_service.clone().unwrap_or_default()),
                external_binding,
                state: AccountState::Active,
                created: self.now(),
                version: 0,
            };
            let change = Change::CreateAccount(account.clone()).and(used.unwrap_or_default());
            match self.store.commit(change).await? {
                Committed::Done => {}
                Committed::Conflict => continue,
            }
            let account = Arc::new(account);
            self.require_still_unblocked(&account, &key_sha256).await?;
            return Ok((account, true));
        }
    }
}

/// Where a request went, and where it came from if that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub url: &'a str,
    pub from: Option<IpAddr>,
}

impl<'a> From<&'a str> for Arrival<'a> {
    fn from(url: &'a str) -> Self {
        Self { url, from: None }
    }
}

/// A key has one account for ever: an inactive one is neither handed out nor replaced (RFC 8555 §11.1).
fn admit_existing(existing: Option<Arc<Account>>) -> Result<Option<Arc<Account>>, Refusal> {
    match existing {
        Some(account) if account.state != AccountState::Active => Err(Refusal::AccountInactive),
        other => Ok(other),
    }
}

/// The contacts.
fn admit_new(request: &NewAccount, policy: &Policy) -> Result<Vec<String>, Refusal> {
    if let Some(terms) = &policy.terms_of_service
        && request.terms_of_service_agreed != Some(true)
    {
        return Err(Refusal::TermsOfService(terms.clone()));
    }
    check_contacts(request.contact.as_deref().unwrap_or_default())
}
