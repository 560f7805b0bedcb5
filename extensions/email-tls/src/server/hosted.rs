//! `mail-srv-01`: the SRV-ID of a domain whose service runs at a provider's; by policy the domain itself, where the service
//! runs at a host of its own.
//!
//! The domain's owner has said in his own signed zone where the service is (RFC 6186 §5, RFC 7817 §4), and the host there
//! shows the word for this SRV-ID. Without DNSSEC anybody on the way could have said it, so nothing is looked at.

use std::{sync::Arc, time::Duration};

use acme::{Identifier, ProblemType};
use authority::{
    identifier::{Dns, IdentifierType, Name},
    model::DnssecStatus,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};
use validation::{
    attempt::{Attempt, Failure},
    dial::within,
    resolver::ServiceHost,
};

use super::{Ground, domain_of, judge, lasting, named, service_of, together};
use crate::{
    service::{Service, ServicePort},
    value::Bound,
};

pub struct MailSrv(pub Arc<Ground>);

impl ValidationMethod for MailSrv {
    fn name(&self) -> &'static str {
        METHOD.method()
    }

    fn offered_for(&self, name: &Name) -> bool {
        !places(&self.0, name).is_empty()
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.0.serves(profile)
    }

    fn members(&self, name: &Name, _token: &str) -> Map<String, Value> {
        self.0.members(&places(&self.0, name))
    }

    /// Of the ports none counts: the SRV records have them.
    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        let named = named::read(payload, &self.0.settings.ports)?;
        Ok(named.as_deref().map(named::keep))
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let ground = self.0.clone();
        Box::pin(async move {
            let mut attempt = ground.network.begin(METHOD.method());
            let look = prove(&ground, &request, &mut attempt);
            let outcome = within(WHOLE, ProblemType::Connection, look).await;
            attempt.conclude(outcome)
        })
    }
}

/// Which services' records speak for a name: of an SRV-ID its own, of a domain those that are found by SRV records.
fn places(ground: &Ground, name: &Name) -> Vec<ServicePort> {
    let mut places = ground.places(name);
    let is_domain = service_of(name).is_none();
    places.retain(|at| !is_domain || (ground.settings.domain_by_srv && at.service.has_srv()));
    places
}

/// Each service that the response names, or all.
async fn prove(ground: &Ground, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let places = places(ground, &request.name);
    let chosen = request.response.as_ref().map_or_else(|| places.clone(), named::kept);
    let mut services: Vec<Service> = chosen.iter().map(|at| at.service).collect();
    services.sort();
    services.dedup();
    let is_known = |service: &Service| places.iter().any(|at| at.service == *service);
    if let Some(other) = services.iter().find(|service| !is_known(service)) {
        let name = request.name.identifier();
        return Err(lasting(format!(
            "An SRV record of {other} proves nothing about {name}."
        )));
    }
    if services.is_empty() {
        return Err(lasting("No service is left whose SRV records could be looked up."));
    }
    let mut failures = Vec::new();
    for service in services {
        failures.extend(service_proves(ground, request, service, attempt).await.err());
    }
    together(failures)
}

/// One of the hosts suffices: all of them are the domain's service by its owner's word.
async fn service_proves(
    ground: &Ground,
    request: &ValidationRequest,
    service: Service,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let domain = domain_of(&request.name)?;
    let asking = async { hosts(ground, service, domain, attempt).await };
    let hosts = within(ground.network.timeouts.attempt, ProblemType::Dns, asking).await?;
    let mut failures = Vec::new();
    for ServiceHost { host, port, .. } in hosts {
        match one(ground, request, &host, ServicePort { service, port }, attempt).await {
            Ok(()) => return Ok(()),
            Err(failure) => failures.push(failure),
        }
    }
    together(failures)
}

/// The hosts that an authentic answer names, the preferred ones first.
async fn hosts(
    ground: &Ground,
    service: Service,
    domain: &str,
    attempt: &mut Attempt,
) -> Result<Vec<ServiceHost>, Failure> {
    let name = format!("_{service}._tcp.{domain}");
    let answer = ground.network.resolver.srv(&name).await;
    attempt.saw(answer.observation(&name, "SRV", ToString::to_string));
    let asked = &answer.resolver;
    let mut records = answer.records.map_err(|failure| Failure {
        transient: failure.is_transient(),
        ..Failure::lasting(
            ProblemType::Dns,
            format!("Looking up SRV at {name}: {failure} (asked {asked})."),
        )
    })?;
    if answer.dnssec != DnssecStatus::Secure {
        return Err(Failure::lasting(
            ProblemType::Dns,
            format!(
                "The SRV records at {name} are not secured by DNSSEC, so anybody could have made them; sign the zone of \
                 {domain}, or prove control by dns-01."
            ),
        ));
    }
    records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
    records.retain(|record| !record.host.is_empty());
    records.truncate(HOSTS);
    match records.is_empty() {
        false => Ok(records),
        true => Err(lasting(format!("{name} has no SRV record that names a host."))),
    }
}

async fn one(
    ground: &Ground,
    request: &ValidationRequest,
    host: &str,
    at: ServicePort,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let ports = &ground.settings.ports;
    let admitted = Dns
        .admit(host)
        .map_err(|refusal| lasting(format!("An SRV record names a host, but {refusal}.")))?;
    let Identifier { value: host, .. } = admitted.base();
    let domain = domain_of(&request.name)?;
    // Who may serve a domain's mail is not thereby who owns the domain.
    if service_of(&request.name).is_none() && !is_of(host, domain) {
        return Err(lasting(format!(
            "The SRV records of {domain} have {service} at {host}, which is outside of {domain}: that proves the service, and \
             not the domain; prove {domain} by dns-01.",
            service = at.service
        )));
    }
    if service_of(&request.name).is_none() {
        stands_for_itself(ground, host, attempt).await?;
    }
    // The zone that names the host names its port too: no pin.
    ports.judge(at).map_err(|why| lasting(format!("{host}: {why}.")))?;
    let (published, whose) = ground.probe.look(host, at, ports, attempt).await?;
    judge::bound(&published, METHOD, &request.key_authorization, at, &ports.offered())
        .map_err(|why| judge::failure(&whose, why))
}

/// An alias may lead to a provider's host, whatever the name in the SRV record looks like (RFC 2782 has none there).
async fn stands_for_itself(ground: &Ground, host: &str, attempt: &mut Attempt) -> Result<(), Failure> {
    let asking = async { Ok(ground.network.resolver.addresses(host).await) };
    let addresses = within(ground.network.timeouts.attempt, ProblemType::Dns, asking).await?;
    attempt.saw(addresses.v4.observation(host, "A", ToString::to_string));
    attempt.saw(addresses.v6.observation(host, "AAAA", ToString::to_string));
    match addresses.v4.aliases.iter().chain(&addresses.v6.aliases).next() {
        None => Ok(()),
        Some(alias) => Err(lasting(format!(
            "{host} is an alias of {alias}: that proves the service, and not the domain; prove the domain by dns-01."
        ))),
    }
}

fn is_of(host: &str, domain: &str) -> bool {
    let below = host.strip_suffix(domain);
    below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

const METHOD: Bound = Bound::MailSrv;
/// How many hosts are looked at, one after the other.
const HOSTS: usize = 3;
/// All of it: no method takes longer.
const WHOLE: Duration = Duration::from_secs(30);
