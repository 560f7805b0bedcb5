//! A DNS server that has an answer for every name, and does what a script tells it.
//!
//! It is authoritative for the root and so for everything: a name that was never mentioned has the default address.
//! [`Zone`] is scripted in process, or over HTTP through the interface that pebble-challtestsrv made common (see
//! [`control`]). Nothing is signed and every TTL is zero, so that a script takes effect with the next query.

mod answer;
pub(crate) mod control;
pub(crate) mod serve;
mod zone;

use std::{io, net::SocketAddr, sync::Arc};

use tokio::task::JoinSet;

pub use self::zone::{Property, Question, ScriptError, Zone};

/// The server's constructor.
pub struct Dns;

impl Dns {
    /// Serves on `dns` (UDP and TCP), scripted over HTTP on `control` if that is given. Port 0 is allowed for both.
    pub async fn start(dns: SocketAddr, control: Option<SocketAddr>) -> io::Result<Running> {
        let (udp, tcp) = serve::bind(dns).await?;
        let dns_addr = udp.local_addr()?;
        let zone = Arc::new(Zone::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::udp(udp, zone.clone()));
        tasks.spawn(serve::tcp(tcp, zone.clone()));
        let control_addr = match control {
            Some(addr) => {
                let listener = tokio::net::TcpListener::bind(addr).await?;
                let addr = listener.local_addr()?;
                tasks.spawn(control::serve(listener, zone.clone()));
                Some(addr)
            }
            None => None,
        };
        Ok(Running {
            dns_addr,
            control_addr,
            handle: zone,
            _tasks: tasks,
        })
    }
}

/// A server that runs until this is dropped.
pub struct Running {
    pub dns_addr: SocketAddr,
    pub control_addr: Option<SocketAddr>,
    /// What it answers, to be scripted in process.
    pub handle: Arc<Zone>,
    _tasks: JoinSet<()>,
}

#[cfg(test)]
mod tests;
