//! From a response to a conclusion: running a validation, retrying it, writing down what it found.

use std::{sync::Arc, time::Duration};

use acme::{Identifier, KeyAuthorization, Problem, ProblemType};
use futures_util::future::{Either, select};
use jiff::Timestamp;

use super::{Authority, Policy, later};
use crate::{
    Failure,
    model::{
        AccountId, Authorization, AuthorizationId, AuthorizationState, Evidence, Observation, Record, RecordChange,
        Response,
    },
    ports::{BoxFuture, Change, Committed, Report, Subject, ValidationRequest},
};

impl Authority {
    /// Makes the next attempt now, because the subscriber asked for it, and waits for it a short while.
    pub(super) async fn attempt_now(&self, id: AuthorizationId) -> Result<(), Failure> {
        let authority = self.clone();
        let attempt: BoxFuture<'static, _> = Box::pin(async move { authority.attempt(id, Turn::Asked).await });
        match select(attempt, self.runtime.sleep(self.policy.validation_wait)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), attempt)) => {
                self.let_run(id, attempt);
                Ok(())
            }
        }
    }

    /// Makes an attempt at an authorization, if it is its turn and nobody is at it.
    async fn attempt(&self, id: AuthorizationId, turn: Turn) -> Result<(), Failure> {
        let Some(authorization) = self.store.authorization(id).await? else {
            return Ok(());
        };
        let now = self.runtime.now();
        let AuthorizationState::Processing { due, lease, .. } = &authorization.state else {
            return Ok(());
        };
        // An attempt on request moved the due time: whoever still waits for the earlier one comes too soon.
        if *lease > now || (turn == Turn::Due && *due > now) {
            return Ok(());
        }
        let mut state = authorization.state.clone();
        if let AuthorizationState::Processing { lease, .. } = &mut state {
            *lease = self.validation_lease();
        }
        match self.change_authorization(&authorization, state).await? {
            Some(leased) => self.attempt_leased(leased).await,
            None => Ok(()),
        }
    }

    /// Longer than any attempt lasts, so that nobody takes over what is still worked on.
    pub(super) fn validation_lease(&self) -> Timestamp {
        later(self.runtime.now(), self.policy.lease.max(self.policy.longest_attempt))
    }

    /// Makes an attempt at an authorization whose lease is already ours.
    pub(super) async fn attempt_leased(&self, authorization: Arc<Authorization>) -> Result<(), Failure> {
        let AuthorizationState::Processing { response, .. } = &authorization.state else {
            return Ok(());
        };
        let response = response.clone();
        match self.begin(&authorization, &response).await? {
            Begun::Look(validation) => {
                let report = validation.await;
                self.conclude_with(&authorization, &response, report).await
            }
            Begun::Wait { until, .. } => {
                let mut state = authorization.state.clone();
                if let AuthorizationState::Processing { due, lease, .. } = &mut state {
                    (*due, *lease) = (until, self.runtime.now());
                }
                // If the code came in meanwhile this conflicts, and whoever brought it has made the attempt due.
                self.change_authorization(&authorization, state).await.map(drop)
            }
        }
    }

    /// Lets a validation that took longer than the response could wait run on.
    pub(super) fn conclude_later(
        &self,
        authorization: Arc<Authorization>,
        response: Response,
        validation: BoxFuture<'static, Report>,
    ) {
        let authority = self.clone();
        self.runtime.spawn(Box::pin(async move {
            let report = validation.await;
            if let Err(failure) = authority.conclude_with(&authorization, &response, report).await {
                // The row is still `processing`: when its lease ends, the work is claimed again.
                tracing::warn!(authorization = %authorization.id, %failure, "a validation's result was not stored");
            }
        }));
    }

    async fn conclude_with(
        &self,
        authorization: &Authorization,
        response: &Response,
        report: Report,
    ) -> Result<(), Failure> {
        let now = self.runtime.now();
        let state = conclude(authorization, response, report, &self.policy, now);
        if let Some(changed) = self.change_authorization(authorization, state).await? {
            self.attempt_when_due(&changed);
        }
        Ok(())
    }

    /// Hands the next attempt, if there is to be one, to this process; should it die, the due time in the row brings
    /// it back.
    pub(super) fn attempt_when_due(&self, authorization: &Authorization) {
        let AuthorizationState::Processing { due, .. } = authorization.state else {
            return;
        };
        let (authority, id) = (self.clone(), authorization.id);
        let wait = due.duration_since(self.runtime.now()).try_into().unwrap_or_default();
        let attempt = async move {
            authority.runtime.sleep(wait).await;
            authority.attempt(id, Turn::Due).await
        };
        self.let_run(id, Box::pin(attempt));
    }

    fn let_run(&self, id: AuthorizationId, attempt: BoxFuture<'static, Result<(), Failure>>) {
        self.runtime.spawn(Box::pin(async move {
            if let Err(failure) = attempt.await {
                tracing::warn!(authorization = %id, %failure, "an attempt at validation was not made");
            }
        }));
    }

    /// One look at the network, as the challenge's method does it, or that there is nothing to look at yet.
    pub(super) async fn begin(&self, authorization: &Authorization, response: &Response) -> Result<Begun, Failure> {
        let defect = |what: &str| Failure::Unavailable(format!("authorization {}: {what}", authorization.id));
        let challenge = authorization
            .challenges
            .get(usize::from(response.challenge))
            .ok_or_else(|| defect("its response names a challenge it does not have"))?;
        let method = self
            .registry
            .method(&challenge.method)
            .ok_or_else(|| defect("its challenge's method is no longer configured"))?;
        let name = self
            .registry
            .admit(&as_ordered(authorization))
            .map_err(|problem| defect(&problem.detail))?;
        let code = match method.code() {
            Some(_) => self.code_of(&challenge.token).await?,
            None => None,
        };
        let code = match code {
            Some((row, code)) if response.payload.is_none() && code.is_awaited(self.runtime.now()) => {
                return Ok(Begun::Wait { until: code.until, row });
            }
            other => other.map(|(_, code)| code),
        };
        let validation = method.validate(ValidationRequest {
            account: authorization.account,
            name,
            token: challenge.token.clone(),
            key_authorization: KeyAuthorization::new(&challenge.token, &response.thumbprint),
            response: response.payload.clone(),
            code,
        });
        Ok(Begun::Look(self.in_line(
            authorization.account,
            method.name(),
            validation,
        )))
    }

    /// Begins a validation when the account has a place for it: one whose targets never answer waits for its own, and
    /// for nobody else's (INCIDENTS T40).
    fn in_line(
        &self,
        account: AccountId,
        method: &'static str,
        validation: BoxFuture<'static, Report>,
    ) -> BoxFuture<'static, Report> {
        let (places, runtime) = (self.validating.clone(), self.runtime.clone());
        Box::pin(async move {
            let started = runtime.now();
            let turn = Box::pin(places.take(account));
            match select(turn, runtime.sleep(LONGEST_WAIT)).await {
                Either::Left((_place, _)) => validation.await,
                Either::Right(_) => not_begun(method, started, runtime.now()),
            }
        })
    }

    /// Commits a new state; `None` when the authorization has changed since it was read.
    pub(super) async fn change_authorization(
        &self,
        authorization: &Authorization,
        state: AuthorizationState,
    ) -> Result<Option<Arc<Authorization>>, Failure> {
        self.change_authorization_and(authorization, state, Vec::new()).await
    }

    /// The same together with records.
    pub(super) async fn change_authorization_and(
        &self,
        authorization: &Authorization,
        state: AuthorizationState,
        records: Vec<RecordChange>,
    ) -> Result<Option<Arc<Authorization>>, Failure> {
        let expires = match state {
            AuthorizationState::Valid { .. } => later(self.now(), self.policy.authorization_lifetime),
            _ => authorization.expires,
        };
        let changed = Authorization {
            state,
            expires,
            ..authorization.clone()
        };
        let change = Change::UpdateAuthorization(changed.clone()).and(records);
        if self.store.commit(change).await? == Committed::Conflict {
            return Ok(None);
        }
        self.changes.changed(Subject::Authorization(changed.id));
        if self.policy.limits.failed_validations.is_some() || self.policy.limits.pause_after.is_some() {
            // The outcome is committed; what cannot be counted does not undo it (INCIDENTS T39).
            if let Err(why) = self.count_outcome(&changed).await {
                tracing::warn!(authorization = %changed.id, %why, "the outcome of a validation was not counted");
            }
        }
        Ok(Some(Arc::new(Authorization {
            version: changed.version + 1,
            ..changed
        })))
    }
}

