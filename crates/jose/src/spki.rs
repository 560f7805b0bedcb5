//! Public keys as certificates carry them (RFC 3279 §2.3, RFC 5480 §2, RFC 8410 §4).

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey, VerificationAlgorithm},
};
use const_oid::{
    ObjectIdentifier,
    db::{
        rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1},
        rfc8410::ID_ED_25519,
    },
};
use der::{Decode as _, Sequence, asn1::UintRef};
use spki::SubjectPublicKeyInfoRef;

use crate::{
    JwkError, MalformedJwk,
    public_key::{Curve, PublicKey},
};

/// Reads a SubjectPublicKeyInfo. Whether the key is sound is not looked at.
pub(crate) fn parse(der: &[u8]) -> Result<PublicKey, JwkError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| MalformedJwk::Spki)?;
    let bytes = spki.subject_public_key.as_bytes().ok_or(MalformedJwk::Spki)?;
    let parameters = spki.algorithm.parameters;
    match spki.algorithm.oid {
        ID_EC_PUBLIC_KEY => {
            // Anything but a named curve is forbidden (RFC 5480 §2.1.1).
            let oid: ObjectIdentifier = parameters
                .and_then(|any| any.decode_as().ok())
                .ok_or(MalformedJwk::Spki)?;
            match oid {
                SECP_256_R_1 => point(Curve::P256, &ECDSA_P256_SHA256_FIXED, bytes),
                SECP_384_R_1 => point(Curve::P384, &ECDSA_P384_SHA384_FIXED, bytes),
                other => Err(JwkError::UnsupportedCurve(other.to_string())),
            }
        }
        ID_ED_25519 if parameters.is_none() && bytes.len() == 32 => Ok(PublicKey::Ed25519(bytes.to_vec())),
        RSA_ENCRYPTION if parameters.is_some_and(|any| any.is_null()) => {
            let key = RsaPublicKey::from_der(bytes).map_err(|_| MalformedJwk::Spki)?;
            Ok(PublicKey::Rsa {
                n: key.modulus.as_bytes().to_vec(),
                e: key.public_exponent.as_bytes().to_vec(),
            })
        }
        ID_ED_25519 | RSA_ENCRYPTION => Err(MalformedJwk::Spki.into()),
        other => Err(JwkError::UnsupportedKeyType(other.to_string())),
    }
}

/// RFC 8017 A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// A point may be compressed here (RFC 5480 §2.2) though it cannot be in a JWK: the key is the same one.
fn point(curve: Curve, algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Result<PublicKey, JwkError> {
    let length = curve.coordinate_len();
    match bytes.split_first() {
        Some((0x04, coordinates)) if coordinates.len() == 2 * length => {
            let (x, y) = coordinates.split_at(length);
            Ok(PublicKey::from_coordinates(curve, x, y))
        }
        Some((0x02 | 0x03, x)) if x.len() == length => {
            let key = ParsedPublicKey::new(algorithm, bytes).map_err(|_| JwkError::NotOnCurve)?;
            let der: PublicKeyX509Der<'_> = key.as_der().map_err(|_| JwkError::NotOnCurve)?;
            parse(der.as_ref())
        }
        _ => Err(MalformedJwk::Spki.into()),
    }
}
