//! Which certificates the API of a server may show (RFC 8555 §6.1).

use std::{path::PathBuf, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider, pki_types::CertificateDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::chain;

/// Where trust in the API's TLS certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// What this machine trusts.
    #[default]
    Platform,
    /// The certificates in this PEM file and no others.
    Bundle(PathBuf),
    /// These certificates and no others.
    Roots(Vec<Vec<u8>>),
}

impl Trust {
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Tls)?;
        let config = match self {
            Self::Platform => builder.with_platform_verifier().map_err(TrustError::Tls)?,
            Self::Bundle(path) => {
                let text = std::fs::read(path).map_err(|source| TrustError::Read {
                    path: path.clone(),
                    source,
                })?;
                let roots = chain::bundle(&text).map_err(|source| TrustError::Bundle {
                    path: path.clone(),
                    source,
                })?;
                builder.with_root_certificates(store(roots)?)
            }
            Self::Roots(roots) => builder.with_root_certificates(store(roots.clone())?),
        };
        Ok(config.with_no_client_auth())
    }
}

fn store(roots: Vec<Vec<u8>>) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from(root)).map_err(TrustError::Tls)?;
    }
    Ok(store)
}

/// Why nothing can be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    #[error("cannot read the CA bundle {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the CA bundle {} is not a list of certificates: {source}", path.display())]
    Bundle { path: PathBuf, source: chain::ChainError },
    #[error("cannot set up TLS: {0}")]
    Tls(#[source] rustls::Error),
}
