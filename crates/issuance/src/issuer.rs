//! An issuer: a CA certificate with its key.

use authority::ports::IssuanceFailure;
use jiff::Timestamp;
use pkix::{
    certificate::{self, Certificate, CertificateError},
    extension::{self, KeyUsage},
    key::{KeyPair, KeyPairError, SignatureAlgorithm},
    lint::LintContext,
    name::DistinguishedName,
    ocsp::IssuerHashes,
    oid,
};

use crate::{linted::Linted, profile::Lifespan, urls::IssuerUrls};

/// Signs linted bytes and nothing else: certificates, lists of revoked ones, answers about single ones.
pub struct Issuer {
    name: String,
    certificate: Certificate,
    key: KeyPair,
    key_identifier: [u8; 20],
    /// DER, each from a certificate of this key up, the root left out; the preferred one first, never empty.
    chains: Vec<Vec<Vec<u8>>>,
    hashes: IssuerHashes,
    urls: IssuerUrls,
}

#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error("issuer {name:?}: the certificate cannot be read: {error}")]
    Certificate { name: String, error: CertificateError },
    #[error("issuer {name:?}: the key cannot be read: {error}")]
    Key { name: String, error: KeyPairError },
    #[error("issuer {name:?}: {what}")]
    Unfit { name: String, what: String },
    #[error("profile {profile:?} names the issuer {issuer:?}, which is not configured")]
    Unknown { profile: String, issuer: String },
}

impl Issuer {
    /// `chain` begins with the issuer's own certificate; a self-signed one at its end is left out.
    pub fn new(name: &str, chain: Vec<Vec<u8>>, key: KeyPair, urls: IssuerUrls) -> Result<Self, IssuerError> {
        let unfit = |what: &str| IssuerError::Unfit {
            name: name.to_owned(),
            what: what.to_owned(),
        };
        let unreadable = |error| IssuerError::Certificate {
            name: name.to_owned(),
            error,
        };
        let first = chain
            .first()
            .ok_or_else(|| unfit("its certificate file has no certificate"))?;
        let certificate = Certificate::parse(first).map_err(unreadable)?;
        if certificate.spki_der() != key.public_key().spki_der() {
            return Err(unfit("the key is not the certificate's key"));
        }
        if !certificate.is_ca() {
            return Err(unfit("the certificate is not a CA certificate"));
        }
        let crl = urls.crl.as_ref().map(|crl| crl.url(0));
        for uri in [&crl, &urls.certificate, &urls.ocsp].into_iter().flatten() {
            if extension::crl_distribution_points(&[uri]).is_err() {
                return Err(unfit(&format!("{uri:?} is not a URL that a certificate can carry")));
            }
        }
        // RFC 5280 §4.2.1.3: what is signed in spite of these is not accepted by anybody.
        if urls.crl.is_some() && !may(&certificate, KeyUsage::CRL_SIGN) {
            return Err(unfit(
                "its certificate does not let it sign CRLs (keyUsage has no cRLSign)",
            ));
        }
        if urls.ocsp.is_some() && !may(&certificate, KeyUsage::DIGITAL_SIGNATURE) {
            return Err(unfit(
                "its certificate does not let it sign OCSP responses (keyUsage has no digitalSignature); set ocsp = false",
            ));
        }
        let above = without_root(chain).map_err(unreadable)?;
        let key_identifier = key.public_key().key_identifier();
        Ok(Self {
            name: name.to_owned(),
            hashes: IssuerHashes::new(certificate.subject(), key.public_key()),
            certificate,
            key,
            key_identifier,
            chains: vec![above],
            urls,
        })
    }

