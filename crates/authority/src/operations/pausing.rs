//! Accounts that only fail: after so many failures of a name in a row the name is refused to the account, until somebody
//! asks to go on (INCIDENTS T38). Clients that nobody looks after would otherwise ask for ever.

use serde::{Deserialize, Serialize};

use super::Authority;
use crate::{
    Failure, Refusal,
    identifier::Name,
    model::{Account, AccountId, Authorization, AuthorizationState, Record, RecordChange},
    ports::{Change, Committed},
};

/// Failures of a name by an account since it last worked.
#[derive(Default, Serialize, Deserialize)]
struct Failing {
    times: u32,
}

impl Authority {
    /// Counts what became of a validation.
    pub(super) async fn count_outcome(&self, authorization: &Authorization) -> Result<(), Failure> {
        let worked = match authorization.state {
            AuthorizationState::Valid { .. } => true,
            AuthorizationState::Invalid { .. } => false,
            _ => return Ok(()),
        };
        if !worked {
            self.count_failure(authorization).await?;
        }
        if self.policy.limits.pause_after.is_none() {
            return Ok(());
        }
        let key = key(authorization.account, &authorization.identifier.to_string());
        loop {
            let record = self.store.record(KIND, &key).await?;
            let change = match (record, worked) {
                (None, true) => return Ok(()),
                (Some(record), true) => RecordChange::delete(&record),
                (None, false) => {
                    let first = Record::new(KIND, key.clone(), &Failing { times: 1 });
                    RecordChange::Create(first.owned_by(authorization.account.0))
                }
                (Some(record), false) => {
                    let mut failing: Failing = record.read()?;
                    failing.times = failing.times.saturating_add(1);
                    RecordChange::Update(record.with(&failing))
                }
            };
            let change = Change::records(vec![change]);
            if self.store.commit(change).await? == Committed::Done {
                return Ok(());
            }
        }
    }

    pub(super) async fn require_unpaused(&self, account: &Account, names: &[&Name]) -> Result<(), Failure> {
        let Some(most) = self.policy.limits.pause_after else {
            return Ok(());
        };
        let mut paused = Vec::new();
        for name in names {
            let record = self
                .store
                .record(KIND, &key(account.id, &name.base().to_string()))
                .await?;
            let failing: Failing = record.map(|record| record.read()).transpose()?.unwrap_or_default();
            if failing.times >= most {
                paused.push(name.base().value.as_str());
            }
        }
        if paused.is_empty() {
            return Ok(());
        }
        Err(Refusal::Paused {
            detail: format!(
                "{} failed {most} times or more in a row and paused for this account; mend what fails, then go on at \"instance\"",
                paused.join(", ")
            ),
            account: account.id,
        }
        .into())
    }

    /// Somebody has asked to go on; how many names were paused or failing.
    pub async fn unpause(&self, account: AccountId) -> Result<usize, Failure> {
        let failing = self.store.records(KIND, Some(account.0), "", MOST).await?;
        let count = failing.len();
        for record in failing {
            // One that changes meanwhile has just worked, or has just failed again: both may stay.
            let change = Change::records(vec![RecordChange::delete(&record)]);
            self.store.commit(change).await?;
        }
        Ok(count)
    }
}

fn key(account: AccountId, name: &str) -> String {
    format!("{account}/{name}")
}

const KIND: &str = "failing";
const MOST: usize = 10_000;
