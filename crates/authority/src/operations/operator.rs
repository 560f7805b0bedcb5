//! What the operator does to accounts and certificates.

use std::sync::Arc;

use acme::RevocationReason;
use jiff::Timestamp;
use pkix::certificate::Serial;

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, AccountId, AccountState, CertificateRecord, Revocation},
    ports::{CertificateFilter, Change, Committed, Subject},
};

/// Which certificates.
#[derive(Clone, Debug)]
pub enum Chosen {
    Serial(Serial),
    /// SHA-256 of SubjectPublicKeyInfo.
    Key([u8; 32]),
    Account(AccountId),
    Issued {
        from: Timestamp,
        to: Timestamp,
    },
}

impl Authority {
    /// Revokes every chosen certificate that is not revoked and has not expired; `dry_run` only finds them. What may
    /// have been signed counts as issued.
    pub async fn revoke_chosen(
        &self,
        chosen: &Chosen,
        reason: Option<RevocationReason>,
        dry_run: bool,
    ) -> Result<Vec<Serial>, Failure> {
        let mut serials = Vec::new();
        let mut after = None;
        loop {
            let page = self.choose(chosen, after).await?;
            // A page may be short because keys were told apart in it.
            let is_last = page.is_empty() || matches!(chosen, Chosen::Serial(_));
            for record in page {
                after = Some(record.id);
                if self.revoke_by_operator(record.clone(), reason, dry_run).await? {
                    serials.push(record.serial.clone());
                }
            }
            if is_last {
                return Ok(serials);
            }
        }
    }

    async fn choose(
        &self,
        chosen: &Chosen,
        after: Option<crate::model::CertificateId>,
    ) -> Result<Vec<Arc<CertificateRecord>>, Failure> {
        let mut filter = CertificateFilter {
            unexpired_at: Some(self.now()),
            ..CertificateFilter::default()
        };
        match chosen {
            Chosen::Serial(serial) => {
                let found = self.store.certificate_by_serial(serial.clone()).await?;
                return match found {
                    Some(record) => Ok(vec![record]),
                    None => Err(Refusal::Malformed(format!("no certificate has the serial number {serial}")).into()),
                };
            }
            Chosen::Key(key_sha256) => filter.key_sha256 = Some(*key_sha256),
            Chosen::Account(account) => filter.account = Some(*account),
            Chosen::Issued { from, to } => filter.planned = (Some(*from), Some(*to)),
        }
        Ok(self.store.certificates(filter, after, PAGE).await?)
    }

    /// Whether there was something to revoke.
    async fn revoke_by_operator(
        &self,
        mut record: Arc<CertificateRecord>,
        reason: Option<RevocationReason>,
        dry_run: bool,
    ) -> Result<bool, Failure> {
        loop {
            if record.revoked.is_some() || record.not_after < self.now() {
                return Ok(false);
            }
            if dry_run {
                return Ok(true);
            }
            self.revoke_at_back_end(&record, reason).await?;
            let revoke = Change::Revoke {
                id: record.id,
                version: record.version,
                revocation: Revocation { at: self.now(), reason },
            };
            let blocks = match reason {
                Some(RevocationReason::KeyCompromise) => self.block(&record).await?,
                _ => Vec::new(),
            };
            if self.store.commit(revoke.and(blocks)).await? == Committed::Done {
                self.changes.changed(Subject::Revocations);
                return Ok(true);
            }
            match self.store.certificate(record.id).await? {
                Some(now) => record = now,
                None => return Ok(false),
            }
        }
    }

    /// RFC 8555 §7.1.2: `revoked`, which is final. Its certificates stay.
    pub async fn revoke_account(&self, id: AccountId) -> Result<Arc<Account>, Failure> {
        self.account(id).await?;
        self.revoke_account_anywhere(id).await
    }

    /// In whatever directory it is.
    pub(super) async fn revoke_account_anywhere(&self, id: AccountId) -> Result<Arc<Account>, Failure> {
        loop {
            let account = self.store.account(id).await?.ok_or(Refusal::AccountDoesNotExist)?;
            if account.state != AccountState::Active {
                return Ok(account);
            }
            let changed = Account {
                state: AccountState::Revoked,
                ..(*account).clone()
            };
            if let Some(changed) = self.commit_account(changed).await? {
                return Ok(changed);
            }
        }
    }
}

const PAGE: usize = 200;