    /// Adds another chain for the same key and name, for example one that is cross-signed (RFC 8555 §7.4.2).
    pub fn with_alternate(mut self, chain: Vec<Vec<u8>>) -> Result<Self, IssuerError> {
        let unfit = |what: &str| IssuerError::Unfit {
            name: self.name.clone(),
            what: what.to_owned(),
        };
        let unreadable = |error| IssuerError::Certificate {
            name: self.name.clone(),
            error,
        };
        let first = chain
            .first()
            .ok_or_else(|| unfit("an alternate chain has no certificate"))?;
        let certificate = Certificate::parse(first).map_err(unreadable)?;
        if certificate.spki_der() != self.certificate.spki_der() || certificate.subject() != self.certificate.subject()
        {
            return Err(unfit(
                "an alternate chain begins with a certificate of another key or another name",
            ));
        }
        if !certificate.is_ca() {
            return Err(unfit("an alternate chain begins with a certificate that is not a CA's"));
        }
        let above = without_root(chain).map_err(unreadable)?;
        self.chains.push(above);
        Ok(self)
    }

    pub fn from_pem(name: &str, chain_pem: &str, key_pem: &str, urls: IssuerUrls) -> Result<Self, IssuerError> {
        let chain = pkix::pem::parse_chain(chain_pem).map_err(|error| IssuerError::Unfit {
            name: name.to_owned(),
            what: format!("its certificate file: {error}"),
        })?;
        let key = KeyPair::from_pkcs8_pem(key_pem).map_err(|error| IssuerError::Key {
            name: name.to_owned(),
            error,
        })?;
        Self::new(name, chain, key, urls)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub fn chains(&self) -> &[Vec<Vec<u8>>] {
        &self.chains
    }

    pub fn subject(&self) -> &DistinguishedName {
        self.certificate.subject()
    }

    pub fn not_before(&self) -> Timestamp {
        self.certificate.not_before()
    }

    pub fn not_after(&self) -> Timestamp {
        self.certificate.not_after()
    }

    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    pub fn key_identifier(&self) -> [u8; 20] {
        self.key_identifier
    }

    pub fn urls(&self) -> &IssuerUrls {
        &self.urls
    }

    pub(crate) fn hashes(&self) -> &IssuerHashes {
        &self.hashes
    }

    pub(crate) fn lifespan(&self) -> Lifespan<'_> {
        Lifespan {
            name: &self.name,
            not_before: self.not_before(),
            not_after: self.not_after(),
        }
    }

    /// What an expired issuer signs is worth nothing.
    pub(crate) fn require_unexpired(&self, now: Timestamp) -> Result<(), IssuanceFailure> {
        if self.not_after() > now {
            return Ok(());
        }
        let (name, at) = (&self.name, self.not_after());
        Err(IssuanceFailure::Unavailable(format!(
            "the issuer {name:?} expired at {at}"
        )))
    }

    pub(crate) fn lint_context(&self) -> LintContext<'_> {
        LintContext {
            issuer_name_der: self.subject().der(),
            issuer_key_identifier: &self.key_identifier,
            issuer_not_after: self.not_after(),
            signature_algorithm: self.algorithm(),
            is_ca: false,
        }
    }

    /// The certificate's DER.
    pub(crate) fn sign(&self, linted: &Linted) -> Vec<u8> {
        certificate::assemble(linted.bytes(), self.algorithm(), &self.key.sign(linted.bytes()))
    }

    /// For this crate's own linted documents: lists and answers.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes)
    }
}

/// Without keyUsage everything is allowed.
fn may(certificate: &Certificate, usage: KeyUsage) -> bool {
    match certificate.extension(&oid::KEY_USAGE) {
        None => true,
        Some(extension) => extension::read_key_usage(&extension.value).is_ok_and(|allowed| allowed.contains(usage)),
    }
}

/// A self-signed certificate above the first is left out: who trusts it has it.
fn without_root(chain: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, CertificateError> {
    let mut above = Vec::with_capacity(chain.len());
    for der in chain {
        let parsed = Certificate::parse(&der)?;
        if above.is_empty() || parsed.subject() != parsed.issuer() {
            above.push(der);
        }
    }
    Ok(above)
}
