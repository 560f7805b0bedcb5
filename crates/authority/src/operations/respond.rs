//! Responding to a challenge (RFC 8555 §7.5.1).

use std::sync::Arc;

use acme::AuthorizationStatus;
use futures_util::future::{Either, select};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Authority, later,
    validate::{Begun, conclude, processing},
};
use crate::{
    Failure, Refusal,
    model::{Account, Authorization, AuthorizationState, ChallengeId, RecordChange, Response},
};

impl Authority {
    /// A response that says nothing.
    pub async fn respond(&self, account: &Arc<Account>, id: ChallengeId) -> Result<Arc<Authorization>, Failure> {
        self.respond_with(account, id, Map::new()).await
    }

    /// Starts the validation and waits for it a short while. What comes back is valid, invalid, or processing with the
    /// work written down.
    /// Whoever asks at the same time waits for the same validation, and nobody's going away ends it.
    pub async fn respond_with(
        &self,
        account: &Arc<Account>,
        id: ChallengeId,
        payload: Map<String, Value>,
    ) -> Result<Arc<Authorization>, Failure> {
        // Before anything is begun: somebody else's, or none.
        self.authorization(account, id.authorization).await?;
        let turn = self.turns.take(id.authorization).await;
        let (authority, account) = (self.clone(), Arc::clone(account));
        self.detached(async move {
            let _turn = turn;
            authority.respond_in_turn(&account, id, &payload).await
        })
        .await
    }

    async fn respond_in_turn(
        &self,
        account: &Account,
        id: ChallengeId,
        payload: &Map<String, Value>,
    ) -> Result<Arc<Authorization>, Failure> {
        loop {
            let authorization = self.authorization(account, id.authorization).await?;
            let response = match decide(&authorization, account, id.index, self.now())? {
                Decision::Show => return Ok(authorization),
                Decision::RetryNow => {
                    self.attempt_now(authorization.id).await?;
                    return self.authorization(account, id.authorization).await;
                }
                Decision::Validate(response) => Response {
                    payload: self.taken(&authorization, id.index, payload)?,
                    ..response
                },
            };
            let validation = match self.begin(&authorization, &response).await? {
                Begun::Look(validation) => validation,
                Begun::Wait { until, row } => {
                    let state = processing(&response, until, self.runtime.now());
                    // Conditional on the code's row too: one that comes in at this moment is not overlooked.
                    let records = vec![RecordChange::Update(row)];
                    match self.change_authorization_and(&authorization, state, records).await? {
                        Some(waiting) => return Ok(waiting),
                        None => continue,
                    }
                }
            };
            let wait = self.runtime.sleep(self.policy.validation_wait);
            let committed = match select(validation, wait).await {
                Either::Left((report, _)) => {
                    let state = conclude(&authorization, &response, report, &self.policy, self.runtime.now());
                    let committed = self.change_authorization(&authorization, state).await?;
                    if let Some(changed) = &committed {
                        self.attempt_when_due(changed);
                    }
                    committed
                }
                Either::Right(((), validation)) => {
                    let now = self.runtime.now();
                    let state = processing(&response, now, self.validation_lease());
                    let committed = self.change_authorization(&authorization, state).await?;
                    if let Some(started) = &committed {
                        self.conclude_later(Arc::clone(started), response, validation);
                    }
                    committed
                }
            };
            if let Some(changed) = committed {
                return Ok(changed);
            }
        }
    }

    /// What the challenge's method keeps of the payload. One whose method is gone is a matter of the validation.
    fn taken(
        &self,
        authorization: &Authorization,
        index: u8,
        payload: &Map<String, Value>,
    ) -> Result<Option<Value>, Refusal> {
        let challenge = authorization.challenges.get(usize::from(index));
        match challenge.and_then(|challenge| self.registry.method(&challenge.method)) {
            Some(method) => method.take_response(payload).map_err(Refusal::Malformed),
            None => Ok(None),
        }
    }
}

enum Decision {
    /// Nothing to do: decided already, or being worked on.
    Show,
    /// RFC 8555 §8.2: a response sent again asks for a try without waiting for the due time.
    RetryNow,
    Validate(Response),
}

fn decide(authorization: &Authorization, account: &Account, index: u8, now: Timestamp) -> Result<Decision, Refusal> {
    if authorization.challenges.get(usize::from(index)).is_none() {
        return Err(Refusal::NotFound);
    }
    match authorization.status(now) {
        AuthorizationStatus::Valid | AuthorizationStatus::Invalid => return Ok(Decision::Show),
        AuthorizationStatus::Pending => {}
        status @ (AuthorizationStatus::Deactivated | AuthorizationStatus::Expired | AuthorizationStatus::Revoked) => {
            let detail = format!("the authorization is {status:?} and cannot be answered; place a new order");
            return Err(Refusal::Malformed(detail.to_lowercase()));
        }
    }
    Ok(match &authorization.state {
        AuthorizationState::Processing {
            response,
            lease,
            evidence,
            ..
        } => {
            let rested = evidence
                .last()
                .is_some_and(|last| later(last.finished, RETRY_REST) <= now);
            if response.challenge == index && *lease <= now && rested {
                Decision::RetryNow
            } else {
                Decision::Show
            }
        }
        _ => Decision::Validate(Response {
            challenge: index,
            at: now,
            thumbprint: account.key.thumbprint(),
            payload: None,
        }),
    })
}

/// How soon after a failed attempt a client may ask for the next one.
const RETRY_REST: std::time::Duration = std::time::Duration::from_secs(2);
