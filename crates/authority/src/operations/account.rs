//! Reading, updating and deactivating an account (RFC 8555 §7.3.2, §7.3.6).

use std::sync::Arc;

use acme::AccountUpdate;

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, AccountId, AccountState},
    ports::{Change, Committed},
};

impl Authority {
    /// The account behind a key id, in whatever state: whoever signs with its key learns the state, nobody else.
    pub async fn account(&self, id: AccountId) -> Result<Arc<Account>, Failure> {
        match self.store.account(id).await? {
            Some(account) if account.directory == self.policy.directory => Ok(account),
            _ => Err(Refusal::AccountDoesNotExist.into()),
        }
    }

    pub(super) async fn active_account(&self, id: AccountId) -> Result<Arc<Account>, Failure> {
        let account = self.account(id).await?;
        account.require_active()?;
        Ok(account)
    }

    /// Applies an update; members that cannot be updated are ignored (RFC 8555 §7.3.2).
    pub async fn update_account(
        &self,
        mut account: Arc<Account>,
        update: AccountUpdate,
    ) -> Result<Arc<Account>, Failure> {
        loop {
            let Some(changed) = decide(&account, &update)? else {
                return Ok(account);
            };
            match self.commit_account(changed).await? {
                Some(changed) => return Ok(changed),
                None => account = self.active_account(account.id).await?,
            }
        }
    }

    /// The account as it is then; `None` when it has changed since it was read, or when a new key is somebody else's.
    pub(super) async fn commit_account(&self, changed: Account) -> Result<Option<Arc<Account>>, Failure> {
        let committed = self.store.commit(Change::UpdateAccount(changed.clone())).await?;
        Ok((committed == Committed::Done).then(|| {
            Arc::new(Account {
                version: changed.version + 1,
                ..changed
            })
        }))
    }
}

/// The account as it should be, `None` when nothing changes.
fn decide(account: &Account, update: &AccountUpdate) -> Result<Option<Account>, Refusal> {
    if update.status.as_deref() == Some("deactivated") {
        return Ok(Some(Account {
            state: AccountState::Deactivated,
            ..account.clone()
        }));
    }
    match &update.contact {
        Some(contact) if *contact != account.contact => Ok(Some(Account {
            contact: check_contacts(contact)?,
            ..account.clone()
        })),
        _ => Ok(None),
    }
}

/// RFC 8555 §7.3: `mailto` of one address without header fields (RFC 6068) is what can be written to.
pub(super) fn check_contacts(contacts: &[String]) -> Result<Vec<String>, Refusal> {
    if contacts.len() > MAX_CONTACTS {
        let seen = contacts.len();
        return Err(Refusal::InvalidContact(format!(
            "{seen} contacts were sent; {MAX_CONTACTS} is the most"
        )));
    }
    contacts
        .iter()
        .map(|contact| check_contact(contact).map(|()| contact.clone()))
        .collect()
}

fn check_contact(contact: &str) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::InvalidContact(format!("a contact {why}")));
    let Some((scheme, address)) = contact.split_once(':') else {
        return invalid("is not a URL; send for example \"mailto:admin@example.org\"");
    };
    // RFC 3986 §3.1: what is no scheme may be an address, and is not repeated.
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return invalid("is not a URL; send for example \"mailto:admin@example.org\"");
    }
    if !scheme.eq_ignore_ascii_case("mailto") {
        // The address stays out of the text: contacts are nobody's business but the operator's.
        return Err(Refusal::UnsupportedContact(format!(
            "contacts of scheme {scheme:?} are not supported; mailto is"
        )));
    }
    if contact.len() > MAX_CONTACT {
        return invalid("is longer than a mail address can be");
    }
    if address.contains('?') {
        return invalid("has header fields (\"?…\"); send the address alone");
    }
    if address.contains([',', '%']) {
        return invalid("names more than one address or is percent-encoded; send one plain address in each contact");
    }
    match address.rsplit_once('@') {
        Some((local, domain))
            if !local.is_empty()
                && !local.contains('@')
                && !domain.is_empty()
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && address.chars().all(|c| c.is_ascii_graphic()) =>
        {
            Ok(())
        }
        _ => invalid("is not a mail address of the form local@domain"),
    }
}

/// A person and a deputy or two; the RFC sets no number.
const MAX_CONTACTS: usize = 10;
/// RFC 5321 §4.5.3.1: 64 + 1 + 255 octets, and the scheme.
const MAX_CONTACT: usize = 327;

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-7.3-7, 8555-7.3-8
    #[test]
    fn contacts_are_single_plain_mail_addresses() {
        for good in ["mailto:a@example.org", "MAILTO:first.last@example.org"] {
            assert_eq!(check_contact(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a@example.org",
            "mailto:",
            "mailto:a",
            "mailto:@b",
            "mailto:a@",
            "mailto:a@b,c@d",
            "mailto:a@b?cc=c@d",
        ] {
            assert!(matches!(check_contact(bad), Err(Refusal::InvalidContact(_))), "{bad}");
        }
        assert!(matches!(
            check_contact("tel:+1555"),
            Err(Refusal::UnsupportedContact(_))
        ));
    }
}
