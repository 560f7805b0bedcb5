//! `mail-greeting-01`: a word in the greeting of a service, or among its capabilities.

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
use crate::{service::ServicePort, value::Bound};

pub struct MailGreeting(pub Arc<Ground>);

impl ValidationMethod for MailGreeting {
    fn name(&self) -> &'static str {
        METHOD.method()
    }

    fn offered_for(&self, name: &Name) -> bool {
        !self.0.places(name).is_empty()
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.0.serves(profile)
    }

    fn members(&self, name: &Name) -> Map<String, Value> {
        self.0.members(&self.0.places(name))
    }

    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        let named = named::read(payload, &self.0.settings.ports)?;
        Ok(named.as_deref().map(named::keep))
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let ground = self.0.clone();
        Box::pin(async move {
            let mut attempt = ground.network.begin(METHOD.method());
            let outcome = prove(&ground, &request, &mut attempt).await;
            attempt.conclude(outcome)
        })
    }
}

/// Every service that the response names has to show its own word.
async fn prove(ground: &Ground, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let chosen = ground.chosen(&request.name, request.response.as_ref())?;
    let host = domain_of(&request.name)?;
    let looks = chosen.iter().map(|at| async {
        let mut own = ground.network.begin(METHOD.method());
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
    let ports = &ground.settings.ports;
    ground.probe.pinned(host, at, attempt).await?;
    let (published, whose) = ground.probe.look(host, at, ports, attempt).await?;
    judge::bound(&published, METHOD, &request.key_authorization, at, &ports.offered())
        .map_err(|why| judge::failure(&whose, why))
}

const METHOD: Bound = Bound::MailGreeting;
