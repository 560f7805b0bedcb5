//! Mail that comes in: answers to challenges, and word of those that found nobody. Everything else is refused with the
//! reason, by the reply of the session and never by a mail.

use std::sync::Arc;

use authority::{Authority, CodeReturn, model::Observation, ports::BoxFuture};
use mail::{
    bounce,
    dmarc::Verdict as Dmarc,
    dns::{Answers, Step, Txt},
    message::{Message, address::Mailbox},
    reply::{Envelope, Expected, Facts, Policy, Reply, Verdict},
    spf::{self, SpfDns},
};
use validation::{attempt::Clock, resolver::Resolver};

use super::{
    address::Addresses,
    transport::listener::{Acceptance, Delivery, Desk, Taken},
};

pub struct Inbox<D> {
    pub authority: Authority,
    pub addresses: Addresses,
    pub resolver: Arc<dyn Resolver>,
    /// For SPF, where mail comes here straight from the hosts of its senders.
    pub spf: Option<D>,
    pub policy: Policy,
    pub clock: Clock,
}

impl<D: SpfDns + Send + 'static> Desk for Inbox<D> {
    fn accepts<'a>(&'a self, recipient: &'a str) -> BoxFuture<'a, Acceptance> {
        Box::pin(async move {
            let Some(place) = self.place(recipient) else {
                return Acceptance::No("no such mailbox here; only challenges of certificates are answered".to_owned());
            };
            match self.authority.awaited_code(&place).await {
                Ok(Some(_)) => Acceptance::Yes,
                Ok(None) => Acceptance::No("no challenge waits for an answer at this address".to_owned()),
                Err(failure) => {
                    tracing::warn!(%failure, "whether an answer is awaited could not be read");
                    Acceptance::Later("try again later".to_owned())
                }
            }
        })
    }

    fn take<'a>(&'a self, delivery: Delivery) -> BoxFuture<'a, Taken> {
        Box::pin(async move {
            let taken = self.judge(&delivery).await;
            match &taken {
                Taken::Done => {}
                Taken::Refused(why) | Taken::Later(why) => {
                    tracing::info!(recipient = delivery.recipient, peer = %delivery.peer, why, "a mail is no answer");
                }
            }
            taken
        })
    }
}

impl<D: SpfDns + Send> Inbox<D> {
    fn place(&self, recipient: &str) -> Option<String> {
        self.addresses.place(&Mailbox::parse(recipient).ok()?)
    }

    async fn judge(&self, delivery: &Delivery) -> Taken {
        let Some(place) = self.place(&delivery.recipient) else {
            return Taken::Refused("no such mailbox here".to_owned());
        };
        let awaited = match self.authority.awaited_code(&place).await {
            Ok(Some(awaited)) => awaited,
            Ok(None) => return Taken::Refused("no challenge waits for an answer at this address".to_owned()),
            Err(failure) => return settled(Err(failure)),
        };
        let recipient = self.addresses.of_place(&place);
        if delivery.return_path.is_none()
            && let Ok(message) = Message::parse(&delivery.octets)
            && let Some(why) = bounce::failure(&message)
        {
            return settled(self.authority.code_undeliverable(&place, &why).await);
        }
        let Ok(mailbox) = Mailbox::parse(&awaited.identifier.value) else {
            return Taken::Refused("the challenge is for no mailbox".to_owned());
        };
        let envelope = Envelope {
            recipient: recipient.clone(),
            has_null_return_path: delivery.return_path.is_none(),
            spf: self.spf_of(delivery).await,
        };
        let reply = match Reply::read(&delivery.octets, &envelope) {
            Ok(reply) => reply,
            Err(reason) => return Taken::Refused(reason.to_string()),
        };
        let expected = Expected {
            mailbox: &mailbox,
            recipient: &recipient,
            token_part1: &awaited.code,
        };
        let mut answers = Answers::default();
        let verdict = loop {
            match reply.judge(&expected, &self.policy, (self.clock)(), &answers) {
                Step::Ask(names) => {
                    for name in names {
                        let answer = self.txt(&name).await;
                        answers.insert(name, answer);
                    }
                }
                Step::Done(verdict) => break verdict,
            }
        };
        match verdict {
            Verdict::Authentic(facts) => {
                let seen = vec![sent(&facts, delivery)];
                settled(self.authority.code_returned(&place, &facts.digest, seen).await)
            }
            Verdict::Ignored(reason) => Taken::Refused(reason.to_string()),
            Verdict::Later(reason) => Taken::Later(reason.to_string()),
        }
    }

    async fn spf_of(&self, delivery: &Delivery) -> Option<spf::Outcome> {
        let dns = self.spf.as_ref()?;
        let delivery = spf::Delivery {
            host: delivery.peer,
            helo: delivery.helo.clone(),
            return_path: match &delivery.return_path {
                Some(path) => Some(Mailbox::parse(path).ok()?),
                None => None,
            },
        };
        Some(spf::check(dns, &delivery).await)
    }

    async fn txt(&self, name: &str) -> Txt {
        use validation::resolver::DnsFailure;
        match self.resolver.txt(name).await.records {
            Ok(records) => {
                let texts = records.into_iter().take(MOST_RECORDS);
                Txt::of(texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect())
            }
            Err(DnsFailure::NxDomain) => Txt::Absent,
            // Also one that may be forged: it says nothing, and may say something later.
            Err(_) => Txt::Unavailable,
        }
    }
}

fn settled(outcome: Result<CodeReturn, authority::Failure>) -> Taken {
    match outcome {
        Ok(CodeReturn::Taken) => Taken::Done,
        Ok(CodeReturn::NotAwaited) => Taken::Refused("no challenge waits for an answer at this address".to_owned()),
        Err(failure) => {
            tracing::warn!(%failure, "an answer was not stored");
            Taken::Later("try again later".to_owned())
        }
    }
}

/// The proof of sending.
fn sent(facts: &Facts, delivery: &Delivery) -> Observation {
    let counted = &facts.signature;
    let others = facts.signatures.iter().filter(|other| *other != counted);
    let dkim = std::iter::once(counted)
        .chain(others)
        .take(MOST_SIGNATURES)
        .map(|judged| {
            let algorithm = judged.algorithm.map_or("unknown", |algorithm| algorithm.as_str());
            format!("{judged}; a={algorithm}; h={}", judged.names.join(":"))
        });
    let dmarc = match facts.dmarc.verdict {
        Dmarc::Pass => "pass",
        Dmarc::Fail => "fail",
        Dmarc::None => "none",
        Dmarc::TempError => "temperror",
    };
    let tls = delivery.tls.as_deref().unwrap_or("no TLS");
    Observation::Sent {
        from: facts.mailbox.to_string(),
        sha256: facts.hash.iter().map(|octet| format!("{octet:02x}")).collect(),
        dkim: dkim.map(|text| shown(&text)).collect(),
        dmarc: dmarc.to_owned(),
        spf: facts
            .spf
            .as_ref()
            .map_or("not looked at", |spf| spf.result.as_str())
            .to_owned(),
        delivered_by: format!("{} ({}, {tls})", delivery.peer, shown(&delivery.helo)),
    }
}

/// What strangers wrote is bounded before it is kept for years.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

const MOST_RECORDS: usize = 16;
const MOST_SIGNATURES: usize = 4;
const LONGEST: usize = 600;
