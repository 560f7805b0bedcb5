//! The directory's address: a TCP pass-through, as a load balancer before the nodes is one.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Passes each connection to the first of the nodes that accepts it, until it is dropped.
pub struct Gate {
    pub address: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
    _tasks: JoinSet<()>,
}

impl Gate {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let nodes = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(pass(listener, nodes.clone()));
        Self {
            address,
            nodes,
            _tasks: tasks,
        }
    }

    pub fn lead_to(&self, nodes: &[SocketAddr]) {
        *self.nodes.lock().unwrap() = nodes.to_vec();
    }
}

async fn pass(listener: TcpListener, nodes: Arc<Mutex<Vec<SocketAddr>>>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let nodes = nodes.lock().unwrap().clone();
        connections.spawn(async move {
            for node in nodes {
                if let Ok(mut node) = TcpStream::connect(node).await {
                    let _ = copy_bidirectional(&mut client, &mut node).await;
                    return;
                }
            }
        });
    }
}
