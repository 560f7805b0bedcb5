//! Responders of every challenge, scripted over HTTP: what pebble-challtestsrv offers to the suites of ACME clients.
//!
//! One process answers http-01 (also over HTTPS, for redirects), dns-01 and tls-alpn-01, each on any number of
//! addresses, and remembers what it was asked. What it answers is said through [`Script`] in process, or through the
//! management interface ([`control`]) by its paths and bodies.

mod certificate;
mod control;
mod history;
mod http;
mod script;
mod tls_alpn;

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

use crate::dns::serve as dns;

pub use self::{history::HISTORY, script::Script};

/// Where each server listens: nowhere if it has no address. Port 0 is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub management: Vec<SocketAddr>,
    /// UDP and TCP.
    pub dns: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
    /// The same answers over TLS, with a certificate that nobody trusts.
    pub https: Vec<SocketAddr>,
    pub tls_alpn: Vec<SocketAddr>,
}

/// All of them, running until this is dropped.
pub struct ChallengeServers {
    /// Where they listen, with the ports that the system chose.
    pub addresses: Addresses,
    pub script: Arc<Script>,
    tasks: JoinSet<()>,
}

/// A server that could not begin.
#[derive(Debug, thiserror::Error)]
#[error("the {server} server cannot listen on {address}: {source}; is another process using it? Name another address")]
pub struct StartError {
    server: &'static str,
    address: SocketAddr,
    source: io::Error,
}

impl ChallengeServers {
    /// Binds every address first, so that a script finds all servers or none.
    pub async fn start(wanted: &Addresses, script: Arc<Script>) -> Result<Self, StartError> {
        let dns = bind_dns(&wanted.dns).await?;
        let http = bind("HTTP", &wanted.http).await?;
        let https = bind("HTTPS", &wanted.https).await?;
        let tls_alpn = bind("TLS-ALPN", &wanted.tls_alpn).await?;
        let management = bind("management", &wanted.management).await?;

        let mut servers = Self {
            addresses: Addresses::default(),
            script: script.clone(),
            tasks: JoinSet::new(),
        };
        for (address, udp, tcp) in dns {
            servers.addresses.dns.push(address);
            servers.tasks.spawn(dns::udp(udp, script.zone.clone()));
            servers.tasks.spawn(dns::tcp(tcp, script.zone.clone()));
        }
        for (address, listener) in http {
            servers.addresses.http.push(address);
            servers.tasks.spawn(http::serve(listener, script.clone()));
        }
        for (address, listener) in https {
            servers.addresses.https.push(address);
            servers.tasks.spawn(http::serve_tls(listener, script.clone()));
        }
        for (address, listener) in tls_alpn {
            servers.addresses.tls_alpn.push(address);
            servers.tasks.spawn(tls_alpn::serve(listener, script.clone()));
        }
        for (address, listener) in management {
            servers.addresses.management.push(address);
            servers.tasks.spawn(control::serve(listener, script.clone()));
        }
        Ok(servers)
    }
}

async fn bind(server: &'static str, addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let mut bound = Vec::with_capacity(addresses.len());
    for address in addresses {
        let failed = |source| StartError {
            server,
            address: *address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        bound.push((listener.local_addr().map_err(failed)?, listener));
    }
    Ok(bound)
}

async fn bind_dns(addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, UdpSocket, TcpListener)>, StartError> {
    let mut bound = Vec::with_capacity(addresses.len());
    for address in addresses {
        let failed = |source| StartError {
            server: "DNS",
            address: *address,
            source,
        };
        let (udp, tcp) = dns::bind(*address).await.map_err(failed)?;
        bound.push((udp.local_addr().map_err(failed)?, udp, tcp));
    }
    Ok(bound)
}

#[cfg(test)]
mod tests;
