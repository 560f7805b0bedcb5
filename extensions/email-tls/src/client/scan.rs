//! What a host's mail services look like from outside.

use std::net::{IpAddr, SocketAddr};

use client::printable;
use futures_util::future::join_all;
use jiff::Timestamp;
use pkix::{certificate::Certificate, name::GeneralName};
use serde_json::{Value, json};

use super::{
    lookup::Lookup,
    session::{Look, LookError, look},
    verdict::{Reference, Verdict},
};
use crate::service::{Service, ServicePort, TlsMode};

/// A host and what was seen there.
#[derive(Debug)]
pub struct Scan {
    pub host: String,
    pub domain: Option<String>,
    pub seen: Vec<Seen>,
    /// What the domain's SRV records name, whoever they name.
    pub named: Vec<(ServicePort, String)>,
}

/// A service that was dialled.
#[derive(Debug)]
pub struct Seen {
    pub at: ServicePort,
    pub outcome: Result<Look, LookError>,
}

/// Dials every service of a host that has a port.
pub async fn scan(lookup: &Lookup, host: &str, domain: Option<&str>, only: &[Service]) -> Result<Scan, String> {
    let addresses = lookup.addresses(host).await?;
    let named = match domain {
        Some(domain) => lookup.services(domain).await,
        None => Vec::new(),
    };
    let of_host = |service: Service| {
        named
            .iter()
            .find(|(at, target)| at.service == service && target.eq_ignore_ascii_case(host))
            .map(|(at, _)| at.port)
    };
    let wanted = Service::ALL
        .into_iter()
        .filter(|service| only.is_empty() || only.contains(service))
        .filter_map(|service| {
            let given = lookup.ports.get(&service).copied();
            let port = given.or_else(|| of_host(service)).or_else(|| lookup.port(service))?;
            Some(ServicePort { service, port })
        });
    let dialled = wanted.map(|at| dial(at, host, &addresses));
    let seen = join_all(dialled).await;
    Ok(Scan {
        host: host.to_owned(),
        domain: domain.map(str::to_owned),
        seen,
        named,
    })
}

/// The first address that answers counts.
async fn dial(at: ServicePort, host: &str, addresses: &[IpAddr]) -> Seen {
    let mut outcome = None;
    for address in addresses {
        let looked = look(SocketAddr::new(*address, at.port), at.service, host).await;
        let is_there = looked.is_ok();
        outcome = Some(looked);
        if is_there {
            break;
        }
    }
    let outcome =
        outcome.unwrap_or_else(|| Err(LookError::Silent(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), at.port))));
    Seen { at, outcome }
}

impl Scan {
    /// Services that answered.
    pub fn listening(&self) -> Vec<ServicePort> {
        let answered = self.seen.iter().filter(|seen| seen.outcome.is_ok());
        answered.map(|seen| seen.at).collect()
    }

    /// Services that answered, and offer no TLS: no certificate can be proven or shown there.
    pub fn without_tls(&self) -> Vec<ServicePort> {
        let plain = |seen: &&Seen| seen.outcome.as_ref().is_ok_and(|look| look.tls.is_none());
        self.seen.iter().filter(plain).map(|seen| seen.at).collect()
    }

