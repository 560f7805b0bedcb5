//! What the responders answer, and what they were asked.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use client::{Identifier, IdentifierError};
use rustls::sign::CertifiedKey;
use serde::Serialize;

use super::{certificate, history::History};
use crate::dns::Zone;

/// Shared by all servers of one process.
#[derive(Default)]
pub struct Script {
    /// The DNS.
    pub zone: Arc<Zone>,
    contents: Table<String>,
    redirects: Table<String>,
    proofs: Table<Arc<CertifiedKey>>,
    pub(super) http_requests: History<HttpRequest>,
    pub(super) tls_alpn_requests: History<TlsAlpnRequest>,
}

/// A request over HTTP or HTTPS, with the member names of the management interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct HttpRequest {
    #[serde(rename = "URL")]
    pub url: String,
    #[serde(rename = "Host")]
    pub host: String,
    #[serde(rename = "HTTPS")]
    pub https: bool,
    /// As in the TLS handshake; empty without one.
    #[serde(rename = "ServerName")]
    pub server_name: String,
}

/// What a handshake asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TlsAlpnRequest {
    pub server_name: String,
    pub supported_protos: Option<Vec<String>>,
}

impl Script {
    /// Serves `content` at `/.well-known/acme-challenge/TOKEN`.
    pub fn add_http01(&self, token: &str, content: &str) {
        self.contents.insert(token, content.to_owned());
    }

    pub fn del_http01(&self, token: &str) {
        self.contents.remove(token);
    }

    /// Redirects requests over plain HTTP for exactly this path. Over HTTPS the path is not redirected, so that a
    /// redirect from one to the other does not become a circle.
    pub fn add_redirect(&self, path: &str, target_url: &str) {
        self.redirects.insert(path, target_url.to_owned());
    }

    pub fn del_redirect(&self, path: &str) {
        self.redirects.remove(path);
    }

    /// Answers handshakes for `host`, a name or an address, with a certificate for this key authorization (RFC 8737).
    pub fn add_tlsalpn01(&self, host: &str, key_authorization: &str) -> Result<(), IdentifierError> {
        let host: Identifier = host.parse()?;
        let proof = Arc::new(certificate::of_challenge(&host, key_authorization));
        self.proofs.insert(&host.server_name(), proof);
        Ok(())
    }

    pub fn del_tlsalpn01(&self, host: &str) -> Result<(), IdentifierError> {
        let host: Identifier = host.parse()?;
        self.proofs.remove(&host.server_name());
        Ok(())
    }

    pub(super) fn content(&self, token: &str) -> Option<String> {
        self.contents.get(token)
    }

    pub(super) fn redirect(&self, path: &str) -> Option<String> {
        self.redirects.get(path)
    }

    pub(super) fn proof(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        self.proofs.get(server_name)
    }
}

/// A map that many servers read and a script changes.
struct Table<Value>(RwLock<HashMap<String, Value>>);

impl<Value: Clone> Table<Value> {
    fn insert(&self, key: &str, value: Value) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(key.to_owned(), value);
    }

    fn remove(&self, key: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn get(&self, key: &str) -> Option<Value> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

impl<Value> Default for Table<Value> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}
