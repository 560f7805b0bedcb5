//! Private keys that are at hand: those of subscribers, and of authorities that keep theirs in files.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self as aws, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use der::asn1::OctetStringRef;
use der::{Decode, Reader, SliceReader};
use pem_rfc7468::LineEnding;
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::{KeyError, SignatureAlgorithm, SubjectPublicKey};
use crate::oid;

/// A private key that signs, with its public half.
///
/// Whoever reads it can do all that its owner can: a subscriber's key impersonates the names of its certificates, an
/// authority's key issues. If it is lost, a subscriber makes another; an authority must be set up anew.
pub struct KeyPair {
    private: Private,
    public: SubjectPublicKey,
}

enum Private {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyPairError {
    #[error("not the PEM of a private key: {0}")]
    Pem(String),
    #[error("the PEM block is a {0}, not an unencrypted PRIVATE KEY (PKCS#8)")]
    Label(String),
    #[error("not a PKCS#8 private key")]
    Pkcs8,
    #[error("private keys of the type {0} are not accepted")]
    Type(String),
    #[error("the private key is damaged or does not belong to its public key")]
    Rejected,
    #[error(transparent)]
    Public(#[from] KeyError),
}

const PEM_LABEL: &str = "PRIVATE KEY";

impl KeyPair {
    pub fn generate_p256() -> Self {
        Self::generate(EcdsaKeyPair::generate(&aws::ECDSA_P256_SHA256_ASN1_SIGNING).map(Private::Ecdsa))
    }

    pub fn generate_p384() -> Self {
        Self::generate(EcdsaKeyPair::generate(&aws::ECDSA_P384_SHA384_ASN1_SIGNING).map(Private::Ecdsa))
    }

    pub fn generate_ed25519() -> Self {
        Self::generate(Ed25519KeyPair::generate().map(Private::Ed25519))
    }

    pub fn generate_rsa2048() -> Self {
        Self::generate(RsaKeyPair::generate(KeySize::Rsa2048).map(|pair| Private::Rsa(Box::new(pair))))
    }

    fn generate(private: Result<Private, aws_lc_rs::error::Unspecified>) -> Self {
        let private = private.expect("invariant: making a key fails only without memory or entropy");
        Self::of(private).expect("invariant: the library makes keys that it reads")
    }

    fn of(private: Private) -> Result<Self, KeyPairError> {
        let spki: Result<PublicKeyX509Der<'_>, _> = match &private {
            Private::Ecdsa(pair) => pair.public_key().as_der(),
            Private::Ed25519(pair) => pair.public_key().as_der(),
            Private::Rsa(pair) => pair.public_key().as_der(),
        };
        let spki = spki.map_err(|_| KeyPairError::Rejected)?;
        Ok(Self {
            public: SubjectPublicKey::from_spki_der(spki.as_ref())?,
            private,
        })
    }

