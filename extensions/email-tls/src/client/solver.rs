//! `mail-greeting-01` and `mail-srv-01`: a proof is a word in the greeting of each service.

use std::{collections::BTreeMap, sync::Arc};

use client::{
    Identifier, Method, Proof, Solver,
    solver::{Presented, SolverError},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value, json};

use super::{
    daemon::most_words,
    publish::{Publisher, Word, failed},
};
use crate::{
    service::{Protocol, Service, ServicePort},
    value::{Bound, in_greeting},
};

/// Shows the words of one of the two methods, for services that listen and whose greeting can be changed.
pub struct MailSolver {
    bound: Bound,
    publisher: Arc<Publisher>,
    listening: Vec<Service>,
    /// How many words the services of the order itself take in greetings of this protocol.
    reserved: BTreeMap<&'static str, usize>,
}

impl MailSolver {
    pub fn new(bound: Bound, publisher: Arc<Publisher>, listening: Vec<Service>, ordered: &[Identifier]) -> Self {
        let mut reserved = BTreeMap::new();
        for service in ordered.iter().filter_map(service_of) {
            *reserved.entry(greeting_of(service)).or_default() += 1;
        }
        Self {
            bound,
            publisher,
            listening,
            reserved,
        }
    }

    /// Of the services that the CA would look at, those that can be answered for, and no more than greetings have room for.
    fn choose(&self, proof: &Proof) -> Result<(Vec<ServicePort>, bool), SolverError> {
        let offered = offered(proof);
        let is_named = offered.is_some();
        let own = service_of(&proof.identifier);
        let offered = offered.unwrap_or_else(|| {
            let named = own.and_then(|service| Some((service, service.registered_port()?)));
            named
                .into_iter()
                .map(|(service, port)| ServicePort { service, port })
                .collect()
        });
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        let chosen: Vec<ServicePort> = offered
            .iter()
            .copied()
            .filter(|at| own.is_none_or(|own| own == at.service))
            .filter(|at| self.listening.contains(&at.service) && self.publisher.greets(at.service))
            .filter(|at| {
                let reserved = self.reserved.get(greeting_of(at.service)).copied().unwrap_or(0);
                let left = left
                    .entry(greeting_of(at.service))
                    .or_insert_with(|| most_words().saturating_sub(reserved));
                let fits = own.is_some() || *left > 0;
                *left = left.saturating_sub(1);
                fits
            })
            .collect();
        match chosen.is_empty() {
            false => Ok((chosen, is_named)),
            true => {
                let offered: Vec<String> = offered.iter().map(ServicePort::to_string).collect();
                let able: Vec<&str> = self
                    .listening
                    .iter()
                    .filter(|service| self.publisher.greets(**service))
                    .map(|service| service.name())
                    .collect();
                let what = format!(
                    "{} wants a word of {}; this command can change the greetings of {}",
                    self.bound.method(),
                    listed(&offered),
                    listed(&able)
                );
                Err(failed(
                    what,
                    Some(
                        "Start the service, give --postfix, --dovecot or --words-file for it, or say where it listens with --port.",
                    ),
                ))
            }
        }
    }
}

impl Solver for MailSolver {
    fn method(&self) -> Method {
        Method::Other(self.bound.method())
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        match identifier {
            Identifier::Dns(_) => self.bound == Bound::MailGreeting,
            Identifier::Srv(_) => {
                let is_looked_at = match self.bound {
                    // At the addresses of the SRV-ID's own domain, which are others unless that is the host.
                    Bound::MailGreeting => domain_of(identifier) == Some(self.publisher.host()),
                    _ => true,
                };
                is_looked_at && service_of(identifier).is_some_and(|service| self.publisher.greets(service))
            }
            _ => false,
        }
    }

    /// Those of the challenge's services that are answered for, where it names any.
    fn response(&self, proof: &Proof) -> Map<String, Value> {
        match self.choose(proof) {
            Ok((chosen, true)) => {
                let services: Vec<&str> = chosen.iter().map(|at| at.service.name()).collect();
                [("services".to_owned(), json!(services))].into_iter().collect()
            }
            _ => Map::new(),
        }
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            let (chosen, _) = self.choose(proof)?;
            let words: Vec<Word> = chosen
                .iter()
                .map(|at| Word {
                    at: *at,
                    text: in_greeting(&self.bound.value(&proof.key_authorization, *at)),
                })
                .collect();
            let ticket = self.publisher.ticket();
            let publisher = Arc::clone(&self.publisher);
            let presented = Presented::new(move || publisher.withdraw(ticket));
            self.publisher.show(ticket, &words).await?;
            Ok(presented)
        }
        .boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The words were to be seen from this machine: check that the CA reaches {} at the same ports and addresses.",
            identifier.server_name()
        )
    }
}

/// What the challenge names; what it says of services that are not known here does not count.
fn offered(proof: &Proof) -> Option<Vec<ServicePort>> {
    let services = proof.members.get("services")?.as_array()?;
    let read = |value: &Value| {
        let service = Service::from_name(value.get("service")?.as_str()?)?;
        let port = u16::try_from(value.get("port")?.as_u64()?).ok()?;
        Some(ServicePort { service, port })
    };
    Some(services.iter().filter_map(read).collect())
}

/// The service that an SRV-ID names.
pub(super) fn service_of(identifier: &Identifier) -> Option<Service> {
    let Identifier::Srv(name) = identifier else {
        return None;
    };
    Service::from_name(name.strip_prefix('_')?.split('.').next()?)
}

fn domain_of(identifier: &Identifier) -> Option<&str> {
    match identifier {
        Identifier::Srv(name) => name.split_once('.').map(|(_, domain)| domain),
        _ => None,
    }
}

/// Programs have one greeting for the services of a kind.
fn greeting_of(service: Service) -> &'static str {
    match service.protocol() {
        Protocol::Smtp => "smtp",
        _ => "access",
    }
}

fn listed<T: AsRef<str>>(list: &[T]) -> String {
    match list.is_empty() {
        true => "nothing".to_owned(),
        false => list.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
    }
}
