//! `mail-greeting-01` and `mail-srv-01`: a proof is a word in the greeting of each service. The draft's capabilities: it is
//! one of what each service lists.

use std::{collections::BTreeMap, sync::Arc};

use client::{
    Identifier, Method, Proof, Solver,
    solver::{Presented, SolverError},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value, json};

use super::{
    daemon::most_words,
    kind::{Kind, Place},
    publish::{Publisher, Word, failed},
};
use crate::service::{Protocol, Service, ServicePort};

/// Shows the words of one of these types, for services that listen and of which what they say can be changed.
pub struct MailSolver {
    kind: Kind,
    publisher: Arc<Publisher>,
    listening: Vec<Service>,
    /// Where they were seen to listen; empty where nobody has looked.
    places: Vec<ServicePort>,
    /// How many words the services of the order itself take in greetings of this protocol.
    reserved: BTreeMap<&'static str, usize>,
}

impl MailSolver {
    pub fn new(kind: Kind, publisher: Arc<Publisher>, listening: Vec<Service>, ordered: &[Identifier]) -> Self {
        let mut reserved = BTreeMap::new();
        let found_by_srv = |service: &&Service| service.has_srv() && publisher.shows(Place::Greeting, **service);
        let of_domains = ordered
            .iter()
            .filter(|name| Kind::MailSrv.can_prove(name, publisher.host()));
        let of_domains = of_domains.filter(|name| matches!(name, Identifier::Dns(_)));
        let of_domains = of_domains.filter_map(|_| listening.iter().find(found_by_srv).copied());
        for service in ordered.iter().filter_map(service_of).chain(of_domains) {
            *reserved.entry(greeting_of(service)).or_default() += 1;
        }
        Self {
            kind,
            publisher,
            listening,
            places: Vec::new(),
            reserved,
        }
    }

    /// Of a service at several ports those count at which it listens.
    #[must_use]
    pub fn seen_at(self, places: Vec<ServicePort>) -> Self {
        Self { places, ..self }
    }

    /// Whether a service may be answered for at this port: not where it listens at another that the CA would look at.
    fn is_here(&self, at: ServicePort, offered: &[ServicePort]) -> bool {
        let is_elsewhere = |other: &ServicePort| other.service == at.service && self.places.contains(other);
        self.places.contains(&at) || !offered.iter().any(is_elsewhere)
    }

    /// Whether this type's proof can be shown for a service here.
    fn shows(&self, service: Service) -> bool {
        self.kind.speaks_for(service) && self.publisher.shows(self.kind.place(), service)
    }

    /// Of the services that the CA would look at, those that can be answered for, and no more than greetings have room for.
    fn choose(&self, proof: &Proof) -> Result<(Vec<ServicePort>, bool), SolverError> {
        let offered = offered(proof);
        let is_named = offered.is_some();
        let own = service_of(&proof.identifier);
        let is_domain = own.is_none() && self.kind == Kind::MailSrv;
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
            .filter(|at| self.listening.contains(&at.service) && self.shows(at.service))
            .filter(|at| self.is_here(*at, &offered))
            .filter(|at| {
                // Lists of capabilities have room; the domain has had its word reserved, for one service.
                if self.kind.place() == Place::Capability || is_domain {
                    return true;
                }
                let reserved = self.reserved.get(greeting_of(at.service)).copied().unwrap_or(0);
                let left = left
                    .entry(greeting_of(at.service))
                    .or_insert_with(|| most_words().saturating_sub(reserved));
                let fits = own.is_some() || *left > 0;
                *left = left.saturating_sub(1);
                fits
            })
            .take(if is_domain { 1 } else { usize::MAX })
            .collect();
        match chosen.is_empty() {
            false => Ok((chosen, is_named)),
            true => {
                let offered: Vec<String> = offered.iter().map(ServicePort::to_string).collect();
                let able: Vec<&str> = self
                    .listening
                    .iter()
                    .filter(|service| self.shows(**service))
                    .map(|service| service.name())
                    .collect();
                let (what, next) = match self.kind.place() {
                    Place::Capability => ("capabilities", LISTS),
                    Place::Greeting | Place::Record => ("greetings", GREETS),
                };
                let what = format!(
                    "{} wants a word of {}; this command can change the {what} of {}",
                    self.kind.method(),
                    listed(&offered),
                    listed(&able)
                );
                Err(failed(what, Some(next)))
            }
        }
    }
}

impl Solver for MailSolver {
    fn method(&self) -> Method {
        Method::Other(self.kind.method())
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        self.kind.can_prove(identifier, self.publisher.host())
            && match service_of(identifier) {
                Some(service) => self.shows(service),
                None => self.listening.iter().any(|service| self.shows(*service)),
            }
    }

    /// Those of the challenge's services that are answered for, where it names any.
    fn response(&self, proof: &Proof) -> Map<String, Value> {
        match self.choose(proof) {
            Ok((chosen, true)) => {
                // Of a service that the CA would look at in several places the name alone says too little.
                let offered = offered(proof).unwrap_or_default();
                let is_alone =
                    |at: &ServicePort| offered.iter().filter(|other| other.service == at.service).count() < 2;
                let services = chosen.iter().map(|at| match is_alone(at) {
                    true => json!(at.service.name()),
                    false => json!({ "service": at.service.name(), "port": at.port }),
                });
                let services: Vec<Value> = services.collect();
                [("services".to_owned(), json!(services))].into_iter().collect()
            }
            // The draft's are never without (draft-ietf-acme-email-tls-05 §3.1).
            Ok((chosen, false)) if self.kind.place() == Place::Capability => {
                let service = chosen
                    .first()
                    .map(|at| ("service".to_owned(), json!(at.service.name())));
                service.into_iter().collect()
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
                    place: self.kind.place(),
                    text: self.kind.word(&proof.key_authorization, *at),
                })
                .collect();
            let places: Vec<String> = chosen.iter().map(ServicePort::to_string).collect();
            // The values are public as soon as they are shown, and prove nothing without the account's key.
            tracing::debug!(
                identifier = %proof.identifier, method = self.kind.method(), services = places.join(","),
                key_authorization = proof.key_authorization.as_str(), "showing words"
            );
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
pub(super) fn offered(proof: &Proof) -> Option<Vec<ServicePort>> {
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

const GREETS: &str =
    "Start the service, give --postfix, --dovecot or --words-file for it, or say where it listens with --port.";
const LISTS: &str =
    "Give --dovecot for IMAP; of other programs put `vidimus mail proxy` in front and give --words-file.";
