//! Taking up work that was left behind: by a crash, or by a node that went away.

use std::sync::Arc;

use acme::{Problem, ProblemType};

use super::{Authority, later};
use crate::{
    Failure,
    model::{AccountState, CertificateRecord},
    ports::{Change, Claimed, Committed, Subject},
};

impl Authority {
    /// Claims up to `limit` due pieces of work and does them; how many there were.
    pub async fn resume(&self, limit: usize) -> Result<usize, Failure> {
        Self::resume_among(std::slice::from_ref(self), limit).await
    }

    /// The same for several directories on one store: work is done by the authority of its account's directory.
    pub async fn resume_among(authorities: &[Authority], limit: usize) -> Result<usize, Failure> {
        let Some(any) = authorities.first() else { return Ok(0) };
        let claimed = any
            .store
            .claim(any.runtime.now(), any.validation_lease(), limit)
            .await?;
        let count = claimed.len();
        for work in claimed {
            let account = match &work {
                Claimed::Validation(authorization) => authorization.account,
                Claimed::Issuance(record) => record.account,
            };
            let directory = any
                .store
                .account(account)
                .await?
                .map(|account| account.directory.clone());
            let mut whose = authorities.iter();
            match whose.find(|authority| Some(&authority.policy.directory) == directory.as_ref()) {
                Some(authority) => authority.take_up(work),
                None => tracing::warn!(?directory, "work of a directory that is not configured is left alone"),
            }
        }
        // Orders of every directory: what back ends are owed does not depend on it.
        any.run_errands(limit).await?;
        Ok(count)
    }

    fn take_up(&self, work: Claimed) {
        let authority = self.clone();
        self.runtime.spawn(Box::pin(async move {
            let done = match work {
                Claimed::Validation(authorization) => authority.attempt_leased(authorization).await,
                Claimed::Issuance(record) => authority.resume_issuance(record).await,
            };
            if let Err(failure) = done {
                tracing::warn!(%failure, "claimed work was not done; it comes back when its lease ends");
            }
        }));
    }

    /// Decides again whether a planned certificate may be signed, then signs the stored bytes or abandons them.
    async fn resume_issuance(&self, record: Arc<CertificateRecord>) -> Result<(), Failure> {
        match self.reason_to_abandon(&record).await? {
            None => self.sign_and_complete(record).await,
            Some(why) => {
                let problem = Problem::new(ProblemType::ServerInternal, why);
                let abandon = Change::Abandon {
                    id: record.id,
                    version: record.version,
                    problem,
                };
                if self.store.commit(abandon).await? == Committed::Done {
                    tracing::warn!(order = %record.id.order, serial = %record.serial, "abandoned");
                    self.changes.changed(Subject::Order(record.id.order));
                }
            }
        }
        Ok(())
    }

    async fn reason_to_abandon(&self, record: &CertificateRecord) -> Result<Option<String>, Failure> {
        let limit = match self.issuance.back_end(&record.issuer) {
            Some(back_end) => back_end.patience(),
            None => self.policy.issuance_limit,
        };
        if later(record.planned, limit) <= self.runtime.now() {
            return Ok(Some(
                "the certificate could not be signed in time; place a new order".into(),
            ));
        }
        let account = self.store.account(record.account).await?;
        if account.is_none_or(|account| account.state != AccountState::Active) {
            return Ok(Some("the account is no longer active".into()));
        }
        if self.is_blocked(&record.key_sha256).await? {
            return Ok(Some(
                "the certificate's key is known to be compromised; place a new order with another key".into(),
            ));
        }
        Ok(None)
    }
}
