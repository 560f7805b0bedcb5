//! Where a mail service is: addresses of a host, and the services that a domain names (RFC 6186 §3, RFC 8314 §5.1).

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use domain::{
    base::{Message, Rtype},
    rdata::{A, Aaaa, Srv},
};
use validation::dns_client;

use crate::service::{Service, ServicePort};

/// How hosts and services are found.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// Dialled whatever the DNS says.
    pub connect: Option<IpAddr>,
    /// Asked instead of the system's.
    pub resolver: Option<SocketAddr>,
    /// Where services listen that do not listen where they should.
    pub ports: BTreeMap<Service, u16>,
}

impl Lookup {
    /// The addresses of a host, in the sequence in which they are to be tried.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Some(address) = self.connect {
            return Ok(vec![address]);
        }
        let found: Vec<IpAddr> = match self.resolver {
            None => tokio::net::lookup_host((host, 0))
                .await
                .map_err(|error| format!("{host} is not found: {error}; give --connect ADDR or --resolver ADDR"))?
                .map(|address| address.ip())
                .collect(),
            Some(resolver) => addresses(resolver, host)
                .await
                .map_err(|error| format!("the resolver {resolver} says nothing about {host}: {error}"))?,
        };
        let mut distinct: Vec<IpAddr> = Vec::new();
        for address in found {
            if !distinct.contains(&address) {
                distinct.push(address);
            }
        }
        match distinct.is_empty() {
            true => Err(format!(
                "{host} has no address: mend its A and AAAA records, or give --connect ADDR"
            )),
            false => Ok(distinct),
        }
    }

    /// Every service with the port to dial. LMTP has none unless it is given.
    pub fn port(&self, service: Service) -> Option<u16> {
        self.ports.get(&service).copied().or(service.registered_port())
    }

    /// What a domain says of its mail services. A service of which it says nothing, or that there is none, is left out.
    pub async fn services(&self, domain: &str) -> Vec<(ServicePort, String)> {
        let Some(resolver) = dns_client::resolver(self.resolver) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for service in Service::ALL.into_iter().filter(|service| service.has_srv()) {
            let records = srv(resolver, &format!("_{service}._tcp.{domain}")).await;
            found.extend(
                records
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(port, host)| (ServicePort { service, port }, host)),
            );
        }
        found
    }
}

async fn addresses(resolver: SocketAddr, host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    let v6 = ask(resolver, host, Rtype::AAAA).await?;
    if let Ok(answer) = v6.answer() {
        found.extend(
            answer
                .limit_to::<Aaaa>()
                .flatten()
                .map(|record| IpAddr::V6(record.data().addr())),
        );
    }
    let v4 = ask(resolver, host, Rtype::A).await?;
    if let Ok(answer) = v4.answer() {
        found.extend(
            answer
                .limit_to::<A>()
                .flatten()
                .map(|record| IpAddr::V4(record.data().addr())),
        );
    }
    Ok(found)
}

async fn srv(resolver: SocketAddr, name: &str) -> io::Result<Vec<(u16, String)>> {
    let message = ask(resolver, name, Rtype::SRV).await?;
    let Ok(answer) = message.answer() else {
        return Ok(Vec::new());
    };
    let records = answer.limit_to::<Srv<_>>().flatten();
    // RFC 2782: a target of `.` says that there is no such service.
    let records = records.map(|record| {
        let target = record.data().target().to_string();
        (record.data().port(), target.trim_end_matches('.').to_ascii_lowercase())
    });
    Ok(records
        .filter(|(_, target)| !target.is_empty())
        .take(MOST_RECORDS)
        .collect())
}

async fn ask(resolver: SocketAddr, name: &str, record_type: Rtype) -> io::Result<Message<Vec<u8>>> {
    let answer = dns_client::ask(resolver, name, record_type, PATIENCE).await;
    answer.map_err(io::Error::other)
}

const PATIENCE: Duration = Duration::from_secs(5);
const MOST_RECORDS: usize = 16;
