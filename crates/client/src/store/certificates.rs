//! Certificates, one folder a generation and one link that says which is current.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use pkix::{certificate::Certificate, key::KeyPair};
use serde::{Deserialize, Serialize};

use super::{CertificateName, Store, StoreError, atomic, read_if_there};
use crate::{
    ancestor::Ancestors,
    chain::Chain,
    csr::KeyType,
    identifier::Identifier,
    renewal::{RenewalPlan, RenewalState},
    solver::SolverSettings,
};

/// How a certificate was ordered, to do so again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub schema: u32,
    pub server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    pub identifiers: Vec<Identifier>,
    /// The request to send; without one a new key is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<PathBuf>,
    #[serde(default)]
    pub key_type: KeyType,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse_key: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default, skip_serializing_if = "Ancestors::is_empty")]
    pub ancestors: Ancestors,
    pub solvers: Vec<SolverSettings>,
    /// The command that renews it because it does more than `cert renew` can: `mail`, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Where the files of a certificate are. These paths stay; what they lead to changes all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub folder: PathBuf,
    pub cert: PathBuf,
    pub chain: PathBuf,
    pub fullchain: PathBuf,
    /// Not there for a request that was made elsewhere.
    pub privkey: Option<PathBuf>,
}

/// A certificate that is here.
#[derive(Clone, Debug)]
pub struct Stored {
    pub name: CertificateName,
    pub files: Files,
    pub leaf: Certificate,
    pub settings: Option<Settings>,
    pub renewal: RenewalState,
}

impl Stored {
    pub fn plan(&self) -> RenewalPlan {
        self.renewal.plan(&self.leaf)
    }

    pub fn identifiers(&self) -> Vec<Identifier> {
        self.leaf
            .names()
            .iter()
            .filter_map(Identifier::read_general_name)
            .collect()
    }
}

impl Store {
    /// Installs a certificate: all files are on disk before the one rename that makes them current.
    ///
    /// Without a key none is written: it is where the request was made.
    pub fn install(
        &self,
        name: &CertificateName,
        chain: &Chain,
        key: Option<&KeyPair>,
        settings: &Settings,
    ) -> Result<Files, StoreError> {
        let generations = self.generations(name);
        atomic::private_folder(&generations)?;
        let number = self.numbers(name)?.into_iter().max().unwrap_or(0) + 1;
        let generation = generations.join(format!("{number:04}"));
        // A folder without its name in the link is one that a crash has left half written.
        let unfinished = generations.join(".next");
        if let Err(source) = fs::remove_dir_all(&unfinished)
            && source.kind() != io::ErrorKind::NotFound
        {
            return Err(StoreError::io("remove", &unfinished, source));
        }
        atomic::private_folder(&unfinished)?;
        for (file, content) in [
            (CERT, chain.leaf_pem()),
            (CHAIN, chain.issuers_pem()),
            (FULLCHAIN, chain.full_pem()),
        ] {
            atomic::write_new(&unfinished.join(file), content.as_bytes(), atomic::PUBLIC)?;
        }
        if let Some(key) = key {
            atomic::write_new(
                &unfinished.join(PRIVKEY),
                key.to_pkcs8_pem().as_bytes(),
                atomic::PRIVATE,
            )?;
        }
        atomic::sync_folder_of(&unfinished.join(CERT))?;
        atomic::rename(&unfinished, &generation)?;
        self.save_settings(name, settings)?;
        atomic::private_folder(&self.certs())?;
        // Relative, so that the whole folder can be copied or mounted elsewhere.
        let target = Path::new("..")
            .join("generations")
            .join(name.as_str())
            .join(format!("{number:04}"));
        atomic::point(&self.certs().join(name.as_str()), &target)?;
        self.forget_old_generations(name, number);
        Ok(self.files(name))
    }

    pub fn stored(&self, name: &CertificateName) -> Result<Option<Stored>, StoreError> {
        let files = self.files(name);
        let Some(pem) = read_if_there(&files.fullchain)? else {
            return Ok(None);
        };
        let chain = Chain::parse(&pem).map_err(|error| StoreError::damaged(&files.fullchain, error))?;
        Ok(Some(Stored {
            name: name.clone(),
            files,
            leaf: chain.leaf().clone(),
            settings: self.settings(name)?,
            renewal: self.renewal(name, chain.leaf()),
        }))
    }

    /// The names of all certificates, sorted.
    pub fn names(&self) -> Result<Vec<CertificateName>, StoreError> {
        let folder = self.certs();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::io("read", &folder, source)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut names: Vec<_> = names.collect();
        names.sort();
        Ok(names)
    }

    /// The private key that belongs to the current certificate.
    pub fn key(&self, name: &CertificateName) -> Result<Option<KeyPair>, StoreError> {
        let path = self.certs().join(name.as_str()).join(PRIVKEY);
        let Some(content) = read_if_there(&path)? else {
            return Ok(None);
        };
        let content = zeroize::Zeroizing::new(content);
        let pem = std::str::from_utf8(&content).map_err(|error| StoreError::damaged(&path, error))?;
        KeyPair::from_pkcs8_pem(pem)
            .map(Some)
            .map_err(|error| StoreError::damaged(&path, error))
    }

    fn settings(&self, name: &CertificateName) -> Result<Option<Settings>, StoreError> {
        let path = self.settings_path(name);
        let content = read_if_there(&path)?;
        content
            .map(|content| serde_json::from_slice(&content).map_err(|error| StoreError::damaged(&path, error)))
            .transpose()
    }

    fn save_settings(&self, name: &CertificateName, settings: &Settings) -> Result<(), StoreError> {
        let path = self.settings_path(name);
        atomic::private_folder(&self.root().join("settings"))?;
        let content = serde_json::to_vec_pretty(settings).map_err(|error| StoreError::damaged(&path, error))?;
        atomic::replace(&path, &content, atomic::PRIVATE)
    }

    fn files(&self, name: &CertificateName) -> Files {
        let folder = self.certs().join(name.as_str());
        let privkey = folder.join(PRIVKEY);
        Files {
            cert: folder.join(CERT),
            chain: folder.join(CHAIN),
            fullchain: folder.join(FULLCHAIN),
            privkey: privkey.exists().then_some(privkey),
            folder,
        }
    }

    /// Old keys are no use to anybody but a thief; a few stay for servers that have not reloaded.
    fn forget_old_generations(&self, name: &CertificateName, current: u32) {
        let numbers = self.numbers(name).unwrap_or_default();
        for old in numbers.into_iter().filter(|number| number + KEPT_GENERATIONS < current) {
            if let Err(error) = fs::remove_dir_all(self.generations(name).join(format!("{old:04}"))) {
                tracing::warn!(%name, old, %error, "an old generation stays");
            }
        }
    }

    fn numbers(&self, name: &CertificateName) -> Result<Vec<u32>, StoreError> {
        let folder = self.generations(name);
        let entries = fs::read_dir(&folder).map_err(|source| StoreError::io("read", &folder, source))?;
        Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect())
    }

    fn certs(&self) -> PathBuf {
        self.root().join("certs")
    }

    fn generations(&self, name: &CertificateName) -> PathBuf {
        self.root().join("generations").join(name.as_str())
    }

    fn settings_path(&self, name: &CertificateName) -> PathBuf {
        self.root().join("settings").join(format!("{name}.json"))
    }
}

const CERT: &str = "cert.pem";
const CHAIN: &str = "chain.pem";
const FULLCHAIN: &str = "fullchain.pem";
const PRIVKEY: &str = "privkey.pem";
const KEPT_GENERATIONS: u32 = 3;
