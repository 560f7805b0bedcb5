//! The authority's side of `email-reply-00`: mail out, mail in, and what becomes of it.

pub mod address;
mod inbox;
mod method;
pub mod outbox;
pub mod transport;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use authority::{Authority, Registry, ports::BoxFuture};
use mail::{dkim::Signer, reply::Policy};
use validation::dial::Network;

use self::{
    address::Addresses,
    inbox::Inbox,
    method::EmailReply,
    outbox::{Limits, Outbox},
    transport::{
        guests::Room,
        listener::{self, Listener, Protocol},
        sender::{Route, Sender},
    },
};
use crate::dns::Recursor;

pub struct Settings {
    pub addresses: Addresses,
    pub signers: Vec<Signer>,
    /// How the authority calls itself to people.
    pub authority: String,
    /// And to mail servers.
    pub host: String,
    pub route: Route,
    pub window: Duration,
    pub limits: Limits,
    /// In which `email-reply-00` is offered; in all where there are none.
    pub profiles: Vec<String>,
    pub inbox: InboxSettings,
}

#[derive(Clone)]
pub struct InboxSettings {
    pub listen: SocketAddr,
    pub protocol: Protocol,
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub policy: Policy,
    /// Whom SPF asks, where mail comes straight from the hosts of its senders.
    pub spf: Option<SocketAddr>,
}

/// What runs as long as the authority does, once it listens. `Err` names the setting that is wrong.
type Listening = Result<BoxFuture<'static, ()>, String>;

/// Adds the method; what comes back is to be run.
pub fn register(
    registry: &mut Registry,
    network: &Arc<Network>,
    settings: Settings,
) -> impl FnOnce(Authority) -> BoxFuture<'static, Listening> + Send + use<> {
    let outbox = Outbox {
        addresses: settings.addresses.clone(),
        signers: settings.signers.into(),
        sender: Arc::new(Sender::new(settings.route, settings.host.clone())),
        authority: settings.authority,
        window: settings.window,
        limits: settings.limits,
    };
    registry.add_method(Arc::new(EmailReply {
        addresses: settings.addresses.clone(),
        outbox: Arc::new(outbox),
        profiles: settings.profiles,
        clock: network.clock.clone(),
    }));
    let (network, addresses, host, inbox) = (network.clone(), settings.addresses, settings.host, settings.inbox);
    move |authority| Box::pin(listen(authority, network, addresses, host, inbox))
}

async fn listen(
    authority: Authority,
    network: Arc<Network>,
    addresses: Addresses,
    host: String,
    settings: InboxSettings,
) -> Listening {
    let listen = listener::Settings {
        protocol: settings.protocol,
        host,
        tls: settings.tls,
        room: ROOM,
        idle: IDLE,
        longest: LONGEST,
    };
    let listener = Listener::bind(settings.listen, listen).await.map_err(|error| {
        format!(
            "extensions.email-reply.listen: {}: {error}; is another process using it? Name another address",
            settings.listen
        )
    })?;
    let desk = Inbox {
        authority,
        addresses,
        resolver: network.resolver.clone(),
        spf: settings.spf.map(Recursor::new),
        policy: settings.policy,
        clock: network.clock.clone(),
    };
    Ok(Box::pin(listener.serve(Arc::new(desk))))
}

const ROOM: Room = Room {
    connections: 100,
    per_address: 10,
};
const IDLE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(600);
