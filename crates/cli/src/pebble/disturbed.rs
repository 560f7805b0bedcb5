//! Validation as tests want it: late, or not at all.

use std::{sync::Arc, time::Duration};

use authority::{
    identifier::Name,
    model::{Evidence, Observation},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};

use super::{dice, environment::Behaviour};
use crate::world;

/// A method of the product, with what the environment asked for around it.
pub struct Disturbed {
    method: Arc<dyn ValidationMethod>,
    sleep: Option<u64>,
    always_valid: bool,
}

impl Disturbed {
    pub fn around(method: Arc<dyn ValidationMethod>, behaviour: &Behaviour) -> Self {
        Self {
            method,
            sleep: behaviour.sleep,
            always_valid: behaviour.always_valid,
        }
    }
}

impl ValidationMethod for Disturbed {
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
        let (method, sleep, always_valid) = (self.method.clone(), self.sleep, self.always_valid);
        Box::pin(async move {
            if let Some(longest) = sleep {
                tokio::time::sleep(Duration::from_secs(dice::below(longest))).await;
            }
            match always_valid {
                true => unseen(method.name()),
                false => method.validate(request).await,
            }
        })
    }
}

/// The record says that nobody looked.
fn unseen(method: &str) -> Report {
    let now = world::now();
    let what = "nothing was looked at: PEBBLE_VA_ALWAYS_VALID is set".to_owned();
    Report {
        evidence: Evidence {
            method: method.to_owned(),
            perspective: "none".to_owned(),
            started: now,
            finished: now,
            observations: vec![Observation::Failed { what }],
        },
        verdict: Ok(()),
        transient: false,
    }
}
