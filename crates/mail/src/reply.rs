//! The mail that answers a challenge (RFC 8823 §3.2): composed for the client, judged for the authority.
//!
//! A reply is judged by its DKIM signature. Replies that are signed with S/MIME instead are not judged yet: they are
//! ignored as unsigned ones.

use aws_lc_rs::digest;
use jiff::Timestamp;

use crate::{
    answer::{Answer, Joining},
    authentication::{self, Judged, Unsigned},
    automatic::{self, Automatic},
    challenge::{Received, rfc5322_date},
    dkim::coverage::{Coverage, Kind},
    dmarc::{self, Authenticated, Evaluation},
    dns::{Answers, Step},
    message::{
        Message, MessageError,
        address::{AddressError, Mailbox},
        block::{self, BlockError},
        domain::Domain,
        subject::{self, SubjectError},
        text::{Text, TextError},
    },
    message_id::MessageId,
    spf::{self, SpfResult},
};

/// The reply to a challenge, not yet signed: the sender's mail server does that.
pub fn compose(challenge: &Received, digest: &str, message_id: &MessageId, date: Timestamp) -> Vec<u8> {
    let Received {
        from,
        reply_to,
        to,
        token_part1,
        message_id: answered,
    } = challenge;
    let recipient = reply_to.as_ref().unwrap_or(from);
    let date = rfc5322_date(date);
    let thread = answered
        .as_ref()
        .map_or(String::new(), |id| format!("In-Reply-To: {id}\nReferences: {id}\n"));
    let text = format!(
        "From: {to}\nTo: {recipient}\nSubject: Re: ACME: {token_part1}\nDate: {date}\nMessage-ID: {message_id}\n{thread}\
         Auto-Submitted: auto-replied; type=acme\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\
         Content-Transfer-Encoding: 7bit\n\n{}\n{digest}\n{}\n",
        block::BEGIN,
        block::END,
    );
    text.replace('\n', "\r\n").into_bytes()
}

/// How a reply came in, as the server that took it knows.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Where it was delivered to.
    pub recipient: Mailbox,
    pub has_null_return_path: bool,
    /// What SPF says of the host that delivered it; `None` where it is not known, as for mail from a file.
    pub spf: Option<spf::Outcome>,
}

/// What an authority insists on.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub signature: authentication::Policy,
    /// Whether, below [`Coverage::Strict`], a signature that does not cover the absence of list fields counts only together
    /// with SPF: without either, a list could have passed the mail on and taken its own fields away.
    pub wants_direct_hop: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            signature: authentication::Policy::default(),
            wants_direct_hop: true,
        }
    }
}

/// What the authorization expects.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The identifier.
    pub mailbox: &'a Mailbox,
    /// The challenge's `from`.
    pub recipient: &'a Mailbox,
    pub token_part1: &'a str,
}

/// A reply that can be read and is nobody's but its author's, so far.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    message: Message<'a>,
    envelope: &'a Envelope,
    author: Mailbox,
    hash: [u8; 32],
}

/// What becomes of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The mailbox has answered this challenge. Whether its digest is the right one depends on the account
    /// ([`Facts::answers`]); if it is not the challenge has failed, there is no second guess.
    Authentic(Box<Facts>),
    /// It is not this challenge's reply, or nothing vouches for it: the challenge goes on waiting.
    Ignored(Reason),
    /// The DNS was silent: judge the same mail again later.
    Later(Reason),
}

/// What is known of a reply that was judged to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the message.
    pub hash: [u8; 32],
    pub mailbox: Mailbox,
    pub token_part1: String,
    /// As it was sent.
    pub digest: String,
    /// The signature that counted.
    pub signature: Judged,
    /// Every signature, also that one.
    pub signatures: Vec<Judged>,
    pub dmarc: dmarc::Outcome,
    pub spf: Option<spf::Outcome>,
}

impl Facts {
    /// How the right digest was made, or `None` where it is wrong.
    pub fn answers(&self, answer: &Answer) -> Option<Joining> {
        answer.matches(&self.digest)
    }
}

impl<'a> Reply<'a> {
    /// Reads what was delivered, before it is known to which authorization it belongs.
    pub fn read(octets: &'a [u8], envelope: &'a Envelope) -> Result<Self, Reason> {
        let message = Message::parse(octets)?;
        if let Some(automatic) = automatic::reason(&message, &envelope.recipient, envelope.has_null_return_path) {
            return Err(automatic.into());
        }
        let from = message.field("From").ok_or(Reason::NoFrom)?;
        let author = Mailbox::only(&from.value()).map_err(Reason::From)?;
        let hash = digest::digest(&digest::SHA256, octets);
        let hash = hash.as_ref().try_into().expect("invariant: SHA-256 has 32 octets");
        Ok(Self {
            message,
            envelope,
            author,
            hash,
        })
    }

    /// SHA-256 of the message, by which its repetition is known.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Who it claims to be from.
    pub fn author(&self) -> &Mailbox {
        &self.author
    }

    /// The verdict, or the names whose TXT records are wanted first: keys, then DMARC.
    pub fn judge(&self, expected: &Expected<'_>, policy: &Policy, now: Timestamp, answers: &Answers) -> Step<Verdict> {
        match self.facts(expected, policy, now, answers) {
            Ok(Step::Ask(names)) => Step::Ask(names),
            Ok(Step::Done(facts)) => Step::Done(Verdict::Authentic(Box::new(facts))),
            Err(reason) if reason.is_temporary() => Step::Done(Verdict::Later(reason)),
            Err(reason) => Step::Done(Verdict::Ignored(reason)),
        }
    }

