//! From a configuration to a running node. Each part that is composed has a file of its own.

mod added;
mod check;
mod directory;
mod identity;
mod issuers;
mod kept;
mod peers;
mod perspective;
mod perspectives;
mod policy;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use authority::{
    Registry,
    ports::{BoxFuture, Issuance, Store},
};
use config::Config;
use issuance::{IssuerUrls, Issuers};
use server::{Admin, AsyncHandler, Front, Listener, Nonces, OpenResource, PeerDesk, Place, Public, Waiting};
use storage::Database;
use tokio::sync::watch;
use validation::dial::Network;

pub use self::{
    check::check, identity::tls_identity, kept::IN_MEMORY, perspective::Station, policy::registered_domain,
};
use self::{
    directory::{Directory, Ground, directories, fronts, operator_desk},
    issuers::certificates,
    kept::{Kept, kept},
    peers::peer,
};
use crate::{ca::OperatorDesk, files, metrics, world};

/// A node that is ready to serve: everything opened, every port bound.
pub struct Node {
    api: Listener,
    admin: Listener,
    public: Option<(Listener, Public)>,
    waiting: Arc<Waiting>,
    desk: Option<(Listener, PeerDesk)>,
    /// The one at the root is the first.
    directories: Vec<Directory>,
    database: Arc<dyn Database>,
    issuers: Arc<Issuers>,
    nonces: Arc<Nonces>,
    /// Nowhere, where the rest is not kept either.
    nonce_file: Option<PathBuf>,
    desk_of_operator: Arc<OperatorDesk>,
    /// What extensions have running, ready to run.
    services: Vec<BoxFuture<'static, ()>>,
    /// Says why the store can promise nothing any more.
    fatal: watch::Receiver<Option<String>>,
}

/// What may stand between the authority and its ports; nothing, outside of tests.
pub trait Seams {
    fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store
    }

    fn issuance(&self, issuance: Arc<dyn Issuance>) -> Arc<dyn Issuance> {
        issuance
    }

    /// What every certificate of an issuer points to.
    fn urls(&self, urls: IssuerUrls) -> IssuerUrls {
        urls
    }

    /// Where the directory lies.
    fn place(&self) -> Place {
        Place::default()
    }

    /// Sees what the authority will know, once everything is registered.
    fn registry(&self, _registry: &mut Registry, _network: &Arc<Network>) {}

    /// What is served to anybody.
    fn open(&self, open: Vec<Arc<dyn OpenResource>>) -> Vec<Arc<dyn OpenResource>> {
        open
    }

    /// Reads an issuer's certificate or key. `Err` is a sentence.
    fn read(&self, file: &Path) -> Result<String, String> {
        files::read(file)
    }
}

/// Nothing stands between.
pub struct Seamless;

impl Seams for Seamless {}

impl Node {
    /// Composes a node around a bound API port. Relative paths are relative to `folder`.
    pub async fn compose(config: &Config, folder: &Path, api: Listener, seams: &impl Seams) -> Result<Self, String> {
        let (report, fatal) = watch::channel(None);
        let database = storage::open(
            &database_url(&config.database.url, folder),
            Box::new(move |why| {
                let _ = report.send(Some(why));
            }),
        )
        .await
        .map_err(|error| error.to_string())?;
        let secret = database
            .load_or_create_secret("seal", world::random_array())
            .await
            .map_err(|error| format!("the database's sealing key cannot be read: {error}"))?;

        let instance = database
            .load_or_create_secret("instance", world::random_array())
            .await
            .map_err(|error| format!("the database's own name cannot be read: {error}"))?;
        let instance = jose::base64url::encode(&instance[..INSTANCE]);
        let Kept {
            nonces,
            nonce_file,
            admin_token,
        } = kept(config, folder, &secret)?;
        let (peers, desk) = match config.server.peer {
            Some(address) => {
                let (peers, desk) = peer(address, &database, &nonces).await?;
                (Some(Arc::new(peers)), Some(desk))
            }
            None => (None, None),
        };
        let ground = Ground {
            folder,
            secret,
            instance,
            database: database.clone(),
            waiting: Arc::new(Waiting::default()),
            nonces: nonces.clone(),
            peers,
        };
        let mut directories = directories(config, &ground, seams)?;
        let mut services = Vec::new();
        for directory in &mut directories {
            for service in directory.services.drain(..) {
                services.push(service(directory.authority.clone()).await?);
            }
        }
        let root = &directories[0];
        let (authority, issuers, waiting) = (root.authority.clone(), root.issuers.clone(), ground.waiting);
        let desk_of_operator = Arc::new(operator_desk(admin_token, &directories));
        let admin = listen("admin.listen", Listener::http(config.admin.listen).await)?;
        let public = match config.server.public_listen {
            Some(address) => Some((
                listen("server.public_listen", Listener::http(address).await)?,
                Public::new(authority.clone(), certificates(&issuers)),
            )),
            None => None,
        };
        Ok(Self {
            api,
            admin,
            public,
            waiting,
            desk,
            directories,
            database,
            issuers,
            nonces,
            nonce_file,
            desk_of_operator,
            services,
            fatal,
        })
    }

