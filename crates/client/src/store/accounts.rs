//! Account keys, one folder for each server.

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use jose::{Algorithm, SigningKey};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, atomic, read_if_there};

/// What is remembered of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    pub schema: u32,
    /// The directory's URL.
    pub server: String,
    /// The account's URL.
    pub account: String,
    #[serde(default)]
    pub contacts: Vec<String>,
    /// The terms that a person agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
}

/// The account at one server.
#[derive(Clone, Debug)]
pub struct AccountFolder {
    folder: PathBuf,
    name: String,
}

impl Store {
    /// Named after the host for people, and after a hash since one host may have several directories.
    pub fn account(&self, server: &str) -> AccountFolder {
        let host = server
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split(['/', '?', '#']).next())
            .unwrap_or("server");
        let host: String = host
            .chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() || ".-".contains(character) {
                    character
                } else {
                    '_'
                }
            })
            .take(100)
            .collect();
        let hash = pkix::hex::encode(&digest(&SHA256, server.as_bytes()).as_ref()[..4]);
        let name = format!("{}-{hash}", host.trim_start_matches(['.', '-']));
        AccountFolder {
            folder: self.root().join("accounts").join(&name),
            name,
        }
    }
}

impl AccountFolder {
    /// What its lock is called.
    pub fn lock_name(&self) -> String {
        format!("account-{}", self.name)
    }

    pub fn key(&self) -> Result<Option<Arc<SigningKey>>, StoreError> {
        self.read_key(KEY)
    }

    /// A new key, on disk before anybody hears of it.
    pub fn make_key(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, StoreError> {
        self.make_key_at(KEY, algorithm)
    }

    /// The key of a rollover that was begun; either of the two may be the one that the server knows.
    pub fn next_key(&self) -> Result<Option<Arc<SigningKey>>, StoreError> {
        self.read_key(NEXT_KEY)
    }

    /// A fresh key for a rollover, on disk before it is sent (8555-7.3.5-9).
    pub fn make_next_key(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, StoreError> {
        self.make_key_at(NEXT_KEY, algorithm)
    }

    /// The server has said 200, or knows the new key: the old one is no more.
    pub fn adopt_next_key(&self) -> Result<(), StoreError> {
        atomic::rename(&self.folder.join(NEXT_KEY), &self.folder.join(KEY))
    }

    /// The server does not know the new key.
    pub fn drop_next_key(&self) -> Result<(), StoreError> {
        atomic::remove(&self.folder.join(NEXT_KEY))
    }

    pub fn record(&self) -> Result<Option<AccountRecord>, StoreError> {
        let path = self.folder.join(RECORD);
        let content = read_if_there(&path)?;
        content
            .map(|content| serde_json::from_slice(&content).map_err(|error| StoreError::damaged(&path, error)))
            .transpose()
    }

    pub fn save(&self, record: &AccountRecord) -> Result<(), StoreError> {
        let path = self.folder.join(RECORD);
        let content = serde_json::to_vec_pretty(record).map_err(|error| StoreError::damaged(&path, error))?;
        atomic::private_folder(&self.folder)?;
        atomic::replace(&path, &content, atomic::PRIVATE)
    }

    /// The account is gone for good; its key is kept aside, since it may still revoke certificates elsewhere.
    pub fn retire(&self) -> Result<(), StoreError> {
        atomic::remove(&self.folder.join(RECORD))?;
        atomic::rename(&self.folder.join(KEY), &self.folder.join("deactivated-key.pem"))
    }

    fn read_key(&self, file: &str) -> Result<Option<Arc<SigningKey>>, StoreError> {
        let path = self.folder.join(file);
        let Some(content) = read_if_there(&path)? else {
            return Ok(None);
        };
        let content = zeroize::Zeroizing::new(content);
        let pem = std::str::from_utf8(&content).map_err(|error| StoreError::damaged(&path, error))?;
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| StoreError::damaged(&path, error))?;
        Ok(Some(Arc::new(key)))
    }

    fn make_key_at(&self, file: &str, algorithm: Algorithm) -> Result<Arc<SigningKey>, StoreError> {
        let path = self.folder.join(file);
        let key = SigningKey::generate(algorithm).map_err(|error| StoreError::damaged(&path, error))?;
        atomic::private_folder(&self.folder)?;
        atomic::replace(&path, key.to_pkcs8_pem().as_bytes(), atomic::PRIVATE)?;
        Ok(Arc::new(key))
    }
}

const KEY: &str = "key.pem";
const NEXT_KEY: &str = "next-key.pem";
const RECORD: &str = "account.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn two_directories_of_one_host_have_two_accounts() {
        let (_folder, store) = store();
        let name = |server: &str| store.account(server).name;
        assert!(name("https://localhost:14000/dir").starts_with("localhost_14000-"));
        assert_ne!(name("https://ca.test/a"), name("https://ca.test/b"));
        for server in ["https://../../x", "x", "https://[::1]/d", ""] {
            assert!(
                !name(server).contains('/') && !name(server).starts_with('.'),
                "{server}"
            );
        }
    }

    // 8555-7.3.5-9
    #[test]
    fn a_rollover_keeps_the_old_key_until_the_new_one_is_adopted() {
        let (_folder, store) = store();
        let account = store.account("https://ca.test/dir");
        let old = account.make_key(Algorithm::Es256).unwrap();
        let new = account.make_next_key(Algorithm::EdDsa).unwrap();
        assert_eq!(account.key().unwrap().unwrap().jwk(), old.jwk());
        assert_eq!(account.next_key().unwrap().unwrap().jwk(), new.jwk());
        account.adopt_next_key().unwrap();
        assert_eq!(account.key().unwrap().unwrap().jwk(), new.jwk());
        assert!(account.next_key().unwrap().is_none());
    }
}
