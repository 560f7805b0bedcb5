//! How a mail certificate was ordered and where it went, to do so again.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use client::store::CertificateName;
use serde::{Deserialize, Serialize};

use super::{
    daemon::{Daemon, replace},
    kind::Kind,
    lookup::Lookup,
};
use crate::service::Service;

/// What is kept of one certificate beside what every certificate has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailSettings {
    pub schema: u32,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// By name; none means all that listen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// The challenge types that were chosen, by name; none means the usual ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<String>,
    /// The program that makes records for those of them that want some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_hook: Option<String>,
    #[serde(default)]
    pub daemons: Vec<Daemon>,
    #[serde(default)]
    pub place: InstallPlace,
}

/// Where daemons read their certificate, beside the store itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallPlace {
    /// The chain is copied there, and the key, and daemons are pointed to the copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Run after that, with VIDIMUS_NAME, VIDIMUS_FULLCHAIN and VIDIMUS_KEY set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
}

impl MailSettings {
    pub fn lookup(&self) -> Lookup {
        let known = |(name, port): (&String, &u16)| Some((Service::from_name(name)?, *port));
        Lookup {
            connect: self.connect,
            resolver: self.resolver,
            ports: self.ports.iter().filter_map(known).collect(),
        }
    }

    pub fn services(&self) -> Vec<Service> {
        self.services
            .iter()
            .filter_map(|name| Service::from_name(name))
            .collect()
    }

    pub fn kinds(&self) -> Vec<Kind> {
        match self.challenges.is_empty() {
            true => Kind::USUAL.into(),
            false => self
                .challenges
                .iter()
                .filter_map(|name| Kind::from_method(name))
                .collect(),
        }
    }

    pub fn load(root: &Path, name: &CertificateName) -> Result<Option<Self>, String> {
        let path = path(root, name);
        match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(|error| format!("{} is damaged: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// For its owner alone: a command in it is run at the next renewal.
    pub fn save(&self, root: &Path, name: &CertificateName) -> Result<(), String> {
        let path = path(root, name);
        let write = || {
            super::make_folder(&super::folder(root))?;
            let content = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
            replace(&path, &content, Some(0o600))
        };
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

fn path(root: &Path, name: &CertificateName) -> PathBuf {
    super::folder(root).join(format!("certificate-{name}.json"))
}
