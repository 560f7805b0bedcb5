//! From a configuration to a running node.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use authority::{
    Authority, ExternalAccounts, Policy, Registry,
    operations::Limits,
    ports::{BackEnd, BoxFuture, Issuance, Store},
};
use client::SolverSettings;
use config::Config;
use issuance::{CrlUrls, External, Issuer, IssuerUrls, Issuers, Profile};
use pkix::certificate::Certificate;
use serde_json::{Map, Value};
use server::{
    Admin, AsyncHandler, Front, Fronts, Links, Listener, Nonces, OpenResource, Options, Page, PeerBook, PeerDesk,
    Peers, Place, Public, Resource, Seal, TlsIdentity, Waiting,
};
use storage::Database;
use tokio::sync::watch;
use validation::{dial::Network, issue_value};

use crate::{
    ca::{self, OperatorDesk},
    extensions::{Added, Context, EXTENSIONS},
    files, metrics,
    world::{self, World},
};

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
        let root = Directory::compose(ROOT, config, &ground, seams)?;
        let mut directories = Vec::with_capacity(config.directory.len());
        for name in config.directory.keys() {
            let own = config.of_directory(name).expect("invariant: it is in the map");
            directories.push(
                Directory::compose(name, &own, &ground, seams).map_err(|why| format!("directory.{name}: {why}"))?,
            );
        }
        let (authority, issuers, waiting) = (root.authority.clone(), root.issuers.clone(), ground.waiting);
        directories.insert(0, root);
        distinct_tags(&directories)?;
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
        let mut stop = stop;
        let failed = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => None,
            why = failure(&mut self.fatal) => Some(why),
        };
        worker.abort();
        publisher.abort();
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

/// What all directories of a node stand on.
struct Ground<'a> {
    folder: &'a Path,
    /// Seals every identifier on the wire.
    secret: [u8; 32],
    /// Tells the database from any other.
    instance: String,
    database: Arc<dyn Database>,
    waiting: Arc<Waiting>,
    nonces: Arc<Nonces>,
    peers: Option<Arc<Peers>>,
}

/// One directory of a node, with accounts, policies, profiles and a resolver of its own.
struct Directory {
    name: String,
    authority: Authority,
    issuers: Arc<Issuers>,
    front: Arc<Front>,
}

/// The name of the directory at the root.
const ROOT: &str = "default";

impl Directory {
    /// `config` is the configuration as this directory has it.
    fn compose(name: &str, config: &Config, ground: &Ground<'_>, seams: &impl Seams) -> Result<Self, String> {
        let links = || {
            let place = match name {
                ROOT => seams.place(),
                name => Place {
                    prefix: format!("/{name}"),
                    ..Place::default()
                },
            };
            let seal = Seal::new(&ground.secret).for_directory(tag(name));
            Links::new(&config.server.external_url, place, seal)
        };
        let issuers = Arc::new(issuers(config, ground.folder, seams)?);
        let policy = Policy {
            directory: name.to_owned(),
            instance: ground.instance.clone(),
            ..policy(config, ground.folder)?
        };
        let added = added(config, ground.folder, links(), &issuers, seams)?;
        let authority = Authority::new(
            seams.store(ground.database.clone()),
            Arc::new(World),
            ground.waiting.clone(),
            seams.issuance(issuers.clone()),
            added.registry,
            policy,
        );
        let front = Front::new(
            authority.clone(),
            links(),
            ground.nonces.clone(),
            ground.peers.clone(),
            ground.waiting.clone(),
            options(config, added.meta, seams.open(added.open), added.pages),
        );
        Ok(Self {
            name: name.to_owned(),
            authority,
            issuers,
            front: Arc::new(front),
        })
    }
}

