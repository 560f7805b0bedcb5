//! A remote perspective: what an authority's registry has, with a listener for its questions, and nothing to keep.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use config::PerspectiveConfig;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use server::{AsyncHandler, Listener};
use tokio::sync::watch;
use validation::perspectives::{Accounts, Desk};

use super::{
    added::{caa_identities, network, registered},
    listen,
    perspectives::{identity, pins},
};
use crate::extensions::Context;

/// A remote perspective that is ready to answer.
pub struct Station {
    listener: Listener,
    desk: AtDesk,
    is_tls: bool,
}

impl Station {
    /// Relative paths are relative to `folder`.
    pub async fn compose(config: &PerspectiveConfig, folder: &Path) -> Result<Self, String> {
        let settings = &config.perspective;
        let accounts = Arc::new(Accounts::default());
        let context = Context {
            settings: toml::Table::new(),
            external_url: &settings.external_url,
            network: network(&config.validation, folder)?,
            caa_identities: caa_identities(&settings.caa_identities)
                .map_err(|why| format!("perspective.caa_identities: {why}"))?,
            profiles: &BTreeMap::new(),
            only_looks: true,
            account_url: accounts.url(),
            order_lifetime: Duration::ZERO,
            folder,
            resolvers: &config.validation.resolvers,
        };
        let registry = registered(context, &config.extensions)?.registry;
        let desk = Desk::new(settings.name.clone(), registry, accounts, settings.at_once);
        let (listener, is_tls) = match (&settings.certificate, &settings.key, &settings.authority) {
            (Some(certificate), Some(key), Some(authority)) => {
                let identity = identity("perspective", &folder.join(certificate), &folder.join(key))?;
                let authority = pins(&folder.join(authority)).map_err(|why| format!("perspective.authority: {why}"))?;
                let tls = identity.answering(authority);
                let tls = tls.map_err(|error| format!("perspective.certificate: {error}"))?;
                (Listener::tls(settings.listen, tls).await, true)
            }
            _ => (Listener::http(settings.listen).await, false),
        };
        Ok(Self {
            listener: listen("perspective.listen", listener)?,
            desk: AtDesk(Arc::new(desk)),
            is_tls,
        })
    }

    /// As the authority's `url` has it, on this machine.
    pub fn url(&self) -> Result<String, String> {
        let address: SocketAddr = self.listener.address().map_err(|error| error.to_string())?;
        let scheme = if self.is_tls { "https" } else { "http" };
        Ok(format!("{scheme}://{address}"))
    }

    /// Answers until `stop` turns true.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        self.listener.serve(self.desk, stop).await;
    }
}

#[derive(Clone)]
struct AtDesk(Arc<Desk>);

impl AsyncHandler for AtDesk {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.0.handle(request).await
    }
}
