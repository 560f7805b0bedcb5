//! External accounts: keys that the operator hands out, and binding an account to one (RFC 8555 §7.3.4).

use jiff::Timestamp;
use jose::{Jwk, MacJws};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{AccountId, Record, RecordChange},
    ports::{Change, Committed},
};

/// Whether accounts are bound to keys that the operator handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalAccounts {
    /// A binding that is sent is neither looked at nor shown.
    #[default]
    Off,
    /// One that is sent must be right.
    Optional,
    Required,
}

/// A MAC key that the operator handed out.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExternalKey {
    /// base64url of the octets.
    pub mac_key: String,
    /// What the operator wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How many accounts it may bind; `None` for any number.
    pub uses: Option<u32>,
    /// Those it has bound, unless any number is allowed.
    #[serde(default)]
    pub accounts: Vec<u64>,
    #[serde(default)]
    pub revoked: bool,
}

/// INCIDENTS T43: the key stays out of logs.
impl std::fmt::Debug for ExternalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalKey")
            .field("label", &self.label)
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}

/// A binding that was verified.
pub(super) struct Binding {
    /// As it was sent.
    pub jws: Value,
    /// Uses the key up, in the commit that makes the account.
    pub used: Vec<RecordChange>,
}

impl Authority {
    /// Checks the binding of a new account. `new_account` is the URL the request went to.
    pub(super) async fn bind(
        &self,
        account: AccountId,
        key: &Jwk,
        new_account: &str,
        sent: Option<&Value>,
    ) -> Result<Option<Binding>, Failure> {
        let sent = match (self.policy.external_accounts, sent) {
            (ExternalAccounts::Off, _) | (ExternalAccounts::Optional, None) => return Ok(None),
            (ExternalAccounts::Required, None) => return Err(Refusal::ExternalAccountRequired.into()),
            (_, Some(sent)) => sent,
        };
        let malformed = |why: String| Refusal::Malformed(format!("\"externalAccountBinding\": {why}"));
        let text = sent.to_string();
        let jws = MacJws::parse(text.as_bytes()).map_err(|error| malformed(error.to_string()))?;
        if jws.url != new_account {
            let seen: String = jws.url.chars().take(200).collect();
            return Err(malformed(format!("its \"url\" is {seen:?}, the request went to {new_account:?}")).into());
        }
        let refused = |why: &str| Refusal::Unauthorized(format!("\"externalAccountBinding\": {why}"));
        let unknown = "no key of this \"kid\" can bind an account here; ask the operator for one";
        if jws.kid.is_empty() || jws.kid.len() > LONGEST_KID {
            return Err(refused(unknown).into());
        }
        let record = self.store.record(KIND, &self.record_key(&jws.kid)).await?;
        let record = record.ok_or_else(|| refused(unknown))?;
        let mut external: ExternalKey = record.read()?;
        let octets = jose::base64url::decode(&external.mac_key)
            .map_err(|error| Failure::Unavailable(format!("the key of external account {:?}: {error}", record.key)))?;
        // Before anything else is told about the key: only who has it learns more.
        let payload = jws.verify(&octets).map_err(|_| {
            refused("the MAC is not that of the key; is the key decoded from base64url before it is used?")
        })?;
        let bound = std::str::from_utf8(payload).ok().and_then(|json| Jwk::parse(json).ok());
        if bound.is_none_or(|bound| bound.thumbprint() != key.thumbprint()) {
            return Err(malformed("its payload is not the key that signs the request".into()).into());
        }
        if external.revoked {
            return Err(refused("the key was revoked; ask the operator for another").into());
        }
        if external.expires.is_some_and(|expires| expires <= self.now()) {
            return Err(refused("the key has expired; ask the operator for another").into());
        }
        let used = match external.uses {
            None => Vec::new(),
            Some(uses) if external.accounts.len() < uses as usize => {
                external.accounts.push(account.0);
                vec![RecordChange::Update(record.with(&external))]
            }
            Some(_) => return Err(refused("the key was used already; ask the operator for another").into()),
        };
        Ok(Some(Binding {
            jws: sent.clone(),
            used,
        }))
    }

    /// Makes a key. Refuses a `kid` that is taken.
    pub async fn add_external_key(&self, kid: &str, key: &ExternalKey) -> Result<(), Failure> {
        if kid.is_empty() || kid.len() > LONGEST_KID || !kid.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = format!("{kid:?} is no key id: 1 to {LONGEST_KID} printable ASCII characters without spaces");
            return Err(Refusal::Malformed(why).into());
        }
        let create = RecordChange::Create(Record::new(KIND, self.record_key(kid), key));
        let change = Change::records(vec![create]);
        match self.store.commit(change).await? {
            Committed::Done => Ok(()),
            Committed::Conflict => Err(Refusal::Malformed(format!("there is a key {kid:?} already")).into()),
        }
    }

    /// Every key of this directory, by `kid`.
    pub async fn external_keys(&self) -> Result<Vec<(String, ExternalKey)>, Failure> {
        let prefix = self.record_key("");
        let (mut after, mut keys) = (prefix.clone(), Vec::new());
        loop {
            let page = self.store.records(KIND, None, &after, PAGE).await?;
            let count = page.len();
            for record in page {
                let Some(kid) = record.key.strip_prefix(&prefix) else {
                    return Ok(keys);
                };
                keys.push((kid.to_owned(), record.read()?));
                after = record.key;
            }
            if count < PAGE {
                return Ok(keys);
            }
        }
    }

    /// Accounts that are bound already stay.
    pub async fn revoke_external_key(&self, kid: &str) -> Result<(), Failure> {
        loop {
            let record = self.store.record(KIND, &self.record_key(kid)).await?;
            let record = record.ok_or_else(|| Refusal::Malformed(format!("there is no key {kid:?}")))?;
            let mut key: ExternalKey = record.read()?;
            key.revoked = true;
            let change = Change::records(vec![RecordChange::Update(record.with(&key))]);
            if self.store.commit(change).await? == Committed::Done {
                return Ok(());
            }
        }
    }

    fn record_key(&self, kid: &str) -> String {
        format!("{}/{kid}", self.policy.directory)
    }
}

const KIND: &str = "eab";
const LONGEST_KID: usize = 200;
const PAGE: usize = 500;
