//! The client half of a validation method: show a proof while the CA looks, and take it away again.

mod dns_hook;
mod http_standalone;
mod onion;
mod settings;
mod tls_alpn;
mod webroot;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

pub use dns_hook::{Call, DnsHook};
pub use http_standalone::HttpStandalone;
pub use onion::{OnionService, ServiceKey, ServiceKeyError};
pub use settings::SolverSettings;
pub use tls_alpn::{AlpnResolver, TlsAlpnStandalone};
pub use webroot::Webroot;

use crate::{
    challenge::{Method, Proof},
    identifier::Identifier,
    printable::printable,
};

/// Something that can show proofs of one validation method.
pub trait Solver: Send + Sync {
    fn method(&self) -> Method;

    /// Whether it can prove this name; some solvers are for certain names only.
    fn can_prove(&self, identifier: &Identifier) -> bool {
        self.method().can_prove(identifier)
    }

    /// What is sent to the challenge (RFC 8555 §7.5.1), where the proof is not shown elsewhere or the method wants more.
    fn response(&self, _proof: &Proof) -> Map<String, Value> {
        Map::new()
    }

    /// Adds what finalizing an order for these names takes beside the CSR.
    fn add_to_finalize(&self, _asked: &Finalizing<'_>, _members: &mut Map<String, Value>) -> Result<(), SolverError> {
        Ok(())
    }

    /// Shows the proof. It is to be seen when this returns, and until what it returned is dropped.
    ///
    /// An implementation makes its [`Presented`] before it begins, so that being cancelled half way cleans up too.
    fn present<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Presented, SolverError>>;

    /// Frees the port it listens on, if it does, before this returns. Dropping frees it a little later.
    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    /// What a person should check when the CA did not see the proof.
    fn hint(&self, identifier: &Identifier) -> String;
}

/// An order that is about to be finalized.
#[derive(Clone, Copy, Debug)]
pub struct Finalizing<'a> {
    pub identifiers: &'a [Identifier],
    pub now: Timestamp,
    /// What the directory says of itself.
    pub meta: &'a Map<String, Value>,
}

impl fmt::Debug for dyn Solver + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Solver({})", self.method())
    }
}

/// A proof that is to be seen as long as this lives: on success, on failure, and when the work is cancelled, what
/// was shown is taken away.
#[must_use = "dropping it takes the proof away"]
pub struct Presented {
    cleanup: Option<Box<dyn FnOnce() -> Result<(), SolverError> + Send>>,
}

impl Presented {
    /// `cleanup` may block; it runs once.
    pub fn new(cleanup: impl FnOnce() -> Result<(), SolverError> + Send + 'static) -> Self {
        Self {
            cleanup: Some(Box::new(cleanup)),
        }
    }

    /// Takes the proof away without blocking the other tasks, and says whether that worked.
    pub async fn cleanup(mut self) -> Result<(), SolverError> {
        let Some(cleanup) = self.cleanup.take() else {
            return Ok(());
        };
        blocking(cleanup).await
    }
}

impl Drop for Presented {
    fn drop(&mut self) {
        // Cancelled: there may be no runtime left to wait in, so this blocks.
        if let Some(cleanup) = self.cleanup.take()
            && let Err(error) = cleanup()
        {
            tracing::warn!(%error, "a proof was not taken away");
        }
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").finish_non_exhaustive()
    }
}

/// Runs what blocks where blocking is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Why a proof could not be shown or taken away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolverError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("{} is not a directory that can be written to: {source}", path.display())]
    Webroot { path: PathBuf, source: io::Error },
    #[error("cannot write or remove {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the DNS hook {command} cannot be run: {source}")]
    HookStart { command: String, source: io::Error },
    #[error("the DNS hook failed: {call} ended with {status}{}", said(stderr))]
    Hook {
        call: String,
        status: String,
        stderr: String,
    },
    #[error("the DNS hook was stopped: {call} took longer than {} s", limit.as_secs())]
    HookTimedOut { call: String, limit: Duration },
    #[error("the hidden service's key {}: {source}", path.display())]
    ServiceKey { path: PathBuf, source: ServiceKeyError },
    #[error("cannot make the certificate for tls-alpn-01: {0}")]
    Certificate(String),
    /// Of a method from elsewhere.
    #[error("{what}")]
    Other { what: String, next: Option<String> },
}

impl SolverError {
    pub(crate) fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "Stop what listens there, or use --webroot with the web server that does."
            }
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Ports below 1024 need privileges: run as root or give the program CAP_NET_BIND_SERVICE."
            }
            Self::ServiceKey { .. } => {
                "Give the folder that torrc names as HiddenServiceDir, as a user who may read it."
            }
            Self::Webroot { .. } | Self::File { .. } => "Check that the folder exists and belongs to you.",
            Self::HookStart { .. } => "Check that the file exists and may be executed.",
            Self::Hook { .. } | Self::HookTimedOut { .. } => "Run the hook by hand with the same arguments.",
            Self::Other { next, .. } => return next.clone(),
            Self::Listen { .. } | Self::Certificate(_) => return None,
        };
        Some(step.to_owned())
    }
}

fn said(stderr: &str) -> String {
    match printable(stderr) {
        text if text.is_empty() => String::new(),
        text => format!(" and said: {text}"),
    }
}

/// `80`, `:80`, `0.0.0.0:80` and `[::]:80` all say where to listen.
pub(crate) async fn listen(address: &str) -> Result<tokio::net::TcpListener, SolverError> {
    let failed = |source| SolverError::Listen {
        address: address.to_owned(),
        source,
    };
    let port = address.strip_prefix(':').unwrap_or(address);
    let Ok(port) = port.parse::<u16>() else {
        return tokio::net::TcpListener::bind(address).await.map_err(failed);
    };
    // Both families through one socket where the machine has IPv6.
    match tokio::net::TcpListener::bind(("::", port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse || error.kind() == io::ErrorKind::PermissionDenied => {
            Err(failed(error))
        }
        Err(_) => tokio::net::TcpListener::bind(("0.0.0.0", port)).await.map_err(failed),
    }
}

/// A task that ends with its owner.
pub(crate) struct Task(Mutex<Option<JoinHandle<()>>>);

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Mutex::new(Some(tokio::spawn(work))))
    }

    /// Returns when the task, and what it listened on, is no more.
    pub(crate) async fn stop(&self) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
