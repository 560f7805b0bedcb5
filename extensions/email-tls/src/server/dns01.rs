//! `dns-01` for SRV-IDs, at a name of the service's own: `_acme-challenge._imaps.example.org`.

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::Name,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use validation::{
    attempt::{Attempt, Failure},
    dns01,
};

use super::{Ground, domain_of, service_of};

/// The base's method, which knows what is to be done for every other name.
pub struct DnsOfServices {
    base: Arc<dyn ValidationMethod>,
    ground: Arc<Ground>,
}

impl DnsOfServices {
    pub fn around(base: Arc<dyn ValidationMethod>, ground: Arc<Ground>) -> Self {
        Self { base, ground }
    }
}

impl ValidationMethod for DnsOfServices {
    fn name(&self) -> &'static str {
        self.base.name()
    }

    fn wraps(&self) -> Option<&dyn ValidationMethod> {
        Some(&*self.base)
    }

    fn offered_for(&self, name: &Name) -> bool {
        service_of(name).is_some() || self.base.offered_for(name)
    }

    fn serves(&self, name: &Name, profile: &str) -> bool {
        match service_of(name) {
            Some(_) => self.ground.serves(profile),
            None => self.base.serves(name, profile),
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        if service_of(&request.name).is_none() {
            return self.base.validate(request);
        }
        let (ground, method) = (self.ground.clone(), self.name());
        Box::pin(async move {
            let mut attempt = ground.network.begin(method);
            let look = prove(&ground, &request, &mut attempt);
            let outcome = ground.network.in_time(ProblemType::Dns, look).await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(ground: &Ground, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let domain = domain_of(&request.name)?;
    let of_service = format!("_acme-challenge.{}", request.name.identifier().value);
    let (network, expected) = (&ground.network, &request.key_authorization);
    match dns01::digest_at(network, &of_service, expected, attempt).await {
        Err(first) if ground.settings.srv_by_domain => {
            let of_domain = format!("_acme-challenge.{domain}");
            let second = dns01::digest_at(network, &of_domain, expected, attempt).await;
            second.map_err(|second| Failure {
                detail: format!("{} {}", first.detail, second.detail),
                transient: first.transient && second.transient,
                ..first
            })
        }
        outcome => outcome,
    }
}
