//! Asking other nodes for nonces, and being asked.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use authority::ports::BoxFuture;
use server::{Listener, Nonces, PeerBook, PeerDesk, Peers};
use storage::Database;

use super::listen;
use crate::world;

/// Where other processes on the same database answer.
struct Book(Arc<dyn Database>);

impl PeerBook for Book {
    fn address_of(&self, process: u32) -> BoxFuture<'_, Option<String>> {
        Box::pin(async move {
            match self.0.node_peer(u64::from(process)).await {
                Ok(address) => address,
                Err(error) => {
                    tracing::warn!(%error, "the address of another node is not known");
                    None
                }
            }
        })
    }
}

/// Both sides of asking for nonces, and this node's entry in the book.
pub(super) async fn peer(
    address: SocketAddr,
    database: &Arc<dyn Database>,
    nonces: &Arc<Nonces>,
) -> Result<(Peers, (Listener, PeerDesk)), String> {
    let listener = listen("server.peer", Listener::http(address).await)?;
    let secret = database.load_or_create_secret("peer", world::random_array()).await;
    let secret = secret.map_err(|error| format!("the database's peer key cannot be read: {error}"))?;
    let address = listener.address().map_err(|error| error.to_string())?;
    let registered = database
        .register_node(u64::from(nonces.process()), address.to_string())
        .await;
    registered.map_err(|error| format!("this node cannot be registered: {error}"))?;
    tokio::spawn(stay_registered(database.clone(), nonces.process(), address.to_string()));
    let desk = PeerDesk::new(&secret, nonces.clone());
    Ok((
        Peers::new(&secret, Arc::new(Book(database.clone())), nonces.clone()),
        (listener, desk),
    ))
}

/// Entries that nobody renews are cleared away after a week; this node's nonces live as long as it does.
async fn stay_registered(database: Arc<dyn Database>, process: u32, address: String) {
    loop {
        tokio::time::sleep(RENEW_ENTRY).await;
        if let Err(error) = database.register_node(u64::from(process), address.clone()).await {
            tracing::warn!(%error, "this node's entry was not renewed");
        }
    }
}

const RENEW_ENTRY: Duration = Duration::from_secs(3600);