/// What tells the identifiers of one directory from those of another: of its name, so that it stays when others come.
fn tag(name: &str) -> u16 {
    if name == ROOT {
        return 0;
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    u16::from_be_bytes([digest.as_ref()[0], digest.as_ref()[1]]).max(1)
}

fn distinct_tags(directories: &[Directory]) -> Result<(), String> {
    for (at, directory) in directories.iter().enumerate() {
        if let Some(other) = directories[..at]
            .iter()
            .find(|other| tag(&other.name) == tag(&directory.name))
        {
            return Err(format!(
                "directory.{}: by chance its identifiers cannot be told from those of {:?}; name it differently",
                directory.name, other.name
            ));
        }
    }
    Ok(())
}

fn fronts(directories: &[Directory]) -> Fronts {
    let (root, below) = directories.split_first().expect("invariant: there is one at the root");
    let below = below
        .iter()
        .map(|directory| (directory.name.clone(), directory.front.clone()));
    Fronts::new(root.front.clone(), below.collect())
}

/// What the operator's commands reach of this node.
fn operator_desk(token: String, directories: &[Directory]) -> OperatorDesk {
    let served = directories.iter().map(|directory| {
        let (reading, writing) = (directory.front.clone(), directory.front.clone());
        let served = admin::Served {
            authority: directory.authority.clone(),
            account_of: Arc::new(move |url| reading.account_of_url(url)),
            account_url: Arc::new(move |id| writing.account_url(id)),
        };
        (directory.name.clone(), served)
    });
    OperatorDesk(admin::Desk::new(token, served.collect(), Arc::new(world::random)))
}

/// `listen` with the name of the setting that was wrong.
pub fn listen(setting: &str, listener: std::io::Result<Listener>) -> Result<Listener, String> {
    listener.map_err(|error| format!("{setting}: {error}; is another process using it? Name another address"))
}

/// The API's own certificate and key.
pub fn tls_identity(config: &Config, folder: &Path) -> Result<TlsIdentity, String> {
    let (certificate, key) = (
        folder.join(&config.server.tls_certificate),
        folder.join(&config.server.tls_key),
    );
    let chain = pkix::pem::parse_chain(&files::read(&certificate)?).map_err(|error| {
        let certificate = certificate.display();
        format!("server.tls_certificate: {certificate}: {error}; name a file with the API's chain in PEM")
    })?;
    let key_pair =
        pkix::key::KeyPair::from_pkcs8_pem(&read_key(&key, "server.tls_key", &Seamless)?).map_err(|error| {
            let key = key.display();
            format!("server.tls_key: {key}: {error}; name a file with one PKCS#8 key in PEM")
        })?;
    // A certificate of others that we cannot read is left to the TLS library, which needs less of it.
    let leaf = chain.first().and_then(|der| Certificate::parse(der).ok());
    if leaf.is_some_and(|leaf| leaf.spki_der() != key_pair.public_key().spki_der()) {
        return Err(format!(
            "server.tls_key: {} is not the key of the first certificate in {}; name the two that belong together",
            key.display(),
            certificate.display()
        ));
    }
    Ok(TlsIdentity {
        chain,
        key: key_pair.to_pkcs8_der().to_vec(),
    })
}

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
async fn peer(
    address: SocketAddr,
    database: &Arc<dyn Database>,
    nonces: &Arc<Nonces>,
) -> Result<(Peers, (Listener, PeerDesk)), String> {
    if address.ip().is_unspecified() {
        return Err(format!(
            "server.peer: other nodes are told this address and cannot reach {address}; name the one that they can reach"
        ));
    }
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

/// What a node has kept since its last run.
struct Kept {
    nonces: Arc<Nonces>,
    nonce_file: Option<PathBuf>,
    admin_token: String,
}

fn kept(config: &Config, folder: &Path, secret: &[u8; 32]) -> Result<Kept, String> {
    let process = u32::from_be_bytes(world::random_array());
    if config.database.url == IN_MEMORY {
        // Nobody is told the token: what the operator could do would be gone with the process.
        return Ok(Kept {
            nonces: Arc::new(Nonces::new(Seal::new(secret), process)),
            nonce_file: None,
            admin_token: jose::base64url::encode(world::random_array::<32>()),
        });
    }
    // Made now: at the end it would be too late to say that nothing can be kept there.
    let state = folder.join(&config.server.state);
    files::make_folder(&state)?;
    let file = state.join("nonces");
    let nonces = Nonces::resume(Seal::new(secret), process, &file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(Kept {
        nonces: Arc::new(nonces),
        admin_token: ca::token(&state)?,
        nonce_file: Some(file),
    })
}

/// A database that ends with its process.
pub const IN_MEMORY: &str = "sqlite::memory:";

/// The base and the extensions that are on.
fn added(config: &Config, folder: &Path, links: Links, issuers: &Issuers, seams: &impl Seams) -> Result<Added, String> {
    let network = network(config, folder)?;
    let mut added = Added::default();
    let registry = &mut added.registry;
    registry.add_identifier_type(authority::identifier::Dns);
    validation::base_methods(&network)
        .into_iter()
        .for_each(|method| registry.add_method(method));
    for name in config.extensions.keys() {
        if !EXTENSIONS.iter().any(|extension| extension.name == name) {
            let known: Vec<_> = EXTENSIONS.iter().map(|extension| extension.name).collect();
            return Err(format!(
                "extensions.{name}: there is no such extension; there are: {}",
                known.join(", ")
            ));
        }
    }
    let profiles = issuers.profiles().into_iter().collect();
    let mut context = Context {
        settings: toml::Table::new(),
        external_url: &config.server.external_url,
        network: network.clone(),
        caa_identities: caa_identities(config)?,
        profiles: &profiles,
        account_url: Arc::new(move |account| links.url(Resource::Account(account))),
    };
    for extension in EXTENSIONS {
        let name = extension.name;
        context.settings = config.extensions.get(name).cloned().unwrap_or_default();
        let on = match context.settings.remove("enabled") {
            None => (extension.on)(&context),
            Some(toml::Value::Boolean(on)) => on,
            Some(other) => return Err(format!("extensions.{name}.enabled: {other} is neither true nor false")),
        };
        if on {
            (extension.register)(&mut added, &context).map_err(|why| format!("extensions.{name}.{why}"))?;
        }
    }
    seams.registry(&mut added.registry, &network);
    Ok(added)
}

fn network(config: &Config, folder: &Path) -> Result<Arc<Network>, String> {
    let trust_anchors = match &config.validation.trust_anchors {
        Some(file) => Some(files::read(&folder.join(file))?),
        None => None,
    };
    let settings = validation::Settings {
        http_port: config.validation.http_port,
        tls_port: config.validation.tls_port,
        resolvers: config.validation.resolvers.clone(),
        trust_anchors,
        allow_networks: config.validation.allow_networks.clone(),
        ..Default::default()
    };
    let network =
        validation::network(settings, Arc::new(world::now)).map_err(|error| format!("validation: {error}"))?;
    Ok(Arc::new(network))
}

/// A name that no record could have would be a name that no record permits.
fn caa_identities(config: &Config) -> Result<&[String], String> {
    let identities = &config.acme.caa_identities;
    let wrong = |name: &&String| issue_value::issuer_name(name.as_bytes()).as_ref() != Some(*name);
    match identities.iter().find(wrong) {
        Some(name) => Err(format!(
            "acme.caa_identities: {name:?} is not a domain name in lower case without a final dot"
        )),
        None => Ok(identities),
    }
}

fn policy(config: &Config, folder: &Path) -> Result<Policy, String> {
    let (lease, limit) = (config.server.lease.duration(), Policy::default().issuance_limit);
    if lease.is_zero() || lease >= limit {
        return Err(format!(
            "server.lease: \"{}\" is not more than nothing and less than {} s, after which nothing is signed any more; \
             name something between",
            config.server.lease,
            limit.as_secs()
        ));
    }
    let blocked_keys = match &config.acme.blocked_keys {
        Some(file) => blocked_keys(&folder.join(file))?,
        None => HashSet::new(),
    };
    Ok(Policy {
        order_lifetime: config.acme.order_lifetime.duration(),
        authorization_lifetime: config.acme.authorization_lifetime.duration(),
        identifiers_per_order: config.acme.identifiers_per_order,
        terms_of_service: config.acme.terms_of_service.clone(),
        agree_again: config.acme.agree_again,
        external_accounts: match config.acme.external_accounts {
            config::ExternalAccounts::Off => ExternalAccounts::Off,
            config::ExternalAccounts::Optional => ExternalAccounts::Optional,
            config::ExternalAccounts::Required => ExternalAccounts::Required,
        },
        limits: Limits {
            help: config.acme.limits_help.clone(),
            ..match config.acme.limits {
                config::LimitsPreset::None => Limits::none(),
                config::LimitsPreset::Private => Limits::private(),
                config::LimitsPreset::Public => Limits::public(),
            }
        },
        registered_domain,
        reuse_authorizations: config.acme.reuse_authorizations.duration(),
        default_profile: config.acme.default_profile.clone(),
        validation_wait: config.validation.wait.duration(),
        validation_attempts: config.validation.attempts,
        validation_retry: config.validation.retry_after.duration(),
        lease,
        blocked_keys,
        ..Policy::default()
    })
}

fn blocked_keys(file: &Path) -> Result<HashSet<[u8; 32]>, String> {
    let text = files::read(file)?;
    let lines = text
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|(number, line)| {
        let bytes = (line.len() == 64 && line.is_ascii()).then(|| {
            (0..32)
                .map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).ok())
                .collect::<Option<Vec<u8>>>()
        });
        bytes
            .flatten()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| format!("{}, line {}: not 64 hexadecimal digits", file.display(), number + 1))
    });
    keys.collect()
}

