//! `capability-smtp-00`, `capability-imap-00`, `capability-pop-00` (draft-ietf-acme-email-tls-05 §3.4).

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::Name,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use validation::{
    attempt::{Attempt, Failure},
    dial::within,
};

use super::{Ground, domain_of, judge, named, probe::WHOLE, together};
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

    fn members(&self, name: &Name) -> Map<String, Value> {
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
            let outcome = prove(&ground, name, &request, &mut attempt).await;
            attempt.conclude(outcome)
        })
    }
}

/// Every service that the response names has to list the digest.
async fn prove(
    ground: &Ground,
    name: &'static str,
    request: &ValidationRequest,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let chosen = ground.chosen(&request.name, request.response.as_ref())?;
    let host = domain_of(&request.name)?;
    let looks = chosen.iter().map(|at| async {
        let mut own = ground.network.begin(name);
        let look = one(ground, request, host, *at, &mut own);
        let outcome = within(WHOLE, ProblemType::Connection, look).await;
        (own, outcome)
    });
    let mut failures = Vec::new();
    for (own, outcome) in join_all(looks).await {
        attempt.absorb(own);
        failures.extend(outcome.err());
    }
    together(failures)
}

async fn one(
    ground: &Ground,
    request: &ValidationRequest,
    host: &str,
    at: ServicePort,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    ground.probe.pinned(host, at, attempt).await?;
    let (published, whose) = ground.probe.look(host, at, &ground.settings.ports, attempt).await?;
    judge::drafted(&published, &request.key_authorization).map_err(|why| judge::failure(&whose, why))
}

/// The draft's MUST (§3.1).
pub const NO_SERVICE: &str = "\"service\" is missing; name the service that is to be looked at, for example \"imaps\"";
