//! `mail-greeting-01`: a word in the greeting of a service, or among its capabilities.

use std::sync::Arc;

use authority::{
    identifier::Name,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};

use super::{Ground, judge, named, probe::Published};
use crate::value::Bound;

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

    fn members(&self, name: &Name, _token: &str) -> Map<String, Value> {
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
            let places = ground.settings.ports.offered();
            let judge =
                |published: &Published, at| judge::bound(published, METHOD, &request.key_authorization, at, &places);
            let outcome = ground
                .look_at_each(&request, &mut attempt, METHOD.method(), judge)
                .await;
            attempt.conclude(outcome)
        })
    }
}

const METHOD: Bound = Bound::MailGreeting;
