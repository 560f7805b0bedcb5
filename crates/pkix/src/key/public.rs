//! SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), strict about what it accepts.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ParsedPublicKey, UnparsedPublicKey};
use der::Sequence;
use der::asn1::{AnyRef, UintRef};
use spki::SubjectPublicKeyInfoRef;

use super::SignatureAlgorithm;
use crate::{DerError, encoding, oid};

/// A public key that may stand in a certificate: well-formed, of a kind and size that is in use.
#[derive(Clone)]
pub struct SubjectPublicKey {
    spki: Vec<u8>,
    kind: KeyKind,
    /// Where the content of the BIT STRING begins in `spki`; it reaches to the end.
    bits: usize,
    parsed: ParsedPublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    EcP256,
    EcP384,
    Rsa { bits: u32 },
    Ed25519,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the public key is not DER: {0}")]
    Der(#[from] DerError),
    #[error("keys of the type {0} are not accepted")]
    Type(String),
    #[error("an elliptic curve must be named, and be P-256 or P-384")]
    Curve,
    #[error("the parameters of the key's algorithm are wrong")]
    Parameters,
    #[error("the point is not in uncompressed form")]
    PointForm,
    #[error("the key is not one of its algorithm, such as a point that is not on the curve")]
    NotAKey,
    #[error("an RSA modulus of {0} bits; from 2048 to 4096 in whole octets are accepted")]
    ModulusSize(usize),
    #[error("the RSA modulus is even")]
    ModulusEven,
    #[error("the RSA exponent must be odd and from 3 to 2^32")]
    Exponent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature algorithm is not one that is accepted")]
    UnknownAlgorithm,
    #[error("the signature algorithm {0} does not go with a key of the kind {1}")]
    Mismatch(SignatureAlgorithm, KeyKind),
    #[error("the signature is wrong")]
    Wrong,
}

/// RSAPublicKey (RFC 3279 §2.3.1).
#[derive(Sequence)]
pub(super) struct RsaPublicKey<'a> {
    pub modulus: UintRef<'a>,
    pub exponent: UintRef<'a>,
}

impl SubjectPublicKey {
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let info: SubjectPublicKeyInfoRef<'_> = encoding::decode(der)?;
        let key = info.subject_public_key.as_bytes().ok_or(KeyError::NotAKey)?;
        let parameters = info.algorithm.parameters;
        let kind = match info.algorithm.oid {
            oid::EC_PUBLIC_KEY => curve(parameters, key)?,
            oid::RSA_ENCRYPTION => rsa(parameters, key)?,
            oid::ED25519 if parameters.is_none() => KeyKind::Ed25519,
            // RFC 8410 §3: the parameters must be absent.
            oid::ED25519 => return Err(KeyError::Parameters),
            other => return Err(KeyError::Type(other.to_string())),
        };
        let algorithm = kind
            .signature_algorithm()
            .verification(kind)
            .expect("invariant: the algorithm a kind signs with is one that verifies it");
        let parsed = ParsedPublicKey::new(algorithm, der).map_err(|_| KeyError::NotAKey)?;
        Ok(Self {
            spki: der.to_vec(),
            kind,
            bits: der.len() - key.len(),
            parsed,
        })
    }

    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// SHA-1 of the BIT STRING, method (1) of RFC 5280 §4.2.1.2. It tells keys apart and protects nothing.
    pub fn key_identifier(&self) -> [u8; 20] {
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, self.key_bits());
        hash.as_ref().try_into().expect("invariant: SHA-1 has 20 octets")
    }

    pub fn verify(&self, alg: &SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let algorithm = alg
            .verification(self.kind)
            .ok_or(SignatureError::Mismatch(*alg, self.kind))?;
        let verdict = if *alg == self.kind.signature_algorithm() {
            self.parsed.verify_sig(message, signature)
        } else {
            UnparsedPublicKey::new(algorithm, &self.spki).verify(message, signature)
        };
        verdict.map_err(|_| SignatureError::Wrong)
    }

    /// The content of the BIT STRING: a point, or an RSAPublicKey.
    pub(crate) fn key_bits(&self) -> &[u8] {
        &self.spki[self.bits..]
    }
}

