//! Keys and requests that a CA has been told of before there is a certificate: kept until their order is final.
//!
//! An authority that begins with the request issues from that one only. A run that was killed between newOrder and the
//! certificate must find the same key again, and its order if that is still there.

use std::path::{Path, PathBuf};

use pkix::key::KeyPair;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{CertificateName, Store, StoreError, atomic, read_if_there};
use crate::csr::Csr;

/// The request of one order, with the key if it is ours.
#[derive(Debug)]
pub struct Ahead {
    path: PathBuf,
    server: String,
    key: Option<KeyPair>,
    csr: Csr,
    /// The order's URL, once there is one.
    order: Option<String>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Written {
    server: String,
    /// base64url of the DER.
    csr: String,
    /// PKCS#8 PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
}

impl Store {
    /// Keeps a request on disk, before a CA sees it.
    pub fn keep_ahead(
        &self,
        name: &CertificateName,
        server: &str,
        key: Option<KeyPair>,
        csr: Csr,
    ) -> Result<Ahead, StoreError> {
        let ahead = Ahead {
            path: self.ahead_path(name),
            server: server.to_owned(),
            key,
            csr,
            order: None,
        };
        ahead.write()?;
        Ok(ahead)
    }

    /// What an earlier run has left for this server.
    pub fn ahead(&self, name: &CertificateName, server: &str) -> Result<Option<Ahead>, StoreError> {
        let path = self.ahead_path(name);
        let Some(content) = read_if_there(&path)? else {
            return Ok(None);
        };
        let content = Zeroizing::new(content);
        let written: Written = serde_json::from_slice(&content).map_err(|error| StoreError::damaged(&path, error))?;
        if written.server != server {
            return Ok(None);
        }
        let der = jose::base64url::decode(&written.csr).map_err(|error| StoreError::damaged(&path, error))?;
        let csr = Csr::read(&der).map_err(|error| StoreError::damaged(&path, error))?;
        let key = written.key.as_deref().map(KeyPair::from_pkcs8_pem);
        let key = key.transpose().map_err(|error| StoreError::damaged(&path, error))?;
        Ok(Some(Ahead {
            path,
            server: server.to_owned(),
            key,
            csr,
            order: written.order.clone(),
        }))
    }

    fn ahead_path(&self, name: &CertificateName) -> PathBuf {
        self.root().join("ahead").join(format!("{name}.json"))
    }
}

impl Ahead {
    pub fn csr(&self) -> &Csr {
        &self.csr
    }

    pub fn key(&self) -> Option<&KeyPair> {
        self.key.as_ref()
    }

    pub fn order(&self) -> Option<&str> {
        self.order.as_deref()
    }

    /// There is an order now.
    pub fn ordered(&mut self, url: &str) -> Result<(), StoreError> {
        self.order = Some(url.to_owned());
        self.write()
    }

    /// The order is final, or there will be none.
    pub fn forget(self) {
        if let Err(error) = atomic::remove(&self.path) {
            tracing::warn!(%error, "a request that is done with stays");
        }
    }

    fn write(&self) -> Result<(), StoreError> {
        atomic::private_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let written = Written {
            server: self.server.clone(),
            csr: jose::base64url::encode(self.csr.der()),
            key: self.key.as_ref().map(|key| key.to_pkcs8_pem().to_string()),
            order: self.order.clone(),
        };
        let content = serde_json::to_vec(&written).map_err(|error| StoreError::damaged(&self.path, error))?;
        atomic::replace(&self.path, &Zeroizing::new(content), atomic::PRIVATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csr::KeyType;

    // LCSR-9
    #[test]
    fn a_request_is_found_again_by_the_server_that_it_is_for_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let name: CertificateName = "a.test".parse().unwrap();
        let key = KeyType::Ec256.generate();
        let csr = Csr::new(&key, &["a.test".parse().unwrap()]).unwrap();
        let der = csr.der().to_vec();
        let mut kept = store.keep_ahead(&name, "https://ca.test/dir", Some(key), csr).unwrap();
        assert_eq!(
            store.ahead(&name, "https://ca.test/dir").unwrap().unwrap().order(),
            None
        );
        kept.ordered("https://ca.test/order/1").unwrap();
        let found = store.ahead(&name, "https://ca.test/dir").unwrap().unwrap();
        assert_eq!(
            (found.csr().der(), found.order()),
            (&der[..], Some("https://ca.test/order/1"))
        );
        assert_eq!(found.key().unwrap().public_key().spki_der(), found.csr().spki_der());
        assert!(store.ahead(&name, "https://other.test/dir").unwrap().is_none());
        found.forget();
        assert!(store.ahead(&name, "https://ca.test/dir").unwrap().is_none());
    }
}
