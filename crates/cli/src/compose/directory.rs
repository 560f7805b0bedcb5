//! One directory of a node, from the configuration as that directory has it.

use std::{path::Path, sync::Arc};

use authority::{Authority, Policy};
use config::Config;
use issuance::Issuers;
use serde_json::{Map, Value};
use server::{Front, Fronts, Links, Nonces, OpenResource, Options, Page, Peers, Place, Seal, Waiting};
use storage::Database;

use super::{Seams, added::added, issuers::issuers, policy::policy};
use crate::{
    ca::OperatorDesk,
    extensions::Service,
    world::{self, World},
};

/// What all directories of a node stand on.
pub(super) struct Ground<'a> {
    pub folder: &'a Path,
    /// Seals every identifier on the wire.
    pub secret: [u8; 32],
    /// Tells the database from any other.
    pub instance: String,
    pub database: Arc<dyn Database>,
    pub waiting: Arc<Waiting>,
    pub nonces: Arc<Nonces>,
    pub peers: Option<Arc<Peers>>,
}

/// One directory of a node, with accounts, policies, profiles and a resolver of its own.
pub(super) struct Directory {
    pub name: String,
    pub authority: Authority,
    pub issuers: Arc<Issuers>,
    pub front: Arc<Front>,
    /// Not yet running.
    pub services: Vec<Service>,
}

/// The name of the directory at the root.
pub(super) const ROOT: &str = "default";

impl Directory {
    /// `config` is the configuration as this directory has it.
    pub fn compose(name: &str, config: &Config, ground: &Ground<'_>, seams: &impl Seams) -> Result<Self, String> {
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
            services: added.services,
        })
    }
}

/// Every directory of a node, the one at the root first.
pub(super) fn directories(config: &Config, ground: &Ground<'_>, seams: &impl Seams) -> Result<Vec<Directory>, String> {
    let mut directories = vec![Directory::compose(ROOT, config, ground, seams)?];
    for name in config.directory.keys() {
        let own = config.of_directory(name).expect("invariant: it is in the map");
        let directory = Directory::compose(name, &own, ground, seams);
        directories.push(directory.map_err(|why| format!("directory.{name}: {why}"))?);
    }
    distinct_tags(&directories)?;
    Ok(directories)
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

pub(super) fn fronts(directories: &[Directory]) -> Fronts {
    let (root, below) = directories.split_first().expect("invariant: there is one at the root");
    let below = below
        .iter()
        .map(|directory| (directory.name.clone(), directory.front.clone()));
    Fronts::new(root.front.clone(), below.collect())
}

/// What the operator's commands reach of this node.
pub(super) fn operator_desk(token: String, directories: &[Directory]) -> OperatorDesk {
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
