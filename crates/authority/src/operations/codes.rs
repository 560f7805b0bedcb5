//! Codes that are sent out and come back: made with the authorization, sent from what was written down, and matched with
//! a challenge when they return.

use std::{sync::Arc, time::Duration};

use acme::Identifier;
use jiff::Timestamp;

use super::{Authority, later, validate::as_ordered};
use crate::{
    Failure,
    model::{
        Authorization, AuthorizationId, AuthorizationState, Challenge, CodeAnswer, Dispatched, Observation, Record,
        RecordChange, SentCode,
    },
    ports::{Change, CodeTransport, Committed, Dispatch},
};

/// What an answer that comes in must be about.
#[derive(Clone, Debug)]
pub struct AwaitedCode {
    pub identifier: Identifier,
    pub code: String,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeReturn {
    /// It decides, now or when the subscriber says that it was sent.
    Taken,
    /// There was one before, it is too late, or nobody waits for one.
    NotAwaited,
}

impl Authority {
    /// How the codes of a method get out, if it has any.
    fn transport(&self, method: &str) -> Option<Arc<dyn CodeTransport>> {
        self.registry.method(method)?.code()
    }

    /// Every challenge with a code, of every authorization that is offered.
    fn coded<'a>(
        &'a self,
        offered: &'a [Authorization],
    ) -> impl Iterator<Item = (&'a Authorization, u8, &'a Challenge, Arc<dyn CodeTransport>)> {
        offered.iter().flat_map(move |authorization| {
            let challenges = (0_u8..).zip(&authorization.challenges);
            challenges.filter_map(move |(index, challenge)| {
                Some((authorization, index, challenge, self.transport(&challenge.method)?))
            })
        })
    }

    /// The codes that belong to what is offered, to be committed with it.
    pub(super) fn codes_for(&self, offered: &[Authorization]) -> Vec<RecordChange> {
        let coded = self.coded(offered).map(|(authorization, index, challenge, transport)| {
            let mut octets = vec![0; transport.octets()];
            self.runtime.random(&mut octets);
            let now = self.now();
            let code = SentCode {
                authorization: authorization.id.0,
                challenge: index,
                method: challenge.method.clone(),
                identifier: as_ordered(authorization),
                place: SentCode::place(&challenge.token),
                code: jose::base64url::encode(octets),
                offered: now,
                until: later(now, transport.window()),
                attempts: 0,
                sent: None,
                refused: None,
                returned: None,
            };
            RecordChange::Create(Record::new(&self.code_kind(), code.place.clone(), &code).due_at(now))
        });
        coded.collect()
    }

    /// Counts the codes that would go out, before anything is made.
    pub(super) async fn count_codes(&self, offered: &[Authorization]) -> Result<(), Failure> {
        let mut limits = Vec::new();
        for (authorization, _, _, transport) in self.coded(offered) {
            if let Ok(name) = self.registry.admit(&as_ordered(authorization)) {
                limits.push(transport.limits(authorization.account, &name));
            }
        }
        for limits in limits {
            self.limit_codes(limits).await?;
        }
        Ok(())
    }

    /// Sends, beside everything else, what was just committed.
    pub(super) fn send_codes_soon(&self) {
        let authority = self.clone();
        self.runtime.spawn(Box::pin(async move {
            if let Err(failure) = authority.send_codes(AT_ONCE).await {
                tracing::warn!(%failure, "codes were not sent; it will be tried again");
            }
        }));
    }

    /// Takes up to `limit` codes that are due and sends them; forgets those whose time is over. How many there were.
    pub async fn send_codes(&self, limit: usize) -> Result<usize, Failure> {
        let now = self.runtime.now();
        let due = self.store.due_records(&self.code_kind(), now, limit).await?;
        let count = due.len();
        for record in due {
            let mut code: SentCode = record.read()?;
            if code.until <= now {
                // Addresses are not kept longer than they serve.
                self.store
                    .commit(Change::records(vec![RecordChange::delete(&record)]))
                    .await?;
                continue;
            }
            let transport = self.transport(&code.method);
            let wanted = code.is_awaited(now) && code.sent.is_none();
            let Some(transport) = transport.filter(|_| wanted) else {
                let until = code.until;
                self.store
                    .commit(Change::records(vec![RecordChange::Update(record.due_at(until))]))
                    .await?;
                continue;
            };
            code.attempts += 1;
            let next = retry(&code, now);
            let leased = record.with(&code).due_at(next);
            // Whoever commits the lease is the one who sends.
            if self
                .store
                .commit(Change::records(vec![RecordChange::Update(leased)]))
                .await?
                == Committed::Done
            {
                self.send_code(&*transport, code);
            }
        }
        Ok(count)
    }

    fn send_code(&self, transport: &dyn CodeTransport, code: SentCode) {
        let (authority, sending) = (self.clone(), transport.send(code.clone()));
        self.runtime.spawn(Box::pin(async move {
            let dispatch = sending.await;
            if let Err(failure) = authority.dispatched(&code, dispatch).await {
                tracing::warn!(place = code.place, %failure, "that a code was sent was not stored; it may be sent again");
            }
        }));
    }

