//! Keys of certificates and the requests made with them (RFC 8555 §7.4, RFC 2986).

use std::{fmt, str::FromStr};

use pkix::{
    csr::{CertificateRequest, CsrError, build_csr},
    key::{KeyKind, KeyPair},
    name::GeneralName,
};
use rustls::pki_types::{CertificateSigningRequestDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::identifier::Identifier;

/// The kinds of keys that are made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    #[default]
    Ec256,
    Ec384,
    Rsa2048,
    Ed25519,
}

impl KeyType {
    pub const ALL: [Self; 4] = [Self::Ec256, Self::Ec384, Self::Rsa2048, Self::Ed25519];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec256 => "ec256",
            Self::Ec384 => "ec384",
            Self::Rsa2048 => "rsa2048",
            Self::Ed25519 => "ed25519",
        }
    }

    /// A new key; it takes a moment for RSA.
    pub fn generate(self) -> KeyPair {
        match self {
            Self::Ec256 => KeyPair::generate_p256(),
            Self::Ec384 => KeyPair::generate_p384(),
            Self::Rsa2048 => KeyPair::generate_rsa2048(),
            Self::Ed25519 => KeyPair::generate_ed25519(),
        }
    }

    /// Whether a key is of this kind.
    pub(crate) fn is_of(self, key: &KeyPair) -> bool {
        let kind = key.public_key().kind();
        match self {
            Self::Ec256 => kind == KeyKind::EcP256,
            Self::Ec384 => kind == KeyKind::EcP384,
            Self::Rsa2048 => matches!(kind, KeyKind::Rsa { .. }),
            Self::Ed25519 => kind == KeyKind::Ed25519,
        }
    }

    /// The signature algorithm of an account key of this kind (RFC 8555 §6.2).
    pub fn account_algorithm(self) -> jose::Algorithm {
        match self {
            Self::Ec256 => jose::Algorithm::Es256,
            Self::Ec384 => jose::Algorithm::Es384,
            Self::Rsa2048 => jose::Algorithm::Rs256,
            Self::Ed25519 => jose::Algorithm::EdDsa,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| format!("{text:?} is not one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// A request for a certificate, by whoever holds its key.
#[derive(Clone, Debug)]
pub struct Csr {
    der: Vec<u8>,
    spki: Vec<u8>,
    identifiers: Vec<Identifier>,
}

impl Csr {
    /// For a key of ours. The common name is left empty: all names are alternative names.
    pub fn new(key: &KeyPair, identifiers: &[Identifier]) -> Result<Self, CsrInputError> {
        let names: Vec<GeneralName> = identifiers.iter().map(Identifier::to_general_name).collect();
        let der = build_csr(key, None, &names).map_err(CsrError::Name)?;
        Ok(Self {
            der,
            spki: key.public_key().spki_der().to_vec(),
            identifiers: identifiers.to_vec(),
        })
    }

    /// Somebody else's, in PEM or DER. Its names are the alternative names and the common names.
    pub fn read(content: &[u8]) -> Result<Self, CsrInputError> {
        let der = match content.first() {
            Some(0x30) => content.to_vec(),
            _ => {
                let text = String::from_utf8_lossy(content).replace("NEW CERTIFICATE REQUEST", "CERTIFICATE REQUEST");
                CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
                    .map_err(|_| CsrInputError::NotPem)?
                    .to_vec()
            }
        };
        let request = CertificateRequest::parse(&der)?;
        request.verify_self_signature()?;
        let mut identifiers = Vec::new();
        for name in request.subject_alternative_names() {
            let identifier =
                Identifier::read_general_name(name).ok_or_else(|| CsrInputError::Name(name.to_string()))?;
            identifiers.push(identifier);
        }
        for name in request.common_names() {
            // A common name that is none of the alternative names and no host name is a person's or a product's.
            identifiers.extend(
                name.parse::<Identifier>()
                    .ok()
                    .filter(|identifier| matches!(identifier, Identifier::Dns(_) | Identifier::Wildcard(_))),
            );
        }
        let mut seen = std::collections::HashSet::new();
        identifiers.retain(|identifier| seen.insert(identifier.clone()));
        match identifiers.is_empty() {
            true => Err(CsrInputError::NoNames),
            false => Ok(Self {
                spki: request.public_key().spki_der().to_vec(),
                der,
                identifiers,
            }),
        }
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key that is to be certified.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }
}

/// Why a file is no request that can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrInputError {
    #[error("the certificate request is neither PEM nor DER")]
    NotPem,
    #[error("the certificate request cannot be used: {0}")]
    Csr(#[from] CsrError),
    #[error("the certificate request has the name {0}, which cannot be ordered")]
    Name(String),
    #[error("the certificate request has no names")]
    NoNames,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_with_its_names() {
        let identifiers: Vec<Identifier> = ["a.test", "*.a.test", "192.0.2.1"]
            .map(|text| text.parse().unwrap())
            .into();
        for kind in KeyType::ALL {
            let key = kind.generate();
            let made = Csr::new(&key, &identifiers).unwrap();
            let read = Csr::read(made.der()).unwrap();
            assert_eq!(read.identifiers(), identifiers);
            assert_eq!(read.spki_der(), made.spki_der());
        }
    }

    #[test]
    fn names_come_from_common_name_and_alternative_names_together() {
        let key = KeyType::Ec256.generate();
        let der = build_csr(&key, Some("CN.test"), &[GeneralName::Dns("a.test".into())]).unwrap();
        let names: Vec<String> = Csr::read(&der)
            .unwrap()
            .identifiers()
            .iter()
            .map(Identifier::to_string)
            .collect();
        assert_eq!(names, ["a.test", "cn.test"]);
        let der = build_csr(&key, Some("cn.test"), &[]).unwrap();
        assert_eq!(Csr::read(&der).unwrap().identifiers(), ["cn.test".parse().unwrap()]);
    }

    #[test]
    fn a_request_that_cannot_be_ordered_is_refused_with_the_reason() {
        let key = KeyType::Ec256.generate();
        let der = build_csr(&key, None, &[GeneralName::Uri("https://a.test".into())]).unwrap();
        assert_eq!(
            Csr::read(&der).unwrap_err(),
            CsrInputError::Name("uri:https://a.test".to_owned())
        );
        assert_eq!(
            Csr::read(&build_csr(&key, None, &[]).unwrap()).unwrap_err(),
            CsrInputError::NoNames
        );
        assert_eq!(Csr::read(b"hello").unwrap_err(), CsrInputError::NotPem);
        let mut forged = Csr::new(&key, &["a.test".parse().unwrap()]).unwrap().der;
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert!(Csr::read(&forged).is_err());
    }
}
