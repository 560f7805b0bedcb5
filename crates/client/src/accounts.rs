//! The account at a server: the one that is on disk, or a new one.

use std::sync::Arc;

use acme::ProblemType;
use jose::SigningKey;

use crate::{
    account::{Account, Registration},
    contact::Contact,
    csr::KeyType,
    directory::Directory,
    error::Error,
    progress::{Event, Progress},
    store::{AccountFolder, AccountRecord, Store},
};

/// The account on disk, registered if there is none. Called under the account's lock.
pub(crate) async fn ensure(
    store: &Store,
    directory: &Directory,
    key_type: KeyType,
    registration: &Registration,
    progress: &Progress,
) -> Result<Account, Error> {
    let folder = store.account(directory.url());
    let key = match settle_rollover(&folder, directory).await? {
        Some(key) => key,
        None => folder.make_key(key_type.account_algorithm())?,
    };
    let Some(record) = folder.record()? else {
        return register(&folder, directory, key, registration, progress).await;
    };
    let account = Account::bind(directory, key, &record.account);
    let contacts: Vec<String> = registration.contacts.iter().map(Contact::to_string).collect();
    if !contacts.is_empty() && contacts != record.contacts {
        account.update(&registration.contacts).await?;
        folder.save(&AccountRecord { contacts, ..record })?;
    }
    Ok(account)
}

/// The account on disk. The server is asked only if a crash has left it unclear.
pub(crate) async fn existing(store: &Store, directory: &Directory) -> Result<Option<Account>, Error> {
    let folder = store.account(directory.url());
    let Some(key) = settle_rollover(&folder, directory).await? else {
        return Ok(None);
    };
    match folder.record()? {
        Some(record) => Ok(Some(Account::bind(directory, key, record.account))),
        None => Account::find(directory, key).await,
    }
}

/// The server has forgotten the account (a test server started anew): the same key, and the same decision about terms
/// that were agreed to and are still the same.
pub(crate) async fn register_again(
    store: &Store,
    directory: &Directory,
    key: Arc<SigningKey>,
    registration: &Registration,
    progress: &Progress,
) -> Result<Account, Error> {
    let folder = store.account(directory.url());
    let mut registration = registration.clone();
    if let Some(record) = folder.record()? {
        let terms = directory.resources().await?.meta.terms_of_service;
        registration.terms_of_service_agreed |= terms.is_some() && terms == record.terms_of_service;
        if registration.contacts.is_empty() {
            registration.contacts = record
                .contacts
                .iter()
                .filter_map(|contact| contact.parse().ok())
                .collect();
        }
    }
    register(&folder, directory, key, &registration, progress).await
}

async fn register(
    folder: &AccountFolder,
    directory: &Directory,
    key: Arc<SigningKey>,
    registration: &Registration,
    progress: &Progress,
) -> Result<Account, Error> {
    let account = Account::create(directory, key, registration).await?;
    let terms = directory.resources().await?.meta.terms_of_service;
    folder.save(&AccountRecord {
        schema: 1,
        server: directory.url().to_owned(),
        account: account.url().to_owned(),
        contacts: registration.contacts.iter().map(Contact::to_string).collect(),
        terms_of_service: terms.filter(|_| registration.terms_of_service_agreed),
    })?;
    progress(&Event::AccountRegistered {
        url: account.url().to_owned(),
    });
    Ok(account)
}

/// Replaces the account's key by a fresh one (RFC 8555 §7.3.5): on disk before it is sent, the old one kept until 200.
pub(crate) async fn change_key(store: &Store, account: &Account, key_type: KeyType) -> Result<Account, Error> {
    let folder = store.account(account.directory().url());
    let new = folder.make_next_key(key_type.account_algorithm())?;
    match account.change_key(new).await {
        Ok(changed) => {
            folder.adopt_next_key()?;
            Ok(changed)
        }
        Err(error) => {
            // A clear no leaves the old key in use; anything else is settled when the server answers again.
            if matches!(&error, Error::Refused(refusal) if refusal.status < 500 || refusal.status == 501) {
                folder.drop_next_key()?;
            }
            Err(error)
        }
    }
}

/// The key to use. If a rollover was cut off, the server is asked which of the two it knows (8555-7.3.5-9).
async fn settle_rollover(folder: &AccountFolder, directory: &Directory) -> Result<Option<Arc<SigningKey>>, Error> {
    let Some(next) = folder.next_key()? else {
        return Ok(folder.key()?);
    };
    match Account::find(directory, Arc::clone(&next)).await {
        Ok(Some(_)) => {
            folder.adopt_next_key()?;
            Ok(Some(next))
        }
        Ok(None) => {
            folder.drop_next_key()?;
            Ok(folder.key()?)
        }
        // Keys that were never registered are answered in more than one way.
        Err(error) if error.is(&ProblemType::Unauthorized) || error.is(&ProblemType::Malformed) => {
            folder.drop_next_key()?;
            Ok(folder.key()?)
        }
        Err(error) => Err(error),
    }
}
