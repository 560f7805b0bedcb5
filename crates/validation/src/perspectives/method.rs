//! A validation method that is believed only when others see the same.

use std::sync::Arc;

use acme::Problem;
use authority::{
    identifier::Name,
    model::Observation,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};

use super::{
    Perspectives,
    quorum::Tally,
    reading::Reading,
    wire::{LONGEST_VALIDATION, Look},
};

pub(super) struct Corroborated {
    method: Arc<dyn ValidationMethod>,
    perspectives: Arc<Perspectives>,
}

impl Corroborated {
    pub fn new(method: Arc<dyn ValidationMethod>, perspectives: Arc<Perspectives>) -> Self {
        Self { method, perspectives }
    }
}

impl ValidationMethod for Corroborated {
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn wraps(&self) -> Option<&dyn ValidationMethod> {
        Some(&*self.method)
    }

    fn offered_for(&self, name: &Name) -> bool {
        self.method.offered_for(name)
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let (method, perspectives) = (self.method.clone(), self.perspectives.clone());
        Box::pin(async move {
            let report = method.validate(request.clone()).await;
            match report.verdict {
                Ok(()) => perspectives.corroborate(method.name(), request, report).await,
                // Nobody is sent to a place where there is nothing to corroborate.
                Err(_) => report,
            }
        })
    }
}

impl Perspectives {
    async fn corroborate(&self, method: &str, request: ValidationRequest, primary: Report) -> Report {
        let identifier = request.name.identifier().clone();
        let key_authorization = request.key_authorization.as_str();
        let thumbprint = key_authorization.rsplit('.').next().unwrap_or_default().to_owned();
        let look = Look::Validation {
            method: method.to_owned(),
            identifier: identifier.clone(),
            token: request.token,
            thumbprint,
            response: request.response,
        };
        let readings = self.ask_all(request.account, &look, LONGEST_VALIDATION).await;
        let ballots: Vec<_> = readings.iter().map(Reading::ballot).collect();
        let tally = Tally::of(&ballots, &self.rule);
        let failure = (!tally.is_met()).then(|| tally.failure());
        let result = tally.to_string();
        let mut evidence = primary.evidence;
        evidence
            .observations
            .extend(readings.into_iter().map(Reading::into_observation));
        evidence.observations.push(Observation::Quorum {
            about: vec![identifier.value],
            result,
        });
        evidence.finished = (self.clock)();
        Report {
            evidence,
            transient: failure.as_ref().is_some_and(|failure| failure.transient),
            verdict: failure.map_or(Ok(()), |failure| Err(Problem::new(failure.kind, failure.detail))),
        }
    }
}