    /// PKCS#8 (RFC 5958), unencrypted.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyPairError> {
        let algorithm = pkcs8_algorithm(der).map_err(|_| KeyPairError::Pkcs8)?;
        let curve = algorithm.parameters.and_then(|curve| curve.decode_as().ok());
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).map(Private::Ecdsa);
        let private = match (algorithm.oid, curve) {
            (oid::EC_PUBLIC_KEY, Some(oid::SECP256R1)) => ecdsa(&aws::ECDSA_P256_SHA256_ASN1_SIGNING),
            (oid::EC_PUBLIC_KEY, Some(oid::SECP384R1)) => ecdsa(&aws::ECDSA_P384_SHA384_ASN1_SIGNING),
            (oid::EC_PUBLIC_KEY, _) => return Err(KeyError::Curve.into()),
            (oid::ED25519, _) => Ed25519KeyPair::from_pkcs8(der).map(Private::Ed25519),
            (oid::RSA_ENCRYPTION, _) => RsaKeyPair::from_pkcs8(der).map(|pair| Private::Rsa(Box::new(pair))),
            (other, _) => return Err(KeyPairError::Type(other.to_string())),
        };
        Self::of(private.map_err(|_| KeyPairError::Rejected)?)
    }

    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyPairError> {
        let (label, der) =
            pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|error| KeyPairError::Pem(error.to_string()))?;
        let der = Zeroizing::new(der);
        match label {
            PEM_LABEL => Self::from_pkcs8_der(&der),
            other => Err(KeyPairError::Label(other.to_owned())),
        }
    }

    /// PKCS#8 in its first version, which every tool reads.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let der = match &self.private {
            Private::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Private::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Private::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(&**pair).map(|der| der.as_ref().to_vec()),
        };
        Zeroizing::new(der.expect("invariant: writing a key fails only without memory"))
    }

    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let pem = pem_rfc7468::encode_string(PEM_LABEL, LineEnding::LF, &self.to_pkcs8_der());
        Zeroizing::new(pem.expect("invariant: the label is one, and a key is far below PEM's limit"))
    }

    pub fn public_key(&self) -> &SubjectPublicKey {
        &self.public
    }

    /// What `sign` signs with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.public.kind().signature_algorithm()
    }

    /// A signature as certificates hold it: ECDSA as the SEQUENCE of r and s (RFC 3279 §2.2.3), RSA with PKCS#1 padding.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let signature = match &self.private {
            Private::Ecdsa(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Private::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&aws::RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map(|()| signature)
            }
        };
        signature.expect("invariant: signing with a key that was checked fails only without memory or entropy")
    }
}

/// The algorithm in a PrivateKeyInfo or OneAsymmetricKey (RFC 5958 §2); the rest is the library's to read.
fn pkcs8_algorithm(der: &[u8]) -> der::Result<AlgorithmIdentifierRef<'_>> {
    let mut reader = SliceReader::new(der)?;
    let algorithm = reader.sequence(|reader| {
        u8::decode(reader)?;
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        <&OctetStringRef>::decode(reader)?;
        reader.drain(reader.remaining_len())?;
        Ok::<_, der::Error>(algorithm)
    })?;
    reader.finish()?;
    Ok(algorithm)
}

/// Shows the public half.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({:?})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> [KeyPair; 4] {
        [
            KeyPair::generate_p256(),
            KeyPair::generate_p384(),
            KeyPair::generate_ed25519(),
            KeyPair::generate_rsa2048(),
        ]
    }

    #[test]
    fn what_a_key_signs_its_public_half_verifies() {
        for pair in every_kind() {
            let signature = pair.sign(b"message");
            assert_eq!(
                pair.public_key().verify(&pair.algorithm(), b"message", &signature),
                Ok(())
            );
            assert!(
                pair.public_key()
                    .verify(&pair.algorithm(), b"other", &signature)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_key_survives_der_and_pem() {
        for pair in every_kind() {
            assert_eq!(
                KeyPair::from_pkcs8_der(&pair.to_pkcs8_der()).unwrap().public_key(),
                pair.public_key()
            );
            let pem = pair.to_pkcs8_pem();
            assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
            assert_eq!(KeyPair::from_pkcs8_pem(&pem).unwrap().public_key(), pair.public_key());
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused_by_its_reason() {
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let label = KeyPairError::Label("ENCRYPTED PRIVATE KEY".into());
        assert_eq!(KeyPair::from_pkcs8_pem(encrypted).unwrap_err(), label);
        assert!(matches!(
            KeyPair::from_pkcs8_pem("key").unwrap_err(),
            KeyPairError::Pem(_)
        ));
        assert_eq!(KeyPair::from_pkcs8_der(&[0x30, 0]).unwrap_err(), KeyPairError::Pkcs8);
        let mut damaged = KeyPair::generate_p256().to_pkcs8_der();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(KeyPair::from_pkcs8_der(&damaged).unwrap_err(), KeyPairError::Rejected);
    }

    #[test]
    fn printing_a_key_shows_only_the_public_half() {
        let pair = KeyPair::generate_ed25519();
        assert_eq!(format!("{pair:?}"), format!("KeyPair({:?})", pair.public_key()));
    }
}
