//! From names to installed files: the whole way of one certificate.

mod ordering;
mod prepared;

use std::{path::PathBuf, sync::Arc, time::Duration};

use acme::{OrderStatus, RenewalId};
use jiff::Timestamp;
use pkix::key::KeyPair;
use serde_json::{Map, Value};

use crate::{
    account::{Account, Registration},
    accounts,
    ancestor::Ancestors,
    ari,
    chain::Chain,
    challenge::{Method, is_onion},
    clock::{Clock, SystemClock},
    csr::KeyType,
    directory::Directory,
    error::Error,
    identifier::Identifier,
    order::{Order, Validity},
    progress::{Event, Progress, silent},
    renewal::{RenewalPlan, RenewalState},
    retry::RetryPolicy,
    solver::{Finalizing, Solver, SolverSettings},
    store::{Ahead, CertificateName, Files, Ledger, Settings, Store},
    transport::{Transport, TransportSettings},
    trust::Trust,
};

use self::{ordering::order, prepared::Prepared};

/// What is wanted, from whom, and how it is proven.
#[derive(Clone)]
pub struct Request {
    /// The URL of the CA's directory.
    pub server: String,
    pub transport: TransportSettings,
    /// Where everything is kept.
    pub dir: PathBuf,
    /// What the certificate is called on disk; its first name, unless said otherwise.
    pub name: Option<CertificateName>,
    pub wanted: Wanted,
    /// Tried in this sequence for each name.
    pub solvers: Vec<SolverSettings>,
    /// Tried before those: of methods from elsewhere, set up by who asks.
    pub other_solvers: Vec<Arc<dyn Solver>>,
    /// A key that was made before, for a certificate whose key others were told in advance (RFC 7671 §8.1).
    pub key: Option<Arc<KeyPair>>,
    /// The command that is to renew it, if not `cert renew`.
    pub command: Option<String>,
    pub account_key_type: KeyType,
    pub registration: Registration,
    pub preferred_chain: Option<String>,
    pub validity: Validity,
    /// One of those that the directory offers (draft-ietf-acme-profiles §4).
    pub profile: Option<String>,
    /// The certificate that is to be replaced (RFC 9773 §5).
    pub replaces: Option<RenewalId>,
    /// Domains that can be proven by dns-01 in place of names below them (RFC 9444 §4.3).
    pub ancestors: Ancestors,
    /// Order again without the names that the CA refuses (RFC 8555 §6.7.1).
    pub skip_rejected: bool,
    /// How long to wait for another process that works on the same certificate.
    pub lock_wait: Duration,
    pub policy: RetryPolicy,
    pub clock: Arc<dyn Clock>,
    pub progress: Progress,
}

/// Whose key is certified.
#[derive(Clone, Debug)]
pub enum Wanted {
    Names {
        identifiers: Vec<Identifier>,
        key_type: KeyType,
        reuse_key: bool,
    },
    /// The file of a request that was made elsewhere; its key is neither needed nor touched.
    Csr(PathBuf),
}

impl Request {
    pub fn new(
        server: impl Into<String>,
        dir: impl Into<PathBuf>,
        wanted: Wanted,
        solvers: Vec<SolverSettings>,
    ) -> Self {
        Self {
            server: server.into(),
            transport: TransportSettings::default(),
            dir: dir.into(),
            name: None,
            wanted,
            solvers,
            other_solvers: Vec::new(),
            key: None,
            command: None,
            account_key_type: KeyType::default(),
            registration: Registration::default(),
            preferred_chain: None,
            validity: Validity::default(),
            profile: None,
            replaces: None,
            ancestors: Ancestors::default(),
            skip_rejected: false,
            lock_wait: Duration::from_secs(60),
            policy: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            progress: silent(),
        }
    }

    /// The request that made a certificate, to renew it.
    pub fn again(name: CertificateName, settings: &Settings, dir: impl Into<PathBuf>) -> Self {
        let wanted = match &settings.csr {
            Some(path) => Wanted::Csr(path.clone()),
            None => Wanted::Names {
                identifiers: settings.identifiers.clone(),
                key_type: settings.key_type,
                reuse_key: settings.reuse_key,
            },
        };
        let mut request = Self::new(&settings.server, dir, wanted, settings.solvers.clone());
        request.name = Some(name);
        request.preferred_chain = settings.preferred_chain.clone();
        request.profile = settings.profile.clone();
        request.ancestors = settings.ancestors.clone();
        request.command = settings.command.clone();
        request.transport.allow_http = settings.allow_http;
        request.transport.trust = settings.ca_bundle.clone().map_or(Trust::Platform, Trust::Bundle);
        request
    }
}