impl KeyKind {
    /// The algorithm that keys of this kind sign with here.
    pub fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            KeyKind::EcP256 => SignatureAlgorithm::EcdsaSha256,
            KeyKind::EcP384 => SignatureAlgorithm::EcdsaSha384,
            KeyKind::Rsa { .. } => SignatureAlgorithm::RsaSha256,
            KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

/// RFC 5480 §2.1.1: namedCurve only. An explicit curve is how CVE-2020-0601 forged certificates.
fn curve(parameters: Option<AnyRef<'_>>, point: &[u8]) -> Result<KeyKind, KeyError> {
    let named = parameters
        .ok_or(KeyError::Curve)?
        .decode_as::<crate::ObjectIdentifier>();
    let (kind, length) = match named {
        Ok(oid::SECP256R1) => (KeyKind::EcP256, 65),
        Ok(oid::SECP384R1) => (KeyKind::EcP384, 97),
        _ => return Err(KeyError::Curve),
    };
    // RFC 5480 §2.2 leaves compressed points open; taking one form keeps one fingerprint for one key.
    match point.first() {
        Some(4) if point.len() == length => Ok(kind),
        _ => Err(KeyError::PointForm),
    }
}

fn rsa(parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<KeyKind, KeyError> {
    if !parameters.is_some_and(AnyRef::is_null) {
        return Err(KeyError::Parameters);
    }
    let key: RsaPublicKey<'_> = encoding::decode(key)?;
    let modulus = key.modulus.as_bytes();
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
    // Baseline Requirements 6.1.5: at least 2048, divisible by 8. Beyond 4096 verifying costs more than it gives.
    if !(2048..=4096).contains(&bits) || !bits.is_multiple_of(8) {
        return Err(KeyError::ModulusSize(bits));
    }
    if modulus.last().is_some_and(|octet| octet % 2 == 0) {
        return Err(KeyError::ModulusEven);
    }
    match exponent(&key) {
        Some(exponent) if exponent >= 3 && exponent % 2 == 1 => Ok(KeyKind::Rsa { bits: bits as u32 }),
        _ => Err(KeyError::Exponent),
    }
}

pub(super) fn exponent(key: &RsaPublicKey<'_>) -> Option<u32> {
    let octets = key.exponent.as_bytes();
    (octets.len() <= 4).then(|| octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().try_into().expect("invariant: SHA-256 has 32 octets")
}

impl PartialEq for SubjectPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for SubjectPublicKey {}

impl fmt::Debug for SubjectPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectPublicKey({}, ", self.kind)?;
        self.fingerprint()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::EcP256 => f.write_str("ECDSA P-256"),
            KeyKind::EcP384 => f.write_str("ECDSA P-384"),
            KeyKind::Rsa { bits } => write!(f, "RSA {bits}"),
            KeyKind::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyPair;

    fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
        let algorithm = encoding::Raw(algorithm);
        let bits = der::asn1::BitStringRef::from_bytes(key).unwrap();
        #[derive(Sequence)]
        struct Info<'a> {
            algorithm: encoding::Raw<'a>,
            key: der::asn1::BitStringRef<'a>,
        }
        encoding::encode(&Info { algorithm, key: bits })
    }

    const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

    fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let key = RsaPublicKey {
            modulus: UintRef::new(modulus).unwrap(),
            exponent: UintRef::new(exponent).unwrap(),
        };
        spki(RSA, &encoding::encode(&key))
    }

    #[test]
    fn keys_of_every_kind_are_read() {
        for (pair, kind) in [
            (KeyPair::generate_p256(), KeyKind::EcP256),
            (KeyPair::generate_p384(), KeyKind::EcP384),
            (KeyPair::generate_ed25519(), KeyKind::Ed25519),
            (KeyPair::generate_rsa2048(), KeyKind::Rsa { bits: 2048 }),
        ] {
            let key = SubjectPublicKey::from_spki_der(pair.public_key().spki_der()).unwrap();
            assert_eq!(key.kind(), kind);
            assert_eq!(&key, pair.public_key());
            assert_eq!(key.fingerprint(), sha256(key.spki_der()));
        }
    }

