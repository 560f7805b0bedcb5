//! The authority's half: what may be named, how it is proved, and who is asked.
//!
//! | proof | `dns:host` | `srv:_service.host` | `srv:_service.domain` | `dns:domain` |
//! |---|---|---|---|---|
//! | `mail-greeting-01`, `capability-*-00` on the host | in this profile | that service | no | no |
//! | `dns-01` at `_acme-challenge._service.domain`, `dns-service-01`, `dns-email-00` | no, or by policy | that service | that service | by policy |
//! | `mail-srv-01` | no | that service | that service | by policy, with a host of the domain's own |
//!
//! What listens on port 25 of a host says nothing about its port 443. So everything here is offered in orders of one
//! profile only, and what was proved so counts for no order of another.

mod capability;
mod dns01;
mod greeting;
mod hosted;
mod judge;
mod named;
mod ports;
pub mod probe;
mod records;
mod srv;

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    Registry,
    identifier::{Name, Target},
    ports::ValidationRequest,
};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use validation::{
    attempt::{Attempt, Failure},
    dial::{Network, within},
};

use self::{
    capability::Capability,
    dns01::DnsOfServices,
    greeting::MailGreeting,
    hosted::MailSrv,
    probe::{Probe, Published, WHOLE},
    records::ServiceRecord,
    srv::Srv,
};
use crate::service::{Service, ServicePort};

pub use self::ports::Ports;

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The profile whose orders may name mail services.
    pub profile: String,
    pub ports: Ports,
    /// Whether the draft's own methods are offered.
    pub drafted: bool,
    /// Whether a record of `dns-01` at the domain itself proves its services (RFC 7817 §4.1).
    pub srv_by_domain: bool,
    /// Whether a record about a service proves the domain as a `dns` identifier.
    pub domain_by_service: bool,
    /// Whether a signed SRV record that names a host of the domain's own, and the word there, prove the domain as a `dns`
    /// identifier.
    pub domain_by_srv: bool,
    /// How the probe introduces itself: a host name, or an address in brackets (RFC 5321 §4.1.1.1).
    pub greets_as: String,
}

/// Adds what the document adds, and what it left open.
pub fn register(registry: &mut Registry, network: Arc<Network>, settings: Settings) {
    let drafted = settings.drafted;
    let ground = Arc::new(Ground {
        probe: Probe::new(network.clone(), settings.greets_as.clone()),
        network,
        settings,
    });
    registry.add_identifier_type(Srv);
    registry.wrap_methods(|method| match method.name() {
        "dns-01" => Arc::new(DnsOfServices::around(method, ground.clone())),
        _ => method,
    });
    registry.add_method(Arc::new(MailGreeting(ground.clone())));
    registry.add_method(Arc::new(ServiceRecord::bound(ground.clone())));
    registry.add_method(Arc::new(MailSrv(ground.clone())));
    if drafted {
        registry.add_method(Arc::new(ServiceRecord::drafted(ground.clone())));
        for capability in Capability::all(&ground) {
            registry.add_method(Arc::new(capability));
        }
    }
}

/// What the methods stand on.
struct Ground {
    network: Arc<Network>,
    probe: Probe,
    settings: Settings,
}

impl Ground {
    fn serves(&self, profile: &str) -> bool {
        self.settings.profile == profile
    }

    /// Where a service of the name may be looked for: of a host all services, of an SRV-ID its own.
    fn places(&self, name: &Name) -> Vec<ServicePort> {
        let offered = self.settings.ports.offered();
        match name.target() {
            Target::Host(_) if !name.is_wildcard() => offered,
            Target::Service { service, .. } => offered.into_iter().filter(|at| at.service.name() == service).collect(),
            _ => Vec::new(),
        }
    }

    /// The `services` of a challenge object.
    fn members(&self, places: &[ServicePort]) -> Map<String, Value> {
        let listed = places
            .iter()
            .map(|at| json!({ "service": at.service.name(), "port": at.port }));
        Map::from_iter([("services".to_owned(), Value::Array(listed.collect()))])
    }

    /// What a response has chosen of the places; if it has not, all that a host need not claim in the DNS first.
    fn chosen(&self, name: &Name, response: Option<&Value>) -> Result<Vec<ServicePort>, Failure> {
        let places = self.places(name);
        let chosen = match response {
            Some(response) => named::kept(response),
            None => places.iter().filter(|at| !Ports::needs_pin(**at)).copied().collect(),
        };
        match chosen.iter().find(|at| !places.contains(at)) {
            None if !chosen.is_empty() => Ok(chosen),
            None => Err(lasting("No service is left that could be looked at.")),
            Some(other) => {
                let name = name.identifier();
                Err(lasting(format!("{other} proves nothing about {name}.")))
            }
        }
    }
}

impl Ground {
    /// Looks at every service that the response names; each has to show its proof.
    async fn look_at_each(
        &self,
        request: &ValidationRequest,
        attempt: &mut Attempt,
        method: &'static str,
        judge: impl Fn(&Published, ServicePort) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let chosen = self.chosen(&request.name, request.response.as_ref())?;
        let host = domain_of(&request.name)?;
        let judge = &judge;
        let looks = chosen.into_iter().map(|at| async move {
            let mut own = self.network.begin(method);
            let look = async {
                self.probe.pinned(host, at, &mut own).await?;
                let (published, whose) = self.probe.look(host, at, &self.settings.ports, &mut own).await?;
                judge(&published, at).map_err(|why| judge::failure(&whose, why))
            };
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
}

/// Where a name's hosts are, and its records.
fn domain_of(name: &Name) -> Result<&str, Failure> {
    match name.target() {
        Target::Host(domain) | Target::Service { domain, .. } => Ok(domain),
        Target::Address(_) | Target::Mailbox { .. } | Target::None => {
            Err(lasting("The identifier has no place in the DNS."))
        }
    }
}

/// The service of an SRV-ID.
fn service_of(name: &Name) -> Option<Service> {
    match name.target() {
        Target::Service { service, .. } => Service::from_name(service),
        _ => None,
    }
}

fn lasting(detail: impl Into<String>) -> Failure {
    Failure::lasting(ProblemType::Unauthorized, detail)
}

/// What failed at several places, as one failure: it may pass by itself if each of them may.
fn together(failures: Vec<Failure>) -> Result<(), Failure> {
    let details: Vec<_> = failures.iter().map(|failure| failure.detail.as_str()).collect();
    let detail = details.join(" ");
    let worst = failures.iter().find(|failure| !failure.transient).or(failures.first());
    match worst {
        None => Ok(()),
        Some(worst) => Err(Failure {
            detail,
            ..worst.clone()
        }),
    }
}

#[cfg(test)]
mod tests;