/// A certificate that has just been installed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    pub name: CertificateName,
    pub identifiers: Vec<Identifier>,
    pub chain: Chain,
    pub files: Files,
    pub server: String,
    pub account_url: String,
    pub order_url: String,
    pub certificate_url: String,
    /// When it is to be renewed.
    pub plan: RenewalPlan,
}

/// Orders, proves, fetches and installs. Dropping the future takes all proofs away.
pub async fn issue(request: Request) -> Result<Issued, Error> {
    let wanted = Prepared::new(&request)?;
    every_name_has_a_solver(&wanted.identifiers, &request)?;
    request.ancestors.check(&wanted.identifiers)?;
    let store = Store::open(&request.dir)?;
    let name = request
        .name
        .clone()
        .unwrap_or_else(|| CertificateName::of(&wanted.identifiers[0]));
    let waiting = |locked: &crate::store::StoreError| {
        (request.progress)(&Event::Waiting {
            whom: locked.to_string(),
        })
    };
    let _lock = store
        .lock(name.as_str(), request.lock_wait, &*request.clock, waiting)
        .await?;
    let ledger = store.ledger(&name);
    tidy_up(&ledger, &request.progress).await;
    // Before anything is ordered: a port in use or a folder that is not there is better known now.
    let mut solvers = request.other_solvers.clone();
    for settings in &request.solvers {
        solvers.push(settings.start(Some(&ledger)).await?);
    }
    let issued = issue_with(&request, &wanted, &store, name, &solvers).await;
    for solver in solvers {
        solver.close().await;
    }
    issued
}

async fn issue_with(
    request: &Request,
    wanted: &Prepared,
    store: &Store,
    name: CertificateName,
    solvers: &[Arc<dyn Solver>],
) -> Result<Issued, Error> {
    let progress = &request.progress;
    let transport = Transport::new(request.transport.clone())?;
    let directory = Directory::new(
        &request.server,
        transport,
        request.policy.clone(),
        Arc::clone(&request.clock),
    );
    let account = account(request, store, &directory).await?;
    let (account, mut order, ahead) = order(request, store, account, wanted, &name).await?;
    progress(&Event::Ordered {
        url: order.url().to_owned(),
        identifiers: order.identifiers().to_vec(),
    });
    let installed = finish(request, wanted, store, &name, &mut order, ahead.as_ref(), solvers).await;
    if let Some(ahead) = ahead
        && (installed.is_ok() || order.status() == OrderStatus::Invalid)
    {
        ahead.forget();
    }
    let (chain, files, certificate_url) = installed?;
    progress(&Event::Issued {
        url: certificate_url.clone(),
    });
    // RFC 9773 §4.3: at once. What is installed stays so, whatever becomes of the question.
    let mut renewal = RenewalState::of(chain.leaf());
    ari::ask(&directory, chain.leaf(), &mut renewal).await;
    store.save_renewal(&name, &renewal)?;
    Ok(Issued {
        name,
        identifiers: chain.identifiers(),
        plan: renewal.plan(chain.leaf()),
        chain,
        files,
        server: request.server.clone(),
        account_url: account.url().to_owned(),
        order_url: order.url().to_owned(),
        certificate_url,
    })
}

/// From an order to files.
async fn finish(
    request: &Request,
    wanted: &Prepared,
    store: &Store,
    name: &CertificateName,
    order: &mut Order,
    ahead: Option<&Ahead>,
    solvers: &[Arc<dyn Solver>],
) -> Result<(Chain, Files, String), Error> {
    order.solve(solvers, &request.progress).await?;
    (request.progress)(&Event::Finalizing);
    let made;
    let (key, csr) = match ahead {
        Some(ahead) => (ahead.key(), ahead.csr()),
        None => {
            made = wanted.csr(order.identifiers(), store, name).await?;
            (made.0.as_ref(), &made.1)
        }
    };
    let members = beside_the_request(request, order, solvers).await?;
    order.finalize_with(csr, members).await?;
    let (chain, url) = order.download(request.preferred_chain.as_deref()).await?;
    chain
        .check(csr.spki_der(), order.identifiers(), request.clock.now())
        .map_err(|source| Error::Chain {
            url: url.clone(),
            source,
        })?;
    let files = store.install(name, &chain, key, &settings(request, order.identifiers()))?;
    Ok((chain, files, url))
}

