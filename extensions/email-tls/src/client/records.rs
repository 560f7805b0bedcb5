//! `dns-service-01` and `dns-email-00`: a proof is a TXT record for a service and its port, made by the hook of dns-01.

use client::{
    Identifier, Method, Proof, Solver,
    solver::{DnsHook, Presented, SolverError},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value, json};

use super::{
    kind::Kind,
    publish::failed,
    solver::{offered, service_of},
};
use crate::{service::ServicePort, value::record_name};

/// Makes the records of one of the two types.
pub struct RecordSolver {
    kind: Kind,
    host: String,
    hook: DnsHook,
    listening: Vec<ServicePort>,
}

impl RecordSolver {
    pub fn new(kind: Kind, host: String, hook: DnsHook, listening: Vec<ServicePort>) -> Self {
        Self {
            kind,
            host,
            hook,
            listening,
        }
    }

    /// One of the services that the CA takes: the SRV-ID's own, where it listens if it does; of a host or domain the first
    /// that listens.
    fn choose(&self, proof: &Proof) -> Result<ServicePort, SolverError> {
        let own = service_of(&proof.identifier);
        let registered = || {
            let service = own?;
            let port = service.registered_port()?;
            Some(vec![ServicePort { service, port }])
        };
        let mut offered = offered(proof).or_else(registered).unwrap_or_default();
        offered.retain(|at| own.is_none_or(|own| own == at.service));
        let listens = offered.iter().find(|at| self.listening.contains(at));
        listens.or(offered.first()).copied().ok_or_else(|| {
            let what = format!(
                "the CA names no service for which {} could prove {}",
                self.kind.method(),
                proof.identifier
            );
            failed(what, None)
        })
    }
}

impl Solver for RecordSolver {
    fn method(&self) -> Method {
        Method::Other(self.kind.method())
    }

    fn can_prove(&self, identifier: &Identifier) -> bool {
        self.kind.can_prove(identifier, &self.host)
    }

    /// As the draft's example has it (draft-ietf-acme-email-tls-05 §3.3).
    fn response(&self, proof: &Proof) -> Map<String, Value> {
        let chosen = self.choose(proof).ok();
        let members = chosen.map(|at| {
            [
                ("service".to_owned(), json!(at.service.name())),
                ("port".to_owned(), json!(at.port)),
            ]
        });
        members.into_iter().flatten().collect()
    }

    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>> {
        async move {
            let at = self.choose(proof)?;
            let name = format!("{}.", record_name(at, &proof.identifier.server_name()));
            let value = self.kind.value(&proof.key_authorization, at);
            self.hook.present_at(proof, name, value).await
        }
        .boxed()
    }

    fn hint(&self, identifier: &Identifier) -> String {
        format!(
            "The CA looks for a TXT record below _acme-challenge.{}: check that the hook writes to the zone that is public, at \
             the whole name that it is given, and returns only when all its servers have the record.",
            identifier.server_name()
        )
    }
}
