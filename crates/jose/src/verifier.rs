//! Checking signatures (RFC 7518 §3.3 and §3.4, RFC 8037 §3.1).

use std::{fmt, ops::RangeInclusive, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        VerificationAlgorithm,
    },
};

use crate::{
    Algorithm, JwkError,
    public_key::{Curve, PublicKey},
    spki,
};

/// The sizes of RSA keys that may at least revoke their certificates, in bits: what the cryptographic library takes.
pub const RSA_BITS_LENIENT: RangeInclusive<usize> = 2048..=8192;

/// A public key made ready to check signatures with its one algorithm. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    algorithm: Algorithm,
    signature_len: usize,
    key: Arc<ParsedPublicKey>,
}

impl Verifier {
    /// The key of a certificate, of any size that can be computed with.
    ///
    /// What is asked of the keys of accounts must not keep anybody from revoking a certificate (RFC 8555 §7.6).
    pub fn from_spki_der_lenient(der: &[u8]) -> Result<Verifier, JwkError> {
        Verifier::new(&spki::parse(der)?, &RSA_BITS_LENIENT)
    }

    pub(crate) fn new(key: &PublicKey, rsa_bits: &RangeInclusive<usize>) -> Result<Verifier, JwkError> {
        let (algorithm, signature_len, key) = match key {
            PublicKey::Ec {
                curve: Curve::P256,
                point,
            } => (Algorithm::Es256, 64, parse(&ECDSA_P256_SHA256_FIXED, point)?),
            PublicKey::Ec {
                curve: Curve::P384,
                point,
            } => (Algorithm::Es384, 96, parse(&ECDSA_P384_SHA384_FIXED, point)?),
            PublicKey::Ed25519(point) if is_of_small_order(point) => {
                return Err(JwkError::SmallOrder);
            }
            PublicKey::Ed25519(point) => (Algorithm::EdDsa, 64, parse(&ED25519, point)?),
            PublicKey::Rsa { n, e } => (Algorithm::Rs256, n.len(), parse_rsa(n, e, rsa_bits)?),
        };
        Ok(Verifier {
            algorithm,
            signature_len,
            key: Arc::new(key),
        })
    }

    /// The one algorithm of the key (RFC 8725 §3.1).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature of `message` in the form a JWS has it: for ECDSA that is R and S at full length.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let (expected, actual) = (self.signature_len, signature.len());
        if expected != actual {
            return Err(VerifyError::SignatureLength { expected, actual });
        }
        self.key
            .verify_sig(message, signature)
            .map_err(|_| VerifyError::Signature)
    }

    pub(crate) fn to_spki_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self
            .key
            .as_der()
            .expect("invariant: a key that was parsed can be written");
        der.as_ref().to_vec()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("\"alg\" is {header}, but the key is for {key}")]
    AlgorithmMismatch { header: Algorithm, key: Algorithm },
    #[error("the signature has {actual} bytes, with this key it has {expected}")]
    SignatureLength { expected: usize, actual: usize },
    #[error("the signature is not one of the key over what was received")]
    Signature,
}

fn parse(algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<ParsedPublicKey, JwkError> {
    ParsedPublicKey::new(algorithm, point).map_err(|_| JwkError::NotOnCurve)
}

fn parse_rsa(n: &[u8], e: &[u8], accepted: &RangeInclusive<usize>) -> Result<ParsedPublicKey, JwkError> {
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !accepted.contains(&bits) {
        return Err(JwkError::RsaSize { bits });
    }
    if n.last().is_none_or(|last| last % 2 == 0) {
        return Err(JwkError::RsaModulus);
    }
    // An exponent as long as the modulus would make one verification as dear as a signature.
    if e.len() > 4 || e.last().is_none_or(|last| last % 2 == 0) || e == [1] {
        return Err(JwkError::RsaExponent);
    }
    PublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| JwkError::RsaModulus)
}

/// Whether a multiple by eight of the point is the neutral element, so that it is nobody's key.
fn is_of_small_order(point: &[u8]) -> bool {
    SMALL_ORDER.iter().any(|small| {
        let (last, first) = (point.len() - 1, small.len() - 1);
        point[..last] == small[..first] && point[last] & 0x7f == small[first]
    })
}

/// The y coordinates, and the spellings of them that are not reduced, of the points of order 1, 2, 4 and 8 of
/// edwards25519 (RFC 8032 §5.1), little-endian. The last bit, which is the sign of x, is not in them.
const SMALL_ORDER: [[u8; 32]; 7] = [
    uniform(0x00, 0x00, 0x00),
    uniform(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    uniform(0xec, 0xff, 0x7f),
    uniform(0xed, 0xff, 0x7f),
    uniform(0xee, 0xff, 0x7f),
];

const fn uniform(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}