/// What solvers add to the finalize request.
async fn beside_the_request(
    request: &Request,
    order: &Order,
    solvers: &[Arc<dyn Solver>],
) -> Result<Map<String, Value>, Error> {
    let meta = order.directory().resources().await?.meta.members;
    let asked = Finalizing {
        identifiers: order.identifiers(),
        now: request.clock.now(),
        meta: &meta,
    };
    let mut members = Map::new();
    for solver in solvers {
        solver.add_to_finalize(&asked, &mut members)?;
    }
    Ok(members)
}

/// Known before the CA is bothered.
fn every_name_has_a_solver(identifiers: &[Identifier], request: &Request) -> Result<(), Error> {
    let methods: Vec<Method> = request.solvers.iter().map(SolverSettings::method).collect();
    let others = &request.other_solvers;
    if methods.is_empty() && others.is_empty() {
        return Err(Error::Input(
            "no way to prove names is given: --standalone, --tls-alpn, --webroot, --dns-hook or --onion".to_owned(),
        ));
    }
    match identifiers.iter().find(|identifier| {
        !methods.iter().any(|method| method.can_prove(identifier))
            && !others.iter().any(|solver| solver.can_prove(identifier))
    }) {
        None => Ok(()),
        Some(onion @ (Identifier::Dns(name) | Identifier::Wildcard(name))) if is_onion(name) => Err(Error::Input(
            format!("{onion} is a hidden service's: give --onion with the service's folder"),
        )),
        Some(wildcard @ Identifier::Wildcard(_)) => Err(Error::Input(format!(
            "{wildcard} can only be proven by dns-01: give --dns-hook"
        ))),
        Some(service @ (Identifier::Srv(_) | Identifier::Email(_))) => Err(Error::Input(format!(
            "{service} can only be proven by dns-01: give --dns-hook"
        ))),
        Some(other) => Err(Error::Input(format!(
            "{other} cannot be proven by {}: give --standalone, --tls-alpn or --webroot",
            methods
                .iter()
                .map(|method| method.as_str())
                .collect::<Vec<_>>()
                .join(" or ")
        ))),
    }
}

async fn tidy_up(ledger: &Ledger, progress: &Progress) {
    let leftovers = ledger.leftovers();
    let mut proofs = 0;
    for (note, trace) in leftovers {
        let undone = tokio::task::spawn_blocking(move || SolverSettings::undo(&trace)).await;
        match undone {
            Ok(Ok(())) => {
                note.settle();
                proofs += 1;
            }
            Ok(Err(error)) => tracing::warn!(%error, "a proof of an earlier run stays"),
            Err(error) => tracing::warn!(%error, "a proof of an earlier run stays"),
        }
    }
    if proofs > 0 {
        progress(&Event::TidiedUp { proofs });
    }
}

async fn account(request: &Request, store: &Store, directory: &Directory) -> Result<Account, Error> {
    let waiting = |locked: &crate::store::StoreError| {
        (request.progress)(&Event::Waiting {
            whom: locked.to_string(),
        })
    };
    let lock_name = store.account(directory.url()).lock_name();
    let _lock = store
        .lock(&lock_name, request.lock_wait, &*request.clock, waiting)
        .await?;
    accounts::ensure(
        store,
        directory,
        request.account_key_type,
        &request.registration,
        &request.progress,
    )
    .await
}

fn settings(request: &Request, identifiers: &[Identifier]) -> Settings {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let (csr, key_type, reuse_key) = match &request.wanted {
        Wanted::Names {
            key_type, reuse_key, ..
        } => (None, *key_type, *reuse_key),
        Wanted::Csr(path) => (Some(absolute(path)), KeyType::default(), false),
    };
    Settings {
        schema: 1,
        server: request.server.clone(),
        ca_bundle: match &request.transport.trust {
            Trust::Bundle(path) => Some(absolute(path)),
            Trust::Platform | Trust::Roots(_) => None,
        },
        allow_http: request.transport.allow_http,
        identifiers: identifiers.to_vec(),
        csr,
        key_type,
        reuse_key,
        preferred_chain: request.preferred_chain.clone(),
        profile: request.profile.clone(),
        ancestors: request.ancestors.clone(),
        solvers: request.solvers.iter().map(SolverSettings::absolute).collect(),
        command: request.command.clone(),
    }
}

impl Issued {
    pub fn not_before(&self) -> Timestamp {
        self.chain.leaf().not_before()
    }

    pub fn not_after(&self) -> Timestamp {
        self.chain.leaf().not_after()
    }
}
