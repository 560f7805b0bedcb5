//! `dns-service-01`, and the draft's `dns-email-00` (§3.3): a record for a service and its port.

use std::sync::Arc;

use acme::{KeyAuthorization, ProblemType};
use authority::{
    identifier::{Name, Target},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};
use validation::{
    attempt::{Attempt, Failure},
    dns01, excerpt,
};

use super::{Ground, capability::NO_SERVICE, domain_of, lasting, named, service_of, together};
use crate::{
    service::{Service, ServicePort},
    value::{Bound, record_name},
};

pub struct ServiceRecord {
    ground: Arc<Ground>,
    is_drafted: bool,
}

impl ServiceRecord {
    pub fn bound(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            is_drafted: false,
        }
    }

    pub fn drafted(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            is_drafted: true,
        }
    }

    /// A service needs no port to be looked at for a record about it; those that the CA would look at are shown.
    fn places(&self, name: &Name) -> Vec<ServicePort> {
        match service_of(name) {
            Some(service) => registered(service, &self.ground.places(name)),
            None => self.ground.places(name),
        }
    }
}

/// Also of a service at whose port nobody looks.
fn registered(service: Service, places: &[ServicePort]) -> Vec<ServicePort> {
    let mut all = places.to_vec();
    let own = service.registered_port().map(|port| ServicePort { service, port });
    all.extend(own.filter(|own| !places.contains(own)));
    all
}

impl ValidationMethod for ServiceRecord {
    fn name(&self) -> &'static str {
        match self.is_drafted {
            true => "dns-email-00",
            false => Bound::DnsService.method(),
        }
    }

    fn offered_for(&self, name: &Name) -> bool {
        match name.target() {
            Target::Service { .. } => true,
            Target::Host(_) => !name.is_wildcard() && self.ground.settings.domain_by_service,
            Target::Address(_) | Target::Mailbox { .. } | Target::None => false,
        }
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.ground.serves(profile)
    }

    fn members(&self, name: &Name, _token: &str) -> Map<String, Value> {
        self.ground.members(&self.places(name))
    }

    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        match named::read_for_record(payload, &self.ground.settings.ports)? {
            Some(named) => Ok(Some(named::keep(&named))),
            None if self.is_drafted => Err(NO_SERVICE.to_owned()),
            None => Ok(None),
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let (ground, method, is_drafted) = (self.ground.clone(), self.name(), self.is_drafted);
        let places = self.places(&request.name);
        Box::pin(async move {
            let mut attempt = ground.network.begin(method);
            let look = prove(&ground, &request, &places, is_drafted, &mut attempt);
            let outcome = ground.network.in_time(ProblemType::Dns, look).await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(
    ground: &Ground,
    request: &ValidationRequest,
    places: &[ServicePort],
    is_drafted: bool,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let domain = domain_of(&request.name)?;
    let chosen = match &request.response {
        Some(response) => named::kept(response),
        // Of an SRV-ID the service's registered port, since which other it uses is in the SRV record.
        None => match service_of(&request.name) {
            Some(service) => registered(service, &[]),
            None => places.to_vec(),
        },
    };
    if chosen.is_empty() {
        return Err(lasting("No service is left that a record could be about."));
    }
    let mut failures = Vec::new();
    for at in chosen {
        if !places.contains(&at) {
            return Err(lasting(format!(
                "{at} proves nothing about {}.",
                request.name.identifier()
            )));
        }
        let name = record_name(at, domain);
        failures.extend(match is_drafted {
            true => dns01::digest_at(&ground.network, &name, &request.key_authorization, attempt)
                .await
                .err(),
            false => bound_at(ground, &name, at, &request.key_authorization, attempt)
                .await
                .err(),
        });
    }
    together(failures)
}

async fn bound_at(
    ground: &Ground,
    name: &str,
    at: ServicePort,
    key_authorization: &KeyAuthorization,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let answer = dns01::texts_at(&ground.network, name, attempt).await;
    let expected = Bound::DnsService.value(key_authorization, at);
    let records = dns01::records_of(name, &answer)?;
    if records.iter().any(|record| record == expected.as_bytes()) {
        return Ok(());
    }
    let seen = match records {
        [] => "There is no TXT record".to_owned(),
        [only] if only == key_authorization.dns_value().as_bytes() => {
            "The TXT record is the digest of dns-01, which does not say for which service it is,".to_owned()
        }
        [first, ..] => format!(
            "{}, or any other TXT record, is not the proof",
            excerpt::quoted(first, SHOWN)
        ),
    };
    Err(lasting(format!(
        "{seen} at {name}; it should be \"{expected}\" for {at}."
    )))
}

const SHOWN: usize = 30;