    pub fn admin_address(&self) -> Result<SocketAddr, String> {
        self.admin.address().map_err(|error| error.to_string())
    }

    /// Of the directory at the root.
    pub fn front(&self) -> &Arc<Front> {
        &self.directories[0].front
    }

    pub fn nonces(&self) -> &Arc<Nonces> {
        &self.nonces
    }

    pub fn store(&self) -> Arc<dyn Store> {
        self.database.clone()
    }

    /// Serves until `stop` turns true, or until the store fails.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<(), String> {
        let fronts = fronts(&self.directories);
        self.run_behind(fronts, stop).await
    }

    /// Serves the API by something that stands before the fronts, or by them.
    pub async fn run_behind<H>(mut self, api: H, stop: watch::Receiver<bool>) -> Result<(), String>
    where
        H: AsyncHandler + Clone + Send + Sync + 'static,
    {
        let (quit, quitting) = watch::channel(false);
        let admin = self.admin_handler();
        let authorities: Vec<_> = self
            .directories
            .iter()
            .map(|directory| directory.authority.clone())
            .collect();
        let mut serving = vec![
            tokio::spawn(self.api.serve(api, quitting.clone())),
            tokio::spawn(self.admin.serve(admin, quitting.clone())),
        ];
        if let Some((listener, files)) = self.public {
            serving.push(tokio::spawn(listener.serve(files, quitting.clone())));
        }
        if let Some((listener, desk)) = self.desk {
            serving.push(tokio::spawn(listener.serve(desk, quitting.clone())));
        }
        // Revocations are the issuers', whatever directory they were asked for in.
        let publishing = server::publish(authorities[0].clone(), self.waiting.clone(), PUBLISH);
        let publisher = tokio::spawn(publishing);
        let worker = tokio::spawn(server::work(authorities, SWEEP));
        let services: Vec<_> = self.services.into_iter().map(tokio::spawn).collect();
        let mut stop = stop;
        let failed = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => None,
            why = failure(&mut self.fatal) => Some(why),
        };
        worker.abort();
        publisher.abort();
        services.iter().for_each(tokio::task::JoinHandle::abort);
        if let Some(why) = failed {
            // What was promised is on disk, what was not is unknown: only a fresh start can tell.
            return Err(format!("the database failed and this process ends: {why}"));
        }
        let _ = quit.send(true);
        for task in serving {
            let _ = task.await;
        }
        if let Some(file) = &self.nonce_file {
            let saved = self.nonces.save(file);
            saved.map_err(|error| format!("the nonces were not saved: {error}"))?;
        }
        self.database.close().await;
        Ok(())
    }

    fn admin_handler(&self) -> Admin {
        let store: Arc<dyn Store> = self.database.clone();
        let (issuers, database) = (self.issuers.clone(), self.database.clone());
        let signer_ready = move || {
            let now = world::now();
            match issuers.issuers().find(|issuer| issuer.not_after() <= now) {
                Some(issuer) => Err(format!(
                    "the issuer {:?} expired at {}",
                    issuer.name(),
                    issuer.not_after()
                )),
                None => Ok(()),
            }
        };
        let metrics = move || metrics::render(&database.statistics());
        Admin::new(store, signer_ready, metrics, self.desk_of_operator.clone())
    }
}

/// `listen` with the name of the setting that was wrong.
pub fn listen(setting: &str, listener: std::io::Result<Listener>) -> Result<Listener, String> {
    listener.map_err(|error| format!("{setting}: {error}; is another process using it? Name another address"))
}

/// Waits for the store to give up. One that never does has let go of its end of the channel; that is no failure.
async fn failure(fatal: &mut watch::Receiver<Option<String>>) -> String {
    if let Ok(why) = fatal.wait_for(Option::is_some).await
        && let Some(why) = &*why
    {
        return why.clone();
    }
    std::future::pending().await
}

/// How often work that others left behind is looked for; one's own is done at once.
const SWEEP: Duration = Duration::from_secs(5);

/// How often CRLs are looked at that nothing on this node made due.
const PUBLISH: Duration = Duration::from_secs(60);

/// Enough octets of a database's secret to tell it from any other.
const INSTANCE: usize = 9;

fn database_url(url: &str, folder: &Path) -> String {
    match url.strip_prefix("sqlite:") {
        Some(file) if file != ":memory:" => format!("sqlite:{}", folder.join(file).display()),
        _ => url.to_owned(),
    }
}