fn issuers(config: &Config, folder: &Path, seams: &impl Seams) -> Result<Issuers, String> {
    let own = config
        .issuer
        .iter()
        .filter(|(_, settings)| settings.kind == config::IssuerKind::Own);
    let issuers = own.map(|(name, settings)| {
        let setting = |key: &str, file: &Option<PathBuf>| match file {
            Some(file) => Ok(folder.join(file)),
            None => Err(format!("issuer.{name}.{key} is missing")),
        };
        let base = config
            .server
            .public_http
            .as_deref()
            .map(|base| base.trim_end_matches('/'));
        let urls = IssuerUrls {
            crl: base.map(|base| CrlUrls::new(&format!("{base}/crl/{name}"), settings.crl_shards, settings.crl_lifetime.duration())),
            certificate: base.map(|base| format!("{base}/issuer/{name}.cer")),
            ocsp: base.filter(|_| settings.ocsp).map(|base| format!("{base}/ocsp/{name}")),
        };
        let certificate_file = setting("certificate", &settings.certificate)?;
        let certificate = seams.read(&certificate_file)?;
        let key_file = setting("key", &settings.key)?;
        let key = read_key(&key_file, &format!("issuer.{name}.key"), seams)?;
        let issuer = Issuer::from_pem(name, &certificate, &key, seams.urls(urls)).map_err(|error| {
            let key_file = key_file.display();
            format!("{error}; issuer.{name} must name a CA certificate in PEM and its PKCS#8 key ({key_file})")
        })?;
        // One that no profile names signs no certificate any more and may be as old as it likes.
        let signs = config.profile.values().any(|profile| profile.issuer == *name);
        if signs && issuer.not_after() <= world::now() {
            return Err(format!(
                "issuer.{name}: its certificate {} expired at {}; have it renewed, or name another issuer in its profiles",
                certificate_file.display(),
                issuer.not_after()
            ));
        }
        settings.alternates.iter().try_fold(issuer, |issuer, file| {
            let file = folder.join(file);
            let chain = pkix::pem::parse_chain(&seams.read(&file)?)
                .map_err(|error| format!("issuer.{name}.alternates: {}: {error}", file.display()))?;
            issuer
                .with_alternate(chain)
                .map_err(|error| format!("issuer.{name}.alternates: {}: {error}", file.display()))
        })
    });
    let profiles = config.profile.iter().map(|(name, settings)| Profile {
        name: name.clone(),
        description: settings.description.clone(),
        issuer: settings.issuer.clone(),
        lifetime: settings.lifetime.duration(),
        backdate: settings.backdate.duration(),
        common_name: settings.common_name,
        client_auth: settings.client_auth,
    });
    let issuers = issuers.collect::<Result<_, String>>()?;
    Issuers::with_external(issuers, external(config, folder, seams)?, profiles.collect())
        .map_err(|error| error.to_string())
}