    /// Whether every service that speaks TLS shows a certificate that is good for who typed the host's name in.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.seen.iter().all(|seen| match &seen.outcome {
            Ok(_) => self
                .verdict(seen, now)
                .is_some_and(|(_, verdict)| verdict.serves_host()),
            Err(LookError::Connect { .. }) => true,
            Err(_) => false,
        })
    }

    fn reference(&self, service: Service) -> Reference<'_> {
        Reference {
            service,
            host: &self.host,
            domain: self.domain.as_deref(),
        }
    }

    fn verdict(&self, seen: &Seen, now: Timestamp) -> Option<(Certificate, Verdict)> {
        let certificate = leaf(seen.outcome.as_ref().ok()?)?;
        let verdict = Verdict::of(&certificate, &self.reference(seen.at.service), now);
        Some((certificate, verdict))
    }

    /// A paragraph a service, for people.
    pub fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        for seen in &self.seen {
            let at = format!("{:<12} {:>5}", seen.at.service.name(), seen.at.port);
            let mode = mode(seen.at.service);
            let look = match &seen.outcome {
                Err(LookError::Connect { .. }) => {
                    lines.push(format!("{at}  nothing listens"));
                    continue;
                }
                Err(error) => {
                    lines.push(format!("{at}  {mode}: {}", printable(&error.to_string())));
                    continue;
                }
                Ok(look) => look,
            };
            let Some(tls) = &look.tls else {
                lines.push(format!("{at}  no TLS: {mode} is not offered"));
                continue;
            };
            lines.push(format!("{at}  {mode}, {} at {}", tls.version, look.address.ip()));
            match self.verdict(seen, now) {
                None => lines.push("                    its certificate cannot be read".to_owned()),
                Some((certificate, verdict)) => {
                    let mut names: Vec<String> = certificate.names().iter().map(GeneralName::to_string).collect();
                    if names.is_empty() {
                        names.push("no names".to_owned());
                    }
                    let days = days_left(&certificate, now);
                    lines.push(format!(
                        "                    {}, {days} days left",
                        printable(&names.join(" "))
                    ));
                    let sentence = verdict.sentence(&self.reference(seen.at.service));
                    lines.push(format!("                    {sentence}"));
                }
            }
        }
        for (at, target) in &self.named {
            if !target.eq_ignore_ascii_case(&self.host) {
                lines.push(format!(
                    "{:<12} {:>5}  is at {} by SRV",
                    at.service.name(),
                    at.port,
                    printable(target)
                ));
            }
        }
        lines
    }

    pub fn json(&self, now: Timestamp) -> Value {
        let services: Vec<Value> = self.seen.iter().map(|seen| self.seen_json(seen, now)).collect();
        let named: Vec<Value> = self
            .named
            .iter()
            .map(|(at, target)| json!({"service": at.service.name(), "port": at.port, "target": target}))
            .collect();
        json!({"host": self.host, "domain": self.domain, "services": services, "srv": named})
    }

    fn seen_json(&self, seen: &Seen, now: Timestamp) -> Value {
        let mut value = json!({
            "service": seen.at.service.name(),
            "port": seen.at.port,
            "mode": mode(seen.at.service),
            "listens": !matches!(seen.outcome, Err(LookError::Connect { .. })),
        });
        match &seen.outcome {
            Err(error) => value["error"] = error.to_string().into(),
            Ok(look) => {
                value["address"] = look.address.ip().to_string().into();
                value["greeting"] = look.greeting.clone().into();
                value["tls"] = look.tls.as_ref().map(|tls| tls.version.clone()).into();
            }
        }
        if let Some((certificate, verdict)) = self.verdict(seen, now) {
            value["certificate"] = json!({
                "names": certificate.names().iter().map(GeneralName::to_string).collect::<Vec<_>>(),
                "notAfter": certificate.not_after(),
                "daysLeft": days_left(&certificate, now),
                "sha256": hex(&certificate.sha256()),
            });
            value["verdict"] = json!({
                "host": verdict.serves_host(),
                "domain": verdict.serves_domain(),
                "names": verdict,
                "sentence": verdict.sentence(&self.reference(seen.at.service)),
            });
        }
        value
    }
}

pub(super) fn leaf(look: &Look) -> Option<Certificate> {
    Certificate::parse(look.tls.as_ref()?.chain.first()?).ok()
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn mode(service: Service) -> &'static str {
    match (service.tls_mode(), service) {
        (TlsMode::Implicit, _) => "TLS",
        (TlsMode::StartTls, Service::Pop3) => "STLS",
        (TlsMode::StartTls, _) => "STARTTLS",
    }
}

fn days_left(certificate: &Certificate, now: Timestamp) -> i64 {
    certificate.not_after().duration_since(now).as_hours() / 24
}
