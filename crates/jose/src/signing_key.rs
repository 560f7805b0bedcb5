//! Private keys and what they sign (RFC 7515 §5.1, PKCS#8 RFC 5208).

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use pem_rfc7468::LineEnding;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{Algorithm, Jwk, JwkError, base64url};

/// A private key for one algorithm. It is shown nowhere but by [`SigningKey::to_pkcs8_pem`] and its DER twin.
pub struct SigningKey {
    private: PrivateKey,
    jwk: Jwk,
}

enum PrivateKey {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

impl SigningKey {
    /// A new key; RSA ones have 2048 bits. Randomness is the cryptographic library's.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let private = match algorithm {
            Algorithm::Rs256 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(PrivateKey::Rsa),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(PrivateKey::Ecdsa),
            Algorithm::Es384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(PrivateKey::Ecdsa),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(PrivateKey::Ed25519),
        };
        Self::new(private.map_err(|_| SigningKeyError::Unusable)?)
    }

    /// Reads an unencrypted `PRIVATE KEY` (RFC 7468 §10).
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, SigningKeyError> {
        let (label, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|_| SigningKeyError::NotPem)?;
        let der = Zeroizing::new(der);
        if label != PEM_LABEL {
            return Err(SigningKeyError::WrongLabel(label.to_owned()));
        }
        Self::from_pkcs8_der(&der)
    }

    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        let private = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der))
            .map(PrivateKey::Ecdsa)
            .or_else(|_| Ed25519KeyPair::from_pkcs8(der).map(PrivateKey::Ed25519))
            .or_else(|_| rsa::KeyPair::from_pkcs8(der).map(PrivateKey::Rsa))
            .map_err(|_| SigningKeyError::Unsupported)?;
        Self::new(private)
    }

    fn new(private: PrivateKey) -> Result<Self, SigningKeyError> {
        let spki: PublicKeyX509Der<'_> = match &private {
            PrivateKey::Ecdsa(key) => key.public_key().as_der(),
            PrivateKey::Ed25519(key) => key.public_key().as_der(),
            PrivateKey::Rsa(key) => key.public_key().as_der(),
        }
        .map_err(|_| SigningKeyError::Unusable)?;
        let key = Self {
            jwk: Jwk::from_spki_der(spki.as_ref())?,
            private,
        };
        // A pair that does not fit together is found here, and not by the server that is asked to believe it.
        let signature = key.try_sign(b"a trial").ok_or(SigningKeyError::Unusable)?;
        key.jwk
            .verifier()
            .verify(b"a trial", &signature)
            .map_err(|_| SigningKeyError::Unusable)?;
        Ok(key)
    }

    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let pem = pem_rfc7468::encode_string(PEM_LABEL, LineEnding::LF, &self.to_pkcs8_der());
        Zeroizing::new(pem.expect("invariant: a key is far shorter than the longest PEM text"))
    }

    /// PKCS#8 version 1, which everything reads.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let der = match &self.private {
            PrivateKey::Ecdsa(key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            PrivateKey::Ed25519(key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            PrivateKey::Rsa(key) => key.as_der().map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
        };
        Zeroizing::new(der.expect("invariant: a key that was read or generated can be written"))
    }

    /// The public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    pub fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// Signs, in the form a JWS has: for ECDSA that is R and S at full length (RFC 7518 §3.4).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.try_sign(message).expect("invariant: the key has signed before")
    }

    fn try_sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.private {
            PrivateKey::Ecdsa(key) => Some(key.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            PrivateKey::Ed25519(key) => Some(key.try_sign(message).ok()?.as_ref().to_vec()),
            PrivateKey::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .ok()?;
                Some(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("jwk", &self.jwk)
            .finish_non_exhaustive()
    }
}

/// Why a private key is not a [`SigningKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    #[error("it is not PEM")]
    NotPem,
    #[error("it is PEM labelled {0:?}, not \"{PEM_LABEL}\"")]
    WrongLabel(String),
    #[error("it is not an unencrypted PKCS#8 key of a supported type")]
    Unsupported,
    #[error("its public half is not acceptable: {0}")]
    Public(#[from] JwkError),
    #[error("it cannot sign")]
    Unusable,
}

/// How a message names the key that signs it (RFC 8555 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRef<'a> {
    /// By its public half.
    Jwk,
    /// By the account's URL.
    Kid(&'a str),
}

/// Writes a message in the flattened JSON serialization (RFC 7515 §7.2.2).
///
/// An empty payload makes a POST-as-GET (RFC 8555 §6.3).
pub fn sign_flattened(
    key: &SigningKey,
    reference: KeyRef<'_>,
    nonce: Option<&str>,
    url: &str,
    payload: &[u8],
) -> String {
    let (jwk, kid) = match reference {
        KeyRef::Jwk => (Some(key.jwk()), None),
        KeyRef::Kid(kid) => (None, Some(kid)),
    };
    let header = Header {
        alg: key.algorithm().as_str(),
        jwk,
        kid,
        nonce,
        url,
    };
    let header = serde_json::to_string(&header).expect("invariant: a struct whose fields are strings and keys is JSON");
    let (protected, payload) = (base64url::encode(header), base64url::encode(payload));
    let signature = base64url::encode(key.sign(format!("{protected}.{payload}").as_bytes()));
    format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a Jwk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    url: &'a str,
}

const PEM_LABEL: &str = "PRIVATE KEY";
