//! The certificates and keys of one run: made at its start, shown to everybody, gone with it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use issuance::{Shape, create_branched};
use pkix::pem;
use zeroize::Zeroizing;

use crate::world;

/// In PEM throughout.
pub struct Hierarchy {
    pub branches: Vec<Branch>,
    pub issuing_key: Zeroizing<String>,
}

/// One root, and the issuing CA as it stands under it.
pub struct Branch {
    pub root: String,
    pub root_key: Zeroizing<String>,
    pub issuing: String,
    /// From the issuing CA up, the root left out.
    pub chain: String,
}

impl Hierarchy {
    pub fn create(shape: Shape) -> Result<Self, String> {
        let made = create_branched(shape, world::random_array, world::now()).map_err(|error| error.to_string())?;
        let branches = made.branches.into_iter().map(|branch| Branch {
            root: pem::encode_certificate(&branch.root),
            root_key: branch.root_key.to_pkcs8_pem(),
            issuing: pem::encode_certificates(&branch.intermediates[..1]),
            chain: pem::encode_certificates(&branch.intermediates),
        });
        Ok(Self {
            branches: branches.collect(),
            issuing_key: made.issuing_key.to_pkcs8_pem(),
        })
    }

    /// What the node reads in place of files.
    pub fn files(&self) -> Files {
        let chains = self.branches.iter().enumerate();
        let chains = chains.map(|(number, branch)| (chain_file(number), Zeroizing::new(branch.chain.clone())));
        let key = (PathBuf::from(KEY_FILE), self.issuing_key.clone());
        Files(chains.chain([key]).collect())
    }
}

/// Contents by name.
pub struct Files(HashMap<PathBuf, Zeroizing<String>>);

impl Files {
    pub fn read(&self, file: &Path) -> Result<String, String> {
        let found = self.0.get(file).map(|content| content.to_string());
        found.ok_or_else(|| {
            format!(
                "{} is not part of the hierarchy that was made for this run",
                file.display()
            )
        })
    }
}

pub fn chain_file(number: usize) -> PathBuf {
    format!("chain-{number}.pem").into()
}

pub const KEY_FILE: &str = "issuing.key";