    #[test]
    fn a_point_must_be_uncompressed_and_on_its_curve() {
        let pair = KeyPair::generate_p256();
        let point = pair.public_key().key_bits().to_vec();
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(P256, &point)).unwrap(),
            *pair.public_key()
        );

        let mut elsewhere = point.clone();
        elsewhere[64] ^= 1;
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(P256, &elsewhere)),
            Err(KeyError::NotAKey)
        );
        let mut compressed = point[..33].to_vec();
        compressed[0] = 2 + (point[64] & 1);
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(P256, &compressed)),
            Err(KeyError::PointForm)
        );
        let mut hybrid = point.clone();
        hybrid[0] = 6 + (point[64] & 1);
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(P256, &hybrid)),
            Err(KeyError::PointForm)
        );
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(P256, &[0])),
            Err(KeyError::PointForm)
        );
    }

    #[test]
    fn a_curve_must_be_named_and_known() {
        let secp256k1 = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a";
        let without = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
        let explicit = b"\x30\x0e\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x30\x03\x02\x01\x01";
        for algorithm in [&secp256k1[..], without, explicit] {
            assert_eq!(
                SubjectPublicKey::from_spki_der(&spki(algorithm, &[4; 65])),
                Err(KeyError::Curve)
            );
        }
    }

    #[test]
    fn rsa_sizes_and_exponents_are_bounded() {
        let good = [vec![0xc1; 255], vec![0xc1]].concat();
        let kind = |modulus: &[u8], exponent: &[u8]| {
            SubjectPublicKey::from_spki_der(&rsa_spki(modulus, exponent)).map(|key| key.kind())
        };
        assert_eq!(kind(&good, &[1, 0, 1]), Ok(KeyKind::Rsa { bits: 2048 }));
        assert_eq!(kind(&good, &[3]), Ok(KeyKind::Rsa { bits: 2048 }));
        assert_eq!(kind(&[0xc1; 512], &[1, 0, 1]), Ok(KeyKind::Rsa { bits: 4096 }));
        assert_eq!(kind(&[0xc1; 513], &[1, 0, 1]), Err(KeyError::ModulusSize(4104)));
        assert_eq!(kind(&[0xc1; 128], &[1, 0, 1]), Err(KeyError::ModulusSize(1024)));
        assert_eq!(
            kind(&[&[0x7f][..], &good[1..]].concat(), &[3]),
            Err(KeyError::ModulusSize(2047))
        );
        assert_eq!(kind(&[0xc2; 256], &[1, 0, 1]), Err(KeyError::ModulusEven));
        for exponent in [&[1][..], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert_eq!(kind(&good, exponent), Err(KeyError::Exponent));
        }
    }

    #[test]
    fn rsa_needs_its_null_and_ed25519_must_not_have_one() {
        let rsa_without_null = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(rsa_without_null, &[0])),
            Err(KeyError::Parameters)
        );
        let ed25519_with_null = b"\x30\x07\x06\x03\x2b\x65\x70\x05\x00";
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(ed25519_with_null, &[9; 32])),
            Err(KeyError::Parameters)
        );
        let ed448 = b"\x30\x05\x06\x03\x2b\x65\x71";
        assert_eq!(
            SubjectPublicKey::from_spki_der(&spki(ed448, &[9; 57])),
            Err(KeyError::Type("1.3.101.113".into()))
        );
    }

    #[test]
    fn a_key_verifies_its_own_algorithms_and_no_others() {
        let pair = KeyPair::generate_p256();
        let signature = pair.sign(b"message");
        let verify = |algorithm, message: &[u8]| pair.public_key().verify(&algorithm, message, &signature);
        assert_eq!(verify(SignatureAlgorithm::EcdsaSha256, b"message"), Ok(()));
        assert_eq!(
            verify(SignatureAlgorithm::EcdsaSha256, b"massage"),
            Err(SignatureError::Wrong)
        );
        assert_eq!(
            verify(SignatureAlgorithm::EcdsaSha384, b"message"),
            Err(SignatureError::Wrong)
        );
        assert_eq!(
            verify(SignatureAlgorithm::RsaSha256, b"message"),
            Err(SignatureError::Mismatch(SignatureAlgorithm::RsaSha256, KeyKind::EcP256))
        );
    }

    #[test]
    fn the_key_identifier_is_the_sha1_of_the_bit_string() {
        let pair = KeyPair::generate_p384();
        let expected = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, pair.public_key().key_bits());
        assert_eq!(pair.public_key().key_identifier(), expected.as_ref());
        assert_eq!(pair.public_key().key_bits().len(), 97);
    }
}