fn not_begun(method: &str, started: Timestamp, finished: Timestamp) -> Report {
    let what = format!(
        "The validation was not begun within {} s, because {VALIDATIONS_AT_ONCE} others of this account were still \
         running; it will be tried again.",
        LONGEST_WAIT.as_secs()
    );
    Report {
        evidence: Evidence {
            method: method.to_owned(),
            perspective: "local".to_owned(),
            started,
            finished,
            observations: vec![Observation::Failed { what: what.clone() }],
        },
        verdict: Err(Problem::new(ProblemType::Connection, what)),
        transient: true,
    }
}

/// Hundreds of names a second where targets answer, and ten where each takes all the time it may.
pub(super) const VALIDATIONS_AT_ONCE: usize = 100;
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A validation that is about to be made, or has to wait for a code to come back.
pub(super) enum Begun {
    Look(BoxFuture<'static, Report>),
    Wait {
        until: Timestamp,
        /// The code's, as it was when it had not come back.
        row: Record,
    },
}

/// Why an attempt is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Due,
    /// RFC 8555 §8.2: by a response that was sent again.
    Asked,
}

/// The identifier as an order names it.
pub(super) fn as_ordered(authorization: &Authorization) -> Identifier {
    let identifier = &authorization.identifier;
    if authorization.wildcard {
        Identifier::new(identifier.kind.clone(), format!("*.{}", identifier.value))
    } else {
        identifier.clone()
    }
}

