//! The moment "validation method": one way of proving control (RFC 8555 §8).

use std::sync::Arc;

use acme::{KeyAuthorization, Problem};
use serde_json::{Map, Value};

use super::{BoxFuture, CodeTransport};
use crate::{
    identifier::Name,
    model::{AccountId, Evidence, SentCode},
};

/// A way of proving control, registered at start. The base's own three and those of extensions are alike.
pub trait ValidationMethod: Send + Sync {
    /// The challenge type, for example `http-01`.
    fn name(&self) -> &'static str;

    /// The method around which this one is put: it answers whatever this one does not say itself.
    fn wraps(&self) -> Option<&dyn ValidationMethod> {
        None
    }

    /// Whether a challenge of this type is offered for the name.
    fn offered_for(&self, name: &Name) -> bool;

    /// Whether it is offered, for a name it can prove, in orders of this profile.
    fn serves(&self, name: &Name, profile: &str) -> bool {
        self.wraps().is_none_or(|method| method.serves(name, profile))
    }

    /// Whether its challenges have a token (RFC 8555 §8.1).
    fn has_token(&self) -> bool {
        self.wraps().is_none_or(|method| method.has_token())
    }

    /// Members of the challenge object beside those of RFC 8555 §8.
    fn members(&self, name: &Name, token: &str) -> Map<String, Value> {
        self.wraps().map_or_else(Map::new, |method| method.members(name, token))
    }

    /// How its codes get out, if it proves that what is sent there can be read and answered there. Until one has come
    /// back there is nothing to look at: the challenge is `processing` and waits.
    fn code(&self) -> Option<Arc<dyn CodeTransport>> {
        self.wraps()?.code()
    }

    /// The member in which the challenge object shows its random text, where that is not `token`.
    fn instead_of_token(&self, token: &str) -> Option<(&'static str, Value)> {
        self.wraps()?.instead_of_token(token)
    }

    /// What is kept of a response's payload until it is validated; `Err` says why the payload is malformed, and leaves the
    /// challenge as it was. Most methods look elsewhere, and keep nothing.
    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        self.wraps().map_or(Ok(None), |method| method.take_response(payload))
    }

    /// Whether an order may rest on what was proved for an earlier one. Not where the proof's own document bounds that
    /// more tightly than this authority can.
    fn reusable(&self) -> bool {
        self.wraps().is_none_or(|method| method.reusable())
    }

    /// Whether it looks at the network, so that a look from elsewhere could see something else (RFC 8555 §10.2).
    fn is_probe(&self) -> bool {
        self.wraps().is_none_or(|method| method.is_probe())
    }

    /// Looks, once, and says what was seen. A failed validation is a result, not an error; the future ends within
    /// a bound of its own and has no effect on anything but the network.
    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report>;
}

/// What is to be proved.
#[derive(Clone, Debug)]
pub struct ValidationRequest {
    pub account: AccountId,
    pub name: Name,
    /// Empty where the method has none.
    pub token: String,
    pub key_authorization: KeyAuthorization,
    /// What the method kept of the response.
    pub response: Option<Value>,
    /// Of a method that sends codes: the challenge's own, which has come back or never will; `None` where it is
    /// forgotten.
    pub code: Option<SentCode>,
}

/// What one attempt found.
#[derive(Clone, Debug)]
pub struct Report {
    pub evidence: Evidence,
    pub verdict: Result<(), Problem>,
    /// Of a failure: it may pass by itself (no connection, no answer), so trying again is worth it.
    pub transient: bool,
}