/// The issuers that are not ours.
fn external(config: &Config, folder: &Path, seams: &impl Seams) -> Result<Vec<External>, String> {
    let external = config.issuer.iter().filter_map(|(name, settings)| {
        let back_end: Result<Arc<dyn BackEnd>, String> = match settings.kind {
            config::IssuerKind::Own => return None,
            config::IssuerKind::Acme => relay(name, settings, folder, seams).map(|relay| Arc::new(relay) as _),
            config::IssuerKind::Command => Ok(Arc::new(backend::Command {
                command: settings.command.clone(),
                folder: folder.to_owned(),
                time_limit: settings.time_limit.duration(),
                patience: settings.patience.duration(),
            })),
        };
        let roots = match &settings.roots {
            Some(file) => files::read(&folder.join(file)).and_then(|pem| {
                pkix::pem::parse_chain(&pem)
                    .map_err(|error| format!("issuer.{name}.roots: {}: {error}", file.display()))
            }),
            None => Ok(Vec::new()),
        };
        let made =
            back_end.and_then(|back_end| External::new(name, back_end, &roots?).map_err(|error| error.to_string()));
        Some(made)
    });
    external.collect()
}

/// Another ACME authority, as issuer.
fn relay(name: &str, settings: &config::Issuer, folder: &Path, seams: &impl Seams) -> Result<backend::Relay, String> {
    let missing = |key: &str| format!("issuer.{name}.{key} is missing");
    let server = settings.server.clone().ok_or_else(|| missing("server"))?;
    let key = folder.join(settings.account_key.as_ref().ok_or_else(|| missing("account_key"))?);
    let pem = read_key(&key, &format!("issuer.{name}.account_key"), seams)?;
    let account_key = jose::SigningKey::from_pkcs8_pem(&pem).map_err(|error| {
        let key = key.display();
        format!("issuer.{name}.account_key: {key}: {error}; name a file with one PKCS#8 key in PEM")
    })?;
    let solvers = [
        settings.dns_hook.clone().map(SolverSettings::DnsHook),
        settings
            .webroot
            .as_ref()
            .map(|root| SolverSettings::Webroot(folder.join(root))),
        settings.standalone.clone().map(SolverSettings::Standalone),
    ];
    let relay = backend::Relay::new(backend::RelaySettings {
        server,
        ca_bundle: settings.ca_bundle.as_ref().map(|file| folder.join(file)),
        account_key,
        agrees_to_terms: settings.agree_to_terms,
        solvers: solvers.into_iter().flatten().collect(),
        patience: settings.patience.duration(),
    });
    relay.map_err(|why| format!("issuer.{name}: {why}"))
}