    fn facts(
        &self,
        expected: &Expected<'_>,
        policy: &Policy,
        now: Timestamp,
        answers: &Answers,
    ) -> Result<Step<Facts>, Reason> {
        if self.envelope.recipient != *expected.recipient {
            return Err(Reason::Recipient(expected.recipient.to_string()));
        }
        if self.author != *expected.mailbox {
            return Err(Reason::Author {
                seen: self.author.to_string(),
                wanted: expected.mailbox.to_string(),
            });
        }
        self.is_for_nobody_else(expected.recipient)?;
        let domain = self.author.domain();
        let signatures =
            match authentication::judge(&self.message, domain, Kind::Reply, &policy.signature, now, answers) {
                Step::Ask(names) => return Ok(Step::Ask(names)),
                Step::Done(signatures) => signatures,
            };
        let direct = self.is_direct(domain);
        let counts = |judged: &&Judged| {
            judged.result.is_ok()
                && (direct
                    || judged.covers_lists
                    || !policy.wants_direct_hop
                    || policy.signature.coverage == Coverage::Strict)
        };
        let Some(signature) = signatures.iter().find(counts).cloned() else {
            if signatures.iter().any(|judged| judged.result.is_ok()) {
                return Err(match self.envelope.spf.as_ref().map(|spf| spf.result) {
                    Some(SpfResult::TempError) => Reason::HopUnknown,
                    seen => Reason::Hop(seen.map_or("unknown", SpfResult::as_str)),
                });
            }
            return Err(Reason::Unsigned(Unsigned(signatures)));
        };
        let dmarc = match self.evaluation(domain).step(answers) {
            Step::Ask(names) => return Ok(Step::Ask(names)),
            Step::Done(outcome) => outcome,
        };
        if dmarc.is_refusal() {
            return Err(Reason::Dmarc);
        }
        let token_part1 = subject::token(&self.message)?;
        if token_part1 != expected.token_part1 {
            return Err(Reason::OtherToken);
        }
        let digest = block::digest(&Text::first_of(&self.message)?)?;
        Ok(Step::Done(Facts {
            hash: self.hash,
            mailbox: self.author.clone(),
            token_part1,
            digest,
            signature,
            signatures,
            dmarc,
            spf: self.envelope.spf.clone(),
        }))
    }

    /// What a list passes on under its own name was written to the list: it must be addressed to the challenge alone, by its
    /// author alone.
    fn is_for_nobody_else(&self, recipient: &Mailbox) -> Result<(), Reason> {
        let to = self.message.field("To").map(|field| Mailbox::only(&field.value()));
        if to != Some(Ok(recipient.clone())) {
            return Err(Reason::To(recipient.to_string()));
        }
        match ["Cc", "Sender", "Reply-To"]
            .into_iter()
            .find(|name| self.message.has(name))
        {
            Some(name) => Err(Reason::Beside(name)),
            None => Ok(()),
        }
    }

    /// Whether the host that delivered it may send for the author's very domain.
    fn is_direct(&self, domain: &Domain) -> bool {
        let spf = self.envelope.spf.as_ref();
        spf.is_some_and(|spf| spf.result == SpfResult::Pass && spf.domain.as_ref() == Some(domain))
    }

    /// A signature that counted is the domain's own, so that is who vouches; SPF is added for the record.
    fn evaluation(&self, domain: &Domain) -> Evaluation {
        let passed = self.envelope.spf.iter().filter(|spf| spf.result == SpfResult::Pass);
        let spf = passed.filter_map(|spf| spf.domain.clone()).map(Authenticated::Spf);
        Evaluation {
            author: domain.clone(),
            authenticated: [Authenticated::Dkim(domain.clone())].into_iter().chain(spf).collect(),
        }
    }
}

/// Why a mail is not taken for a challenge's reply. Operators read these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("it is no message: {0}")]
    Message(#[from] MessageError),
    #[error("{0}")]
    Automatic(#[from] Automatic),
    #[error("it was not delivered to {0}, from which its challenge was sent")]
    Recipient(String),
    #[error("its To is not {0} and nobody else; answer the challenge mail itself")]
    To(String),
    #[error("it has a field {0}, as mail that somebody passes on has; answer without it")]
    Beside(&'static str),
    #[error("it has no From")]
    NoFrom,
    #[error("its From cannot be used: {0}")]
    From(AddressError),
    #[error("it is from {seen}; the challenge is for {wanted}, and an alias cannot answer it")]
    Author { seen: String, wanted: String },
    #[error("nobody vouches for it: {0}")]
    Unsigned(Unsigned),
    #[error(
        "its signature does not cover the absence of List-* fields, and SPF of the host that delivered it is {0} for the \
         domain of From; over-sign List-*, or deliver directly"
    )]
    Hop(&'static str),
    #[error("the DNS gave no answer about SPF, which is needed because List-* fields are not over-signed")]
    HopUnknown,
    #[error("the DMARC policy of its domain refuses it")]
    Dmarc,
    #[error("{0}")]
    Subject(#[from] SubjectError),
    #[error("the token in its Subject is not this challenge's")]
    OtherToken,
    #[error("{0}")]
    Text(#[from] TextError),
    #[error("{0}")]
    Block(#[from] BlockError),
}

impl Reason {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Unsigned(unsigned) => unsigned.is_temporary(),
            Self::HopUnknown => true,
            _ => false,
        }
    }
}
