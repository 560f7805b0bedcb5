//! Keys that somebody else has: no certificate and no account with them any more (INCIDENTS T25, T28).
//!
//! The block is a record, written in the same commit as the revocation that reported it. Whoever plans a certificate or
//! makes an account looks for it before, to refuse, and after: a plan that committed before the block is seen by the
//! search below, and one that committed after it sees the block.

use std::sync::Arc;

use jiff::Timestamp;
use jose::{Jwk, base64url};
use pkix::{certificate::TbsCertificate, hex, key::SubjectPublicKey};
use serde::{Deserialize, Serialize};

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, CertificateRecord, Record, RecordChange, Revocation},
    ports::{CertificateFilter, Change, Committed, Subject},
};

/// A record of the kind `blocked-key`; its key is the hexadecimal SHA-256 of the SubjectPublicKeyInfo. It is due until
/// every other certificate and account with the key was looked for.
#[derive(Serialize, Deserialize)]
struct BlockedKey {
    at: Timestamp,
    /// Of the certificate whose revocation reported it, hexadecimal.
    serial: String,
    /// SubjectPublicKeyInfo, base64url, if what was to be signed is ours to read.
    spki: Option<String>,
}

const KIND: &str = "blocked-key";
/// Keys and certificates that are looked at in one go.
const BATCH: usize = 100;

impl Authority {
    /// By SHA-256 of the SubjectPublicKeyInfo: whether the operator or a revocation blocked the key.
    pub async fn is_blocked(&self, key_sha256: &[u8; 32]) -> Result<bool, Failure> {
        Ok(self.policy.blocked_keys.contains(key_sha256)
            || self.store.record(KIND, &hex::encode(key_sha256)).await?.is_some())
    }

    /// INCIDENTS T25: a key for an account, neither weak nor blocked. SHA-256 of its SubjectPublicKeyInfo.
    pub(super) async fn admit_key(&self, key: &Jwk) -> Result<[u8; 32], Failure> {
        let public_key = SubjectPublicKey::from_spki_der(&key.to_spki_der())
            .map_err(|error| Refusal::BadPublicKey(format!("the account key is not acceptable: {error}")))?;
        if let Some(weakness) = public_key.weakness() {
            let detail = format!("the account key is weak: {weakness}; generate another");
            return Err(Refusal::BadPublicKey(detail).into());
        }
        let key_sha256 = public_key.fingerprint();
        match self.is_blocked(&key_sha256).await? {
            false => Ok(key_sha256),
            true => Err(compromised().into()),
        }
    }

    /// For an account whose key was just stored: it may have been blocked since it was admitted, and after the search
    /// for accounts with it.
    pub(super) async fn require_still_unblocked(
        &self,
        account: &Arc<Account>,
        key_sha256: &[u8; 32],
    ) -> Result<(), Failure> {
        if !self.is_blocked(key_sha256).await? {
            return Ok(());
        }
        self.revoke_account(account.id).await?;
        Err(compromised().into())
    }

    /// What blocks the key of a certificate; nothing if it is blocked already.
    pub(super) async fn block(&self, record: &CertificateRecord) -> Result<Vec<RecordChange>, Failure> {
        let key = hex::encode(&record.key_sha256);
        if self.store.record(KIND, &key).await?.is_some() {
            return Ok(Vec::new());
        }
        let tbs = TbsCertificate::from_der(&record.to_be_signed).ok();
        let blocked = BlockedKey {
            at: self.now(),
            serial: record.serial.to_string(),
            spki: tbs.map(|tbs| base64url::encode(tbs.public_key.spki_der())),
        };
        Ok(vec![RecordChange::Create(
            Record::new(KIND, key, &blocked).due_at(self.now()),
        )])
    }

    /// Revokes whatever else was issued for keys that were blocked since, and the accounts with them.
    pub async fn revoke_compromised(&self) -> Result<(), Failure> {
        for record in self.store.due_records(KIND, self.now(), BATCH).await? {
            let blocked: BlockedKey = record.read()?;
            self.revoke_account_of(&blocked).await?;
            if self.revoke_certificates_of(&record.key).await? {
                let done = RecordChange::Update(Record { due: None, ..record });
                let change = Change::records(vec![done]);
                // A conflict means that another node was as far.
                self.store.commit(change).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing is left to do.
    async fn revoke_certificates_of(&self, key: &str) -> Result<bool, Failure> {
        let Some(key_sha256) = hex::decode(key).and_then(|octets| octets.try_into().ok()) else {
            return Err(Failure::Unavailable(format!(
                "the record {KIND}/{key} has no key of its kind"
            )));
        };
        let now = self.now();
        let filter = CertificateFilter {
            key_sha256: Some(key_sha256),
            unexpired_at: Some(now),
            ..CertificateFilter::default()
        };
        let (mut after, mut all_done) = (None, true);
        loop {
            let found = self.store.certificates(filter.clone(), after, BATCH).await?;
            let Some(last) = found.last() else {
                return Ok(all_done);
            };
            after = Some(last.id);
            for record in found.iter().filter(|record| record.revoked.is_none()) {
                all_done &= self.revoke_compromised_certificate(record, now).await?;
            }
        }
    }

    /// In whatever state it is: what may have been signed is revoked like what was (RFC 5280 §3.3).
    async fn revoke_compromised_certificate(
        &self,
        record: &CertificateRecord,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let revoke = Change::Revoke {
            id: record.id,
            version: record.version,
            revocation: Revocation {
                at: now,
                reason: Some(acme::RevocationReason::KeyCompromise),
            },
        };
        let done = self.store.commit(revoke).await? == Committed::Done;
        if done {
            tracing::warn!(serial = %record.serial, "revoked: its key was reported as compromised");
            self.changes.changed(Subject::Revocations);
        }
        Ok(done)
    }

    /// From there on the gate refuses what the account signs.
    async fn revoke_account_of(&self, blocked: &BlockedKey) -> Result<(), Failure> {
        let spki = blocked.spki.as_deref().and_then(|spki| base64url::decode(spki).ok());
        // There are keys that no account can have.
        let Some(key) = spki.and_then(|spki| Jwk::from_spki_der(&spki).ok()) else {
            return Ok(());
        };
        for account in self.store.accounts_of_key(key.thumbprint()).await? {
            tracing::warn!(%account, "revoked: its key was reported as compromised");
            self.revoke_account_anywhere(account).await?;
        }
        Ok(())
    }
}

fn compromised() -> Refusal {
    Refusal::BadPublicKey("the account key is known to be compromised; generate another".into())
}
