//! Proving control over the network: the validation methods of RFC 8555 and RFC 8737, and the evidence of it.
//!
//! In scope: `http-01`, `dns-01`, `tls-alpn-01`; the DNS as a trait and a client for it; which addresses may be
//! dialled; looking from other places on the network too ([`perspectives`]); the record of everything that was seen. Out of scope: which challenges exist and what a validation
//! changes (`authority`), and answering challenges (`client`).
//!
//! Every look is made for one attempt only: no cached answer, no connection used twice, no TLS session resumed.

pub mod attempt;
pub mod connections;
pub mod dial;
pub mod dns01;
pub mod dns_client;
#[cfg(test)]
mod double;
pub mod excerpt;
mod http01;
pub mod issue_value;
pub mod perspectives;
pub mod policy;
pub mod resolver;
pub mod shuffled;
mod tls_alpn01;
pub mod unverified;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use authority::ports::ValidationMethod;

use self::{
    attempt::Clock,
    connections::Connections,
    dial::Network,
    dns_client::{DnsClient, DnsSettingsError, system_resolvers},
    policy::{AddressPolicy, PortPolicy},
};

#[doc(hidden)]
pub use self::http01::offline as http_offline;
pub use self::{dns01::Dns01, http01::Http01, tls_alpn01::TlsAlpn01};

/// What an operator decides about validation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Dialled by http-01; 80 anywhere but in a test.
    pub http_port: u16,
    /// Dialled by tls-alpn-01; 443 anywhere but in a test.
    pub tls_port: u16,
    /// Recursive resolvers; empty means those of the system.
    pub resolvers: Vec<SocketAddr>,
    /// DS or DNSKEY records in zone file format. With them answers are validated, and a forged one fails.
    pub trust_anchors: Option<String>,
    /// Networks that may be dialled though they are not public.
    pub allow_networks: Vec<ipnet::IpNet>,
    pub timeouts: Timeouts,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_port: 80,
            tls_port: 443,
            resolvers: Vec::new(),
            trust_anchors: None,
            allow_networks: Vec::new(),
            timeouts: Timeouts::default(),
        }
    }
}

/// How long a look may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Everything one attempt does.
    pub attempt: Duration,
    /// One connection, and one TLS handshake.
    pub connect: Duration,
    /// One question to one resolver; a cold cache has to ask several servers behind it.
    pub dns_query: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            // One repeated SYN (RFC 6298 §2: after 1 s) and a second for its answer.
            connect: Duration::from_secs(2),
            dns_query: Duration::from_secs(3),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Dns(#[from] DnsSettingsError),
    #[error("/etc/resolv.conf: {0}")]
    System(#[from] io::Error),
}

/// The methods of the base, in the order in which challenges are offered.
pub fn base_methods(network: &Arc<Network>) -> Vec<Arc<dyn ValidationMethod>> {
    vec![
        Arc::new(Http01::new(network.clone())),
        Arc::new(Dns01::new(network.clone())),
        Arc::new(TlsAlpn01::new(network.clone())),
    ]
}

/// The way out that the base's methods share with those of extensions.
pub fn network(settings: Settings, clock: Clock) -> Result<Network, SettingsError> {
    let resolvers = match settings.resolvers.is_empty() {
        true => system_resolvers()?,
        false => settings.resolvers,
    };
    let resolver = DnsClient::new(&resolvers, settings.trust_anchors, settings.timeouts.dns_query)?;
    Ok(Network {
        resolver: Arc::new(resolver),
        addresses: AddressPolicy::new(settings.allow_networks),
        ports: PortPolicy {
            http: settings.http_port,
            tls: settings.tls_port,
        },
        timeouts: settings.timeouts,
        clock,
        connections: Connections::default(),
    })
}