    async fn dispatched(&self, code: &SentCode, dispatch: Dispatch) -> Result<(), Failure> {
        match dispatch {
            Dispatch::Later(why) => {
                tracing::info!(
                    place = code.place,
                    why,
                    attempts = code.attempts,
                    "a code was not sent yet"
                );
                Ok(())
            }
            Dispatch::Sent(to) => {
                let at = self.now();
                self.note(&code.place, |code| {
                    code.sent = Some(Dispatched { at, to: to.clone() });
                    true
                })
                .await
                .map(drop)
            }
            Dispatch::Refused(why) => self.code_undeliverable(&code.place, &why).await.map(drop),
        }
    }

    /// The code whose answers go to a place, while one is awaited.
    pub async fn awaited_code(&self, place: &str) -> Result<Option<AwaitedCode>, Failure> {
        let Some(record) = self.store.record(&self.code_kind(), place).await? else {
            return Ok(None);
        };
        let code: SentCode = record.read()?;
        Ok(code.is_awaited(self.runtime.now()).then_some(AwaitedCode {
            identifier: code.identifier,
            code: code.code,
        }))
    }

    /// An answer came, and what vouches for it was judged. Whether it is the right one is decided with the challenge.
    pub async fn code_returned(
        &self,
        place: &str,
        answer: &str,
        observations: Vec<Observation>,
    ) -> Result<CodeReturn, Failure> {
        let at = self.now();
        self.settle(place, |code| {
            code.returned = Some(CodeAnswer {
                at,
                answer: answer.to_owned(),
                observations: observations.clone(),
            });
        })
        .await
    }

    /// A code cannot be delivered: nobody need wait for it.
    pub async fn code_undeliverable(&self, place: &str, why: &str) -> Result<CodeReturn, Failure> {
        self.settle(place, |code| code.refused = Some(why.to_owned())).await
    }

    /// Decides what becomes of a code, if that is still open.
    async fn settle(&self, place: &str, settle: impl Fn(&mut SentCode)) -> Result<CodeReturn, Failure> {
        let now = self.now();
        self.note(place, |code| {
            let is_open = code.is_awaited(now);
            if is_open {
                settle(code);
            }
            is_open
        })
        .await
    }

    /// Changes what is known of a code, and concludes the challenge that waits for it.
    async fn note(&self, place: &str, change: impl Fn(&mut SentCode) -> bool) -> Result<CodeReturn, Failure> {
        loop {
            let Some(record) = self.store.record(&self.code_kind(), place).await? else {
                return Ok(CodeReturn::NotAwaited);
            };
            let mut code: SentCode = record.read()?;
            if !change(&mut code) {
                return Ok(CodeReturn::NotAwaited);
            }
            let now = self.runtime.now();
            let waiting = match code.is_awaited(now) {
                true => None,
                false => self.waiting_for(&code, now).await?,
            };
            let id = waiting.as_ref().map(|authorization| authorization.id);
            let until = code.until;
            let noted = vec![RecordChange::Update(record.with(&code).due_at(until))];
            let change = match waiting {
                Some(authorization) => Change::UpdateAuthorization(authorization).and(noted),
                None => Change::records(noted),
            };
            if self.store.commit(change).await? == Committed::Done {
                if let Some(id) = id {
                    self.attempt_now(id).await?;
                }
                return Ok(CodeReturn::Taken);
            }
        }
    }

    /// The authorization whose challenge waits for a code, due now.
    async fn waiting_for(&self, code: &SentCode, now: Timestamp) -> Result<Option<Authorization>, Failure> {
        let found = self.store.authorization(AuthorizationId(code.authorization)).await?;
        Ok(found.and_then(|authorization| {
            let mut authorization = (*authorization).clone();
            match &mut authorization.state {
                AuthorizationState::Processing { response, due, .. } if response.challenge == code.challenge => {
                    *due = now;
                    Some(authorization)
                }
                _ => None,
            }
        }))
    }

    /// The code of a challenge, with its row.
    pub(super) async fn code_of(&self, token: &str) -> Result<Option<(Record, SentCode)>, Failure> {
        match self.store.record(&self.code_kind(), &SentCode::place(token)).await? {
            Some(record) => {
                let code = record.read()?;
                Ok(Some((record, code)))
            }
            None => Ok(None),
        }
    }

    /// Each directory sends its own.
    fn code_kind(&self) -> String {
        format!("code/{}", self.policy.directory)
    }
}

/// When it is tried again: after the sending's own time, then more and more seldom, an hour apart at most.
fn retry(code: &SentCode, now: Timestamp) -> Timestamp {
    let pause = SENDING.saturating_mul(1 << code.attempts.saturating_sub(1).min(5));
    later(now, pause.min(Duration::from_secs(3600))).min(code.until)
}

/// Longer than a transport may take.
const SENDING: Duration = Duration::from_secs(90);
const AT_ONCE: usize = 50;
