//! A solver as it is written down, to be set up again at the next renewal.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{DnsHook, HttpStandalone, OnionService, Solver, SolverError, TlsAlpnStandalone, Webroot, webroot};
use crate::{
    challenge::Method,
    store::{Ledger, Trace},
};

/// How names are to be proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SolverSettings {
    /// http-01, listening here.
    Standalone(String),
    /// tls-alpn-01, listening here.
    TlsAlpn(String),
    /// http-01, by files below this folder.
    Webroot(PathBuf),
    /// dns-01, by this program.
    DnsHook(String),
    /// onion-csr-01, by the key in a hidden service's folder.
    Onion {
        service: PathBuf,
        /// A file with the service's CAA records, as its descriptor has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caa: Option<PathBuf>,
    },
}

impl SolverSettings {
    pub async fn start(&self, ledger: Option<&Ledger>) -> Result<Arc<dyn Solver>, SolverError> {
        Ok(match self {
            Self::Standalone(address) => Arc::new(HttpStandalone::listen(address).await?),
            Self::TlsAlpn(address) => Arc::new(TlsAlpnStandalone::listen(address).await?),
            Self::Webroot(root) => Arc::new(Webroot::new(root, ledger.cloned())?),
            Self::DnsHook(command) => Arc::new(DnsHook::new(command, SLOWEST_HOOK, ledger.cloned())),
            Self::Onion { service, caa } => Arc::new(OnionService::open(service, caa.clone())?),
        })
    }

    pub fn method(&self) -> Method {
        match self {
            Self::Standalone(_) | Self::Webroot(_) => Method::Http01,
            Self::TlsAlpn(_) => Method::TlsAlpn01,
            Self::DnsHook(_) => Method::Dns01,
            Self::Onion { .. } => Method::OnionCsr01,
        }
    }

    /// The same from wherever the next renewal is started.
    pub(crate) fn absolute(&self) -> Self {
        match self {
            Self::Webroot(root) => Self::Webroot(absolute(root)),
            Self::Onion { service, caa } => Self::Onion {
                service: absolute(service),
                caa: caa.as_deref().map(absolute),
            },
            // What is no file here is looked up in PATH, and stays as it is with its arguments.
            Self::DnsHook(command) if Path::new(command).is_file() => {
                let path = std::path::absolute(command)
                    .ok()
                    .and_then(|path| path.into_os_string().into_string().ok());
                Self::DnsHook(path.unwrap_or_else(|| command.clone()))
            }
            other => other.clone(),
        }
    }

    /// Takes away what a run that was killed has left (REQUIREMENTS 8555-C-2).
    pub fn undo(trace: &Trace) -> Result<(), SolverError> {
        match trace {
            Trace::File { path } => webroot::undo(path),
            Trace::Dns(call) => call.run("cleanup"),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Hooks that wait for slow zones take minutes.
const SLOWEST_HOOK: Duration = Duration::from_secs(600);
