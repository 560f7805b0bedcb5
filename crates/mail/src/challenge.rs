//! The mail that an authority sends (RFC 8823 §3.1): composed for the authority, read and judged for the client.

use jiff::Timestamp;

use crate::{
    answer,
    authentication::{self, Policy, Unsigned},
    automatic::AutoSubmitted,
    dkim::{
        Signer,
        coverage::{Kind, LISTS, REQUIRED, RESENT},
    },
    dns::{Answers, Step},
    message::{
        Message, MessageError,
        address::{AddressError, Mailbox},
        subject::{self, SubjectError},
    },
    message_id::MessageId,
};

/// A challenge to be sent.
#[derive(Clone, Debug)]
pub struct Challenge<'a> {
    /// The challenge object's `from`, one for each authorization, so that replies find theirs by it.
    pub from: &'a Mailbox,
    /// Whose mailbox it is.
    pub to: &'a Mailbox,
    /// In base64url, of a multiple of three octets (see [`answer`]).
    pub token_part1: &'a str,
    pub message_id: &'a MessageId,
    pub date: Timestamp,
    /// How the authority calls itself to people, in one line.
    pub authority: &'a str,
}

impl Challenge<'_> {
    /// The message, not yet signed. Its addresses are bare, because there are clients that compare whole fields.
    pub fn compose(&self) -> Vec<u8> {
        let body = self.body();
        let encoding = if body.is_ascii() { "7bit" } else { "8bit" };
        let Self {
            from,
            to,
            token_part1,
            message_id,
            date,
            ..
        } = self;
        let date = rfc5322_date(*date);
        let header = format!(
            "From: {from}\nTo: {to}\nSubject: ACME: {token_part1}\nDate: {date}\nMessage-ID: {message_id}\n\
             Auto-Submitted: auto-generated; type=acme\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: {encoding}\n\n"
        );
        (header + &body).replace('\n', "\r\n").into_bytes()
    }

    /// The message with a signature of each signer before it. All names of RFC 8823 are over-signed, also those it only
    /// recommends.
    pub fn signed(&self, signers: &[&Signer]) -> Result<Vec<u8>, MessageError> {
        let octets = self.compose();
        let message = Message::parse(&octets)?;
        let names: Vec<&str> = REQUIRED
            .into_iter()
            .chain(["MIME-Version"])
            .chain(RESENT)
            .chain(LISTS)
            .collect();
        let fields = signers.iter().map(|signer| signer.sign(&message, &names, self.date));
        Ok([fields.collect::<String>().into_bytes(), octets].concat())
    }

    /// 8823-3.1-4: for people whose mail program knows nothing of this. The lines that frame an answer are not in it, so that
    /// a quoted challenge is never taken for one.
    fn body(&self) -> String {
        let Self { to, token_part1, .. } = self;
        let authority: String = self.authority.chars().filter(|c| !c.is_control()).take(100).collect();
        format!(
            "Somebody asked {authority} for a certificate for the address\n\n    {to}\n\n\
             If it was you, your ACME client may answer this mail by itself, and you need\n\
             do nothing. If it does not read your mail, give it the following token; it\n\
             tells you what to send back as a reply to this mail, from this address:\n\n    {token_part1}\n\n\
             If it was not you, do nothing: nobody gets a certificate without an answer\n\
             from your mailbox. Do not forward this mail, and give the token to nobody who\n\
             asks you for it. No person reads what is sent to the address it comes from.\n"
        )
    }
}

pub(crate) fn rfc5322_date(date: Timestamp) -> String {
    date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// A challenge mail that claims to be the one a client waits for.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    message: Message<'a>,
    received: Received,
}

/// What a client needs of a challenge mail to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The challenge object's `from`.
    pub from: Mailbox,
    /// Where the answer goes, if not to `from`.
    pub reply_to: Option<Mailbox>,
    /// The ordered address.
    pub to: Mailbox,
    /// As received, without white space.
    pub token_part1: String,
    /// Of which a client remembers that it has answered it (8823-3-7).
    pub message_id: Option<MessageId>,
}

impl<'a> Unverified<'a> {
    /// Reads a mail that should come from the challenge object's `from` and go to the ordered address.
    pub fn read(octets: &'a [u8], from: &Mailbox, to: &Mailbox) -> Result<Self, ChallengeFault> {
        let message = Message::parse(octets)?;
        let one = |name: &'static str| match message.field(name) {
            None => Ok(None),
            Some(field) => Mailbox::only(&field.value())
                .map(Some)
                .map_err(|error| ChallengeFault::Address(name, error)),
        };
        let sender = one("From")?.ok_or(ChallengeFault::Missing("From"))?;
        if sender != *from {
            return Err(ChallengeFault::From {
                seen: sender.to_string(),
                wanted: from.to_string(),
            });
        }
        let addressee = one("To")?.ok_or(ChallengeFault::Missing("To"))?;
        if addressee != *to {
            return Err(ChallengeFault::To {
                seen: addressee.to_string(),
                wanted: to.to_string(),
            });
        }
        if !matches!(AutoSubmitted::of(&message), AutoSubmitted::Generated { .. }) {
            return Err(ChallengeFault::NotGenerated);
        }
        let token_part1 = subject::token(&message)?;
        if !subject::is_original(&message) {
            return Err(ChallengeFault::IsReply);
        }
        let octets = answer::decode(&token_part1).ok_or(ChallengeFault::Token)?;
        if octets.len() < LEAST_TOKEN {
            return Err(ChallengeFault::Token);
        }
        let received = Received {
            from: sender,
            reply_to: one("Reply-To")?,
            to: addressee,
            token_part1,
            message_id: message
                .field("Message-ID")
                .and_then(|field| MessageId::parse(&field.value())),
        };
        Ok(Self { message, received })
    }

    /// The challenge, once it is known that the domain of its From has signed it.
    pub fn judge(&self, policy: &Policy, now: Timestamp, answers: &Answers) -> Step<Result<Received, ChallengeFault>> {
        let domain = self.received.from.domain();
        match authentication::judge(&self.message, domain, Kind::Challenge, policy, now, answers) {
            Step::Ask(names) => Step::Ask(names),
            Step::Done(judged) if judged.iter().any(|judged| judged.result.is_ok()) => {
                Step::Done(Ok(self.received.clone()))
            }
            Step::Done(judged) => Step::Done(Err(ChallengeFault::Unsigned(Unsigned(judged)))),
        }
    }
}

/// Why a client leaves a mail alone. RFC 8823 §3.1 wants it logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeFault {
    #[error("it is no message: {0}")]
    Message(#[from] MessageError),
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("its {0} cannot be used: {1}")]
    Address(&'static str, AddressError),
    #[error("it comes from {seen}, and the challenge says {wanted}")]
    From { seen: String, wanted: String },
    #[error("it is for {seen}, not for {wanted}")]
    To { seen: String, wanted: String },
    #[error("it is not Auto-Submitted: auto-generated")]
    NotGenerated,
    #[error("its Subject cannot be used: {0}")]
    Subject(#[from] SubjectError),
    #[error("it is a reply to a challenge, not one")]
    IsReply,
    #[error("its token is no base64url of 128 bits and more")]
    Token,
    #[error("nobody vouches for it: {0}")]
    Unsigned(Unsigned),
}

impl ChallengeFault {
    /// Whether the same mail may be right once the DNS answers.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unsigned(unsigned) if unsigned.is_temporary())
    }
}

/// 128 bits (RFC 8823 §3 step 4).
const LEAST_TOKEN: usize = 16;
