//! What a server gave as a certificate, and whether it may be installed (RFC 8555 §7.4.2, §9.1).

use std::collections::BTreeSet;

use jiff::Timestamp;
use pkix::{
    certificate::{Certificate, CertificateError},
    pem::{self, PemError},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::identifier::Identifier;

/// A certificate with what leads to its root, as it was sent.
#[derive(Clone, Debug)]
pub struct Chain {
    leaf: Certificate,
    issuers: Vec<Vec<u8>>,
}

impl Chain {
    /// Reads certificates and nothing else: a private key or a line of shell in what goes to a server's folder is an
    /// attack (RFC 8555 §11.4).
    pub fn parse(body: &[u8]) -> Result<Self, ChainError> {
        let text = std::str::from_utf8(body).map_err(|_| ChainError::NotText)?;
        let mut certificates = pem::parse_chain(text)?.into_iter();
        let leaf = certificates.next().ok_or(PemError::Empty)?;
        let leaf = Certificate::parse(&leaf)?;
        let issuers: Vec<_> = certificates.collect();
        match issuers.len() {
            0..MOST_ISSUERS => Ok(Self { leaf, issuers }),
            length => Err(ChainError::TooLong(length)),
        }
    }

    /// What is installed must be what was ordered: our key, our names, and not over yet (8555-7.4.2-6).
    pub fn check(&self, spki_der: &[u8], ordered: &[Identifier], now: Timestamp) -> Result<(), ChainError> {
        if self.leaf.spki_der() != spki_der {
            return Err(ChainError::OtherKey);
        }
        let certified: BTreeSet<Identifier> = self.identifiers().into_iter().collect();
        let missing: Vec<String> = ordered
            .iter()
            .filter(|name| !certified.contains(name))
            .map(Identifier::to_string)
            .collect();
        if !missing.is_empty() {
            return Err(ChainError::MissingNames(missing.join(", ")));
        }
        if self.leaf.not_after() < now {
            return Err(ChainError::Expired(self.leaf.not_after()));
        }
        Ok(())
    }

    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The names of the leaf.
    pub fn identifiers(&self) -> Vec<Identifier> {
        self.leaf
            .names()
            .iter()
            .filter_map(Identifier::read_general_name)
            .collect()
    }

    /// Whether a certificate with this common name is in the chain or issued its last one.
    pub fn leads_to(&self, common_name: &str) -> bool {
        let issuers = self.issuers.iter().filter_map(|der| Certificate::parse(der).ok());
        let names = issuers.flat_map(|issuer| [issuer.subject().common_names(), issuer.issuer().common_names()]);
        let names = names.chain([self.leaf.issuer().common_names()]);
        names
            .flatten()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(common_name))
    }

    pub fn leaf_pem(&self) -> String {
        pem::encode_certificate(self.leaf.der())
    }

    /// Everything but the leaf.
    pub fn issuers_pem(&self) -> String {
        pem::encode_certificates(&self.issuers)
    }

    pub fn full_pem(&self) -> String {
        self.leaf_pem() + &self.issuers_pem()
    }
}

/// Reads a bundle of roots, which people keep with comments in between.
pub(crate) fn bundle(text: &[u8]) -> Result<Vec<Vec<u8>>, ChainError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = certificates.map_err(|error| ChainError::Bundle(error.to_string()))?;
    match certificates.is_empty() {
        true => Err(PemError::Empty.into()),
        false => Ok(certificates.into_iter().map(|der| der.to_vec()).collect()),
    }
}

/// Why a chain is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    #[error("it is not text")]
    NotText,
    #[error("{0}")]
    Pem(#[from] PemError),
    #[error("{0}")]
    Bundle(String),
    #[error("{0}")]
    Certificate(Box<CertificateError>),
    #[error("it has {0} issuers")]
    TooLong(usize),
    #[error("it is for another key")]
    OtherKey,
    #[error("it is not for {0}")]
    MissingNames(String),
    #[error("it was valid until {0}")]
    Expired(Timestamp),
}

impl From<CertificateError> for ChainError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(Box::new(error))
    }
}

/// Real chains have three.
const MOST_ISSUERS: usize = 10;
