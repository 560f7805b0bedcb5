//! `capability-smtp-00`, `capability-imap-00`, `capability-pop-00` (draft-ietf-acme-email-tls-05 §3.4).

use std::sync::Arc;

use authority::{
    identifier::Name,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};

use super::{Ground, judge, named, probe::Published};
use crate::service::{Protocol, ServicePort};

pub struct Capability {
    ground: Arc<Ground>,
    name: &'static str,
    protocols: &'static [Protocol],
}

impl Capability {
    /// LMTP is SMTP with another first word (open issue 2 of the draft).
    pub fn all(ground: &Arc<Ground>) -> [Self; 3] {
        let of = |name, protocols| Self {
            ground: ground.clone(),
            name,
            protocols,
        };
        [
            of("capability-smtp-00", &[Protocol::Smtp, Protocol::Lmtp]),
            of("capability-imap-00", &[Protocol::Imap]),
            of("capability-pop-00", &[Protocol::Pop3]),
        ]
    }

    fn places(&self, name: &Name) -> Vec<ServicePort> {
        let mut places = self.ground.places(name);
        places.retain(|at| self.protocols.contains(&at.service.protocol()));
        places
    }
}

impl ValidationMethod for Capability {
    fn name(&self) -> &'static str {
        self.name
    }

    fn offered_for(&self, name: &Name) -> bool {
        !self.places(name).is_empty()
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.ground.serves(profile)
    }

    fn members(&self, name: &Name, _token: &str) -> Map<String, Value> {
        self.ground.members(&self.places(name))
    }

    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        let named = named::read(payload, &self.ground.settings.ports)?.ok_or(NO_SERVICE)?;
        match named.iter().find(|at| !self.protocols.contains(&at.service.protocol())) {
            None => Ok(Some(named::keep(&named))),
            Some(other) => Err(format!("{} does not say what {} needs", other.service, self.name)),
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let (ground, name) = (self.ground.clone(), self.name);
        Box::pin(async move {
            let mut attempt = ground.network.begin(name);
            let judge = |published: &Published, _| judge::drafted(published, &request.key_authorization);
            let outcome = ground.look_at_each(&request, &mut attempt, name, judge).await;
            attempt.conclude(outcome)
        })
    }
}

/// The draft's MUST (§3.1).
pub const NO_SERVICE: &str = "\"service\" is missing; name the service that is to be looked at, for example \"imaps\"";
