//! `vidimus serve`: an authority from its configuration.

use std::path::{Path, PathBuf};

use clap::Args;
use config::Config;
use server::Listener;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::compose::{Node, Seamless, listen, tls_identity};

#[derive(Args)]
pub struct Serve {
    /// The configuration file, as `vidimus init` writes one.
    #[arg(long, value_name = "FILE", default_value = "vidimus.toml")]
    config: PathBuf,
}

impl Serve {
    pub async fn run(self) -> Result<(), String> {
        let config = Config::read(&self.config).map_err(|error| error.to_string())?;
        let folder = self.config.parent().unwrap_or(Path::new("."));
        let identity = tls_identity(&config, folder)?;
        let api = listen("server.listen", Listener::https(config.server.listen, identity).await)?;
        let node = Node::compose(&config, folder, api, &Seamless).await?;
        println!("ready {}/directory", config.server.external_url.trim_end_matches('/'));
        println!("admin http://{}", node.admin_address()?);
        node.run(stop_signal()?).await
    }
}

/// Turns true at SIGTERM or SIGINT.
pub fn stop_signal() -> Result<watch::Receiver<bool>, String> {
    let (send, receive) = watch::channel(false);
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened to: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let _ = send.send(true);
    });
    Ok(receive)
}
