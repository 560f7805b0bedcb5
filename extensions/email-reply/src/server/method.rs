//! `email-reply-00` (RFC 8823 §3): half of the token goes to the mailbox, and comes back from there.

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::{Name, Target},
    model::{Observation, SentCode},
    ports::{BoxFuture, CodeTransport, Report, ValidationMethod, ValidationRequest},
};
use mail::answer::{Answer, Joining};
use serde_json::{Map, Value};
use validation::attempt::{Attempt, Clock, Failure};

use super::address::Addresses;

pub struct EmailReply {
    pub addresses: Addresses,
    pub outbox: Arc<dyn CodeTransport>,
    /// In which it is offered; in all where there are none.
    pub profiles: Vec<String>,
    pub clock: Clock,
}

impl ValidationMethod for EmailReply {
    fn name(&self) -> &'static str {
        NAME
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Mailbox { .. })
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|served| served == profile)
    }

    // 8823-3-3
    fn members(&self, _name: &Name, token: &str) -> Map<String, Value> {
        let from = self.addresses.of_token(token);
        Map::from_iter([("from".to_owned(), from.into())])
    }

    /// The mail is looked at where it arrives, and there is but one such place.
    fn is_probe(&self) -> bool {
        false
    }

    fn code(&self) -> Option<Arc<dyn CodeTransport>> {
        Some(self.outbox.clone())
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let mut attempt = Attempt::begin(NAME, self.clock.clone());
        let outcome = judge(&request, &mut attempt);
        Box::pin(std::future::ready(attempt.conclude(outcome)))
    }
}

fn judge(request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let mailbox = request.name.identifier();
    let Some(code) = &request.code else {
        return Err(Failure::lasting(
            ProblemType::Connection,
            format!("The time to answer the challenge mail to {mailbox} is over; place a new order."),
        ));
    };
    if let Some(why) = &code.refused {
        return Err(Failure::lasting(
            ProblemType::Connection,
            format!("The challenge mail to {mailbox} cannot be delivered: {why}"),
        ));
    }
    let Some(returned) = &code.returned else {
        return Err(not_returned(code));
    };
    let thumbprint = request.key_authorization.as_str();
    let thumbprint = thumbprint.rsplit_once('.').map_or("", |(_, thumbprint)| thumbprint);
    let joining = Answer::new(&code.code, &request.token, thumbprint).matches(&returned.answer);
    let sent = code.sent.as_ref();
    attempt.saw(Observation::Received {
        at: code.identifier.value.clone(),
        sent: sent.map_or(code.offered, |sent| sent.at),
        by: sent.map_or_else(String::new, |sent| sent.to.clone()),
        returned: returned.at,
        answer: match joining {
            Some(Joining::Text) => "the digest of both halves of the token, joined as texts",
            Some(Joining::Octets) => "the digest of both halves of the token, joined as octets",
            None => "another digest",
        }
        .to_owned(),
    });
    returned.observations.iter().for_each(|seen| attempt.saw(seen.clone()));
    match joining {
        Some(_) => Ok(()),
        // 8823-3.2-9: no second guess.
        None => Err(Failure::lasting(
            ProblemType::Unauthorized,
            format!(
                "The reply from {mailbox} is authentic, but its digest is not that of this challenge and this account's \
                 key. It is made of the token in the mail's Subject, then the challenge's token, a dot, and the account \
                 key's thumbprint (RFC 8823 §3). Place a new order."
            ),
        )),
    }
}

fn not_returned(code: &SentCode) -> Failure {
    let mailbox = &code.identifier.value;
    let how_far = match &code.sent {
        Some(sent) => format!("it was sent at {}", sent.at),
        None => format!("it could not be sent in {} attempts", code.attempts),
    };
    let detail = format!(
        "No reply to the challenge mail to {mailbox} came until {}; {how_far}.",
        code.until
    );
    Failure::lasting(ProblemType::Connection, detail)
}

const NAME: &str = "email-reply-00";