/// A private key's file, with the setting that names it.
fn read_key(file: &Path, setting: &str, seams: &impl Seams) -> Result<zeroize::Zeroizing<String>, String> {
    let key = seams
        .read(file)
        .map_err(|why| format!("{setting}: {why}; name a file that this user can read"))?;
    Ok(zeroize::Zeroizing::new(key))
}

fn options(
    config: &Config,
    members: Map<String, Value>,
    open: Vec<Arc<dyn OpenResource>>,
    pages: Vec<Page>,
) -> Options {
    Options {
        meta: acme::Meta {
            terms_of_service: config.acme.terms_of_service.clone(),
            website: config.acme.website.clone(),
            caa_identities: config.acme.caa_identities.clone(),
            external_account_required: config.acme.external_accounts == config::ExternalAccounts::Required,
            members,
        },
        proxies: server::Proxies(config.server.proxies.clone()),
        // What never counts for an order is not offered (RFC 8555 §7.1.1, §7.4.1).
        pre_authorization: config.acme.pre_authorization && !config.acme.reuse_authorizations.duration().is_zero(),
        open,
        pages,
        hold: config.server.hold.duration(),
        orders_per_page: config.server.orders_per_page,
    }
}

/// The domain under a public suffix, which is one holder's.
fn registered_domain(name: &str) -> Option<String> {
    psl::domain_str(name.trim_start_matches("*.")).map(str::to_owned)
}

/// The issuers' certificates, for the paths that [`issuers`] put into those that they sign.
fn certificates(issuers: &Issuers) -> impl Iterator<Item = (String, bytes::Bytes)> {
    issuers.issuers().map(|issuer| {
        let certificate = bytes::Bytes::copy_from_slice(issuer.certificate().der());
        (issuer.name().to_owned(), certificate)
    })
}
