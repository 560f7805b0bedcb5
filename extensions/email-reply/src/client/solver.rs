//! `email-reply-00` for whoever holds the mailbox: waits for the challenge mail, believes it only when it is signed, and
//! answers it once (RFC 8823 §3).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use client::{
    Clock as _, Identifier, Method, Proof, Solver, SystemClock,
    commands::Output,
    solver::{Presented, SolverError},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use mail::{
    answer::Answer,
    challenge::{ChallengeFault, Received, Unverified},
    dns::{Answers, Step, Txt},
    message::{address::Mailbox, with_crlf},
    message_id::MessageId,
    reply,
    spf::SpfDns as _,
};

use super::{
    answered::Answered,
    imap::{Candidate, Imap},
    paste,
    submission::Submission,
};
use crate::dns::Recursor;

/// How the mail is read and the reply sent.
pub enum Way {
    Mailbox {
        imap: Box<Imap>,
        submission: Box<Submission>,
        resolver: Recursor,
        /// Until the challenge mail must have come.
        patience: Duration,
    },
    /// By a person, with whatever mail program.
    Paste,
}

pub struct ReplySolver {
    pub mailbox: Mailbox,
    pub way: Arc<Way>,
    pub answered: Answered,
}

impl Solver for ReplySolver {
    fn method(&self) -> Method {
        Method::Other("email-reply-00")
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        matches!(identifier, Identifier::Email(mailbox) if *mailbox == self.mailbox.to_string())
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            let from = proof
                .members
                .get("from")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            let from = Mailbox::parse(from).map_err(|error| {
                failed(
                    format!("the challenge's \"from\" is no address: {error}"),
                    Some("Tell the CA's operator."),
                )
            })?;
            match &*self.way {
                Way::Paste => {
                    let answer = |token_part1: &str| answer(token_part1, proof);
                    paste::by_hand(&self.mailbox, &from, answer).await?;
                }
                Way::Mailbox {
                    imap,
                    submission,
                    resolver,
                    patience,
                } => {
                    let waiting = self.await_mail(imap, resolver, &from);
                    let received = tokio::time::timeout(*patience, waiting).await.map_err(|_| {
                        let what = format!("no challenge mail from {from} came within {} s", patience.as_secs());
                        failed(what, Some("Look into the spam folder; or try again with --paste."))
                    })??;
                    self.remember(&received)?;
                    let answer = answer(&received.token_part1, proof);
                    let unique = answer
                        .digest()
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .collect::<String>();
                    let id = MessageId::new(&unique, self.mailbox.domain())
                        .ok_or_else(|| failed("no Message-ID can be made for the domain".to_owned(), None))?;
                    let octets = reply::compose(&received, answer.digest(), &id, SystemClock.now());
                    let to = received.reply_to.as_ref().unwrap_or(&received.from);
                    submission
                        .send(&self.mailbox, to, &octets)
                        .await
                        .map_err(|why| failed(why, Some(SUBMIT)))?;
                    Output::standard().note(&format!(
                        "the challenge mail from {from} came, is signed and was answered"
                    ));
                }
            }
            // What was sent cannot be taken back, and need not be.
            Ok(Presented::new(|| Ok(())))
        }
        .boxed()
    }

    fn hint(&self, _identifier: &Identifier) -> String {
        format!(
            "The reply must leave by a mail server that signs for {} (DKIM): see `vidimus smime doctor {}`.",
            self.mailbox.domain(),
            self.mailbox
        )
    }
}

fn answer(token_part1: &str, proof: &Proof) -> Answer {
    let thumbprint = proof.key_authorization.as_str();
    let thumbprint = thumbprint.rsplit_once('.').map_or("", |(_, thumbprint)| thumbprint);
    Answer::new(token_part1, proof.token.as_str(), thumbprint)
}

impl ReplySolver {
    async fn await_mail(&self, imap: &Imap, resolver: &Recursor, from: &Mailbox) -> Result<Received, SolverError> {
        let said = Said::default();
        let mut session = imap.open().await.map_err(|why| failed(why, Some(READ)))?;
        Output::standard().note(&format!("waiting for the challenge mail from {from}"));
        let mut seen = HashSet::new();
        loop {
            let candidates = session.from(from, &seen).await.map_err(|why| failed(why, Some(READ)))?;
            for Candidate { folder, uid, octets } in candidates {
                match self.read(resolver, from, &octets).await? {
                    Ok(received) => return Ok(received),
                    // 8823-3-6
                    Err(why) => {
                        said.once(&format!("a mail from {from} is left alone: {why}"));
                        if !why.is_temporary() {
                            seen.insert((folder, uid));
                        }
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn read(
        &self,
        resolver: &Recursor,
        from: &Mailbox,
        octets: &[u8],
    ) -> Result<Result<Received, Left>, SolverError> {
        let octets = with_crlf(octets);
        let unverified = match Unverified::read(&octets, from, &self.mailbox) {
            Ok(unverified) => unverified,
            Err(fault) => return Ok(Err(Left::Fault(fault))),
        };
        let mut answers = Answers::default();
        let judged = loop {
            match unverified.judge(&Default::default(), SystemClock.now(), &answers) {
                Step::Done(judged) => break judged,
                Step::Ask(names) => {
                    for name in names {
                        let answer = resolver.txt(&name).await.map_or(Txt::Unavailable, Txt::of);
                        answers.insert(name, answer);
                    }
                }
            }
        };
        let received = match judged {
            Ok(received) => received,
            Err(fault) => return Ok(Err(Left::Fault(fault))),
        };
        Ok(match &received.message_id {
            Some(id) if self.answered.has(id) => Err(Left::Answered),
            _ => Ok(received),
        })
    }

    /// Before it is answered: a reply that was not sent costs a new order, one that is sent twice may cost more.
    fn remember(&self, received: &Received) -> Result<(), SolverError> {
        let Some(id) = &received.message_id else {
            return Ok(());
        };
        self.answered.add(id).map_err(|source| SolverError::File {
            path: self.answered.path().clone(),
            source,
        })
    }
}

/// Why a mail is not answered.
#[derive(Debug, thiserror::Error)]
enum Left {
    #[error("{0}")]
    Fault(ChallengeFault),
    #[error("it was answered before")]
    Answered,
}

impl Left {
    fn is_temporary(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_temporary())
    }
}

/// The same is not said at every look.
#[derive(Default)]
struct Said(Mutex<HashSet<String>>);

impl Said {
    fn once(&self, line: &str) {
        let is_new = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(line.to_owned());
        if is_new {
            Output::standard().note(line);
        }
    }
}

pub(super) fn failed(what: String, next: Option<&str>) -> SolverError {
    SolverError::Other {
        what,
        next: next.map(str::to_owned),
    }
}

const POLL: Duration = Duration::from_secs(2);
const READ: &str = "Check --imap, --user and the password.";
const SUBMIT: &str = "Check --submission, --user and the password.";
