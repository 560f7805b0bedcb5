//! `mail-srv-01`: the SRV-ID of a domain whose service runs at a provider's.
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

use super::{Ground, domain_of, judge, lasting, service_of, together};
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
        service_of(name).is_some() && !self.0.places(name).is_empty()
    }

    fn serves(&self, _name: &Name, profile: &str) -> bool {
        self.0.serves(profile)
    }

    fn members(&self, name: &Name) -> Map<String, Value> {
        self.0.members(&self.0.places(name))
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

/// One of the hosts suffices: all of them are the domain's service by its owner's word.
async fn prove(ground: &Ground, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
    let (domain, service) = (domain_of(&request.name)?, service_of(&request.name));
    let service = service.ok_or_else(|| lasting("The identifier is no SRV-ID."))?;
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
    // The zone that names the host names its port too: no pin.
    ports.judge(at).map_err(|why| lasting(format!("{host}: {why}.")))?;
    let (published, whose) = ground.probe.look(host, at, ports, attempt).await?;
    judge::bound(&published, METHOD, &request.key_authorization, at, &ports.offered())
        .map_err(|why| judge::failure(&whose, why))
}

const METHOD: Bound = Bound::MailSrv;
/// How many hosts are looked at, one after the other.
const HOSTS: usize = 3;
/// All of it: no method takes longer.
const WHOLE: Duration = Duration::from_secs(30);
