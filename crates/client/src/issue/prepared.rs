//! What is wanted, with the key and the request that ask for it.

use std::sync::Arc;

use pkix::key::KeyPair;

use super::{Request, Wanted};
use crate::{
    csr::{Csr, KeyType},
    error::Error,
    identifier::Identifier,
    store::{Ahead, CertificateName, Store},
};

/// What is wanted, with its names.
pub(super) struct Prepared {
    pub identifiers: Vec<Identifier>,
    pub key: PreparedKey,
}

pub(super) enum PreparedKey {
    Make {
        key_type: KeyType,
        reuse: bool,
        given: Option<Arc<KeyPair>>,
    },
    Elsewhere(Csr),
}

impl Prepared {
    pub fn new(request: &Request) -> Result<Self, Error> {
        let (mut identifiers, key) = match &request.wanted {
            Wanted::Names {
                identifiers,
                key_type,
                reuse_key,
            } => (
                identifiers.clone(),
                PreparedKey::Make {
                    key_type: *key_type,
                    reuse: *reuse_key,
                    given: request.key.clone(),
                },
            ),
            Wanted::Csr(path) => {
                let content = std::fs::read(path)
                    .map_err(|error| Error::Input(format!("cannot read {}: {error}", path.display())))?;
                let csr = Csr::read(&content).map_err(|error| Error::Input(format!("{}: {error}", path.display())))?;
                (csr.identifiers().to_vec(), PreparedKey::Elsewhere(csr))
            }
        };
        let mut seen = std::collections::HashSet::new();
        identifiers.retain(|identifier| seen.insert(identifier.clone()));
        match identifiers.is_empty() {
            true => Err(Error::Input(
                "no names are given: name the hosts or addresses, or give --csr".to_owned(),
            )),
            false => Ok(Self { identifiers, key }),
        }
    }

    /// The request to send, and the key that is to be installed if it is ours.
    pub async fn csr(
        &self,
        identifiers: &[Identifier],
        store: &Store,
        name: &CertificateName,
    ) -> Result<(Option<KeyPair>, Csr), Error> {
        let (key_type, reuse, given) = match &self.key {
            PreparedKey::Elsewhere(csr) => return Ok((None, csr.clone())),
            PreparedKey::Make { key_type, reuse, given } => (*key_type, *reuse, given),
        };
        let key = match given {
            Some(given) => Some(again(given)?),
            None if reuse => store.key(name)?,
            None => None,
        };
        let key = match key {
            Some(key) => key,
            // RSA takes a while.
            None => tokio::task::spawn_blocking(move || key_type.generate())
                .await
                .map_err(|error| Error::Input(format!("making the key failed: {error}")))?,
        };
        let csr = Csr::new(&key, identifiers).map_err(|error| Error::Input(error.to_string()))?;
        Ok((Some(key), csr))
    }

    /// The request to place an order with: one that an earlier run has placed one with already, or a new one. It is on
    /// disk before anybody sees it.
    pub async fn ahead(
        &self,
        identifiers: &[Identifier],
        store: &Store,
        name: &CertificateName,
        server: &str,
    ) -> Result<Ahead, Error> {
        let left = store.ahead(name, server)?;
        let fits = |left: &Ahead| match &self.key {
            PreparedKey::Elsewhere(csr) => left.csr().der() == csr.der(),
            PreparedKey::Make { key_type, given, .. } => {
                let is_key = |key: &KeyPair| match given {
                    Some(given) => given.public_key() == key.public_key(),
                    None => key_type.is_of(key),
                };
                left.key().is_some_and(is_key) && left.csr().identifiers() == identifiers
            }
        };
        match left.filter(fits) {
            Some(left) => Ok(left),
            None => {
                let (key, csr) = self.csr(identifiers, store, name).await?;
                Ok(store.keep_ahead(name, server, key, csr)?)
            }
        }
    }
}

fn again(key: &KeyPair) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8_der(&key.to_pkcs8_der())
        .map_err(|error| Error::Input(format!("the key that was made before cannot be used: {error}")))
}