/// The state of an authorization whose validation has begun and will be concluded later.
pub(super) fn processing(response: &Response, now: Timestamp, lease: Timestamp) -> AuthorizationState {
    AuthorizationState::Processing {
        response: response.clone(),
        attempts: 0,
        due: now,
        lease,
        error: None,
        evidence: Vec::new(),
    }
}

/// What a report makes of an authorization. A failure that may pass by itself is tried again (RFC 8555 §8.2), unless
/// the authorization has expired meanwhile: nothing brings it back then (RFC 8555 §7.1.6).
pub(super) fn conclude(
    authorization: &Authorization,
    response: &Response,
    report: Report,
    policy: &Policy,
    now: Timestamp,
) -> AuthorizationState {
    let (attempts, earlier) = match &authorization.state {
        AuthorizationState::Processing { attempts, error, .. } => (*attempts + 1, error.as_ref()),
        _ => (1, None),
    };
    let expired = authorization.expires <= now;
    let mut evidence: Vec<Evidence> = authorization.evidence().to_vec();
    evidence.push(report.evidence);
    let response = response.clone();
    match report.verdict {
        Ok(()) if expired => AuthorizationState::Invalid {
            response,
            problem: Problem::new(
                ProblemType::Malformed,
                format!(
                    "the authorization expired at {} during its validation",
                    authorization.expires
                ),
            ),
            evidence,
        },
        Ok(()) => AuthorizationState::Valid {
            response,
            validated: now,
            evidence,
        },
        Err(problem) if report.transient && !expired && attempts < policy.validation_attempts => {
            AuthorizationState::Processing {
                response,
                attempts,
                due: later(now, policy.validation_retry),
                lease: now,
                error: Some(after_attempts(problem, attempts, earlier)),
                evidence,
            }
        }
        Err(problem) => AuthorizationState::Invalid {
            response,
            problem: after_attempts(problem, attempts, earlier),
            evidence,
        },
    }
}

/// The last attempt's problem, with one subproblem for each attempt when there were several. The first attempt's
/// problem stands for itself, and its subproblems are its own.
fn after_attempts(problem: Problem, attempts: u32, earlier: Option<&Problem>) -> Problem {
    let Some(earlier) = earlier else { return problem };
    let mut told = match attempts {
        2 => vec![earlier.clone()],
        _ => earlier.subproblems.clone(),
    };
    told.push(problem.clone());
    problem.with_subproblems(told)
}
