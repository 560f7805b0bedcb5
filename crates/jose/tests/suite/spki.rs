//! Public keys as certificates carry them; written by OpenSSL 3.0.

use jose::{Algorithm, Jwk, JwkError, MalformedJwk, Verifier, VerifyError, base64url};

use super::KEYS;

fn der(pem: &str) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem.as_bytes()).unwrap().1
}

#[test]
fn a_certificates_key_is_the_jwk_with_the_same_numbers() {
    for (pem, jwk) in [
        (include_str!("../data/p256.spki.pem"), include_str!("../data/p256.jwk")),
        (include_str!("../data/p384.spki.pem"), include_str!("../data/p384.jwk")),
        (
            include_str!("../data/ed25519.spki.pem"),
            include_str!("../data/ed25519.jwk"),
        ),
        (
            include_str!("../data/rsa2048.spki.pem"),
            include_str!("../data/rsa2048.jwk"),
        ),
    ] {
        let key = Jwk::from_spki_der(&der(pem)).unwrap();
        assert_eq!(key, Jwk::parse(jwk).unwrap());
        assert_eq!(key.to_json(), jwk);
        assert_eq!(key.to_spki_der(), der(pem));
    }
}

#[test]
fn a_compressed_point_is_the_same_key() {
    for (pem, jwk, spki) in [
        (
            include_str!("../data/p256-compressed.spki.pem"),
            include_str!("../data/p256.jwk"),
            include_str!("../data/p256.spki.pem"),
        ),
        (
            include_str!("../data/p384-compressed.spki.pem"),
            include_str!("../data/p384.jwk"),
            include_str!("../data/p384.spki.pem"),
        ),
    ] {
        let key = Jwk::from_spki_der(&der(pem)).unwrap();
        assert_eq!(key.to_json(), jwk);
        assert_eq!(key.to_spki_der(), der(spki));
    }
}

#[test]
fn other_keys_are_refused() {
    for (pem, error) in [
        (
            include_str!("../data/p256-explicit.spki.pem"),
            JwkError::Malformed(MalformedJwk::Spki),
        ),
        (
            include_str!("../data/p521.spki.pem"),
            JwkError::UnsupportedCurve("1.3.132.0.35".into()),
        ),
        (
            include_str!("../data/secp256k1.spki.pem"),
            JwkError::UnsupportedCurve("1.3.132.0.10".into()),
        ),
        (
            include_str!("../data/ed448.spki.pem"),
            JwkError::UnsupportedKeyType("1.3.101.113".into()),
        ),
        (
            include_str!("../data/rsa-pss.spki.pem"),
            JwkError::UnsupportedKeyType("1.2.840.113549.1.1.10".into()),
        ),
        (
            include_str!("../data/rsa1024.spki.pem"),
            JwkError::RsaSize { bits: 1024 },
        ),
    ] {
        assert_eq!(Jwk::from_spki_der(&der(pem)).unwrap_err(), error);
        assert_eq!(Verifier::from_spki_der_lenient(&der(pem)).unwrap_err(), error);
    }
}

#[test]
fn der_is_read_to_its_end_and_no_further() {
    for key in &*KEYS {
        let der = key.jwk().to_spki_der();
        let longer = [&der[..], &[0]].concat();
        for wrong in [&der[..der.len() - 1], &longer, b"", b"\x30\x00"] {
            assert_eq!(Jwk::from_spki_der(wrong), Err(JwkError::Malformed(MalformedJwk::Spki)));
        }
    }
}

// 8555-7.6-9
#[test]
fn a_certificates_key_may_be_larger_than_an_accounts() {
    let der = der(include_str!("../data/rsa8192.spki.pem"));
    assert_eq!(Jwk::from_spki_der(&der), Err(JwkError::RsaSize { bits: 8192 }));
    let verifier = Verifier::from_spki_der_lenient(&der).unwrap();
    assert_eq!(verifier.algorithm(), Algorithm::Rs256);
    let signature = base64url::decode(include_str!("../data/rsa8192.signature")).unwrap();
    assert_eq!(verifier.verify(b"revoke it", &signature), Ok(()));
    assert_eq!(verifier.verify(b"revoke it!", &signature), Err(VerifyError::Signature));
    assert_eq!(
        verifier.verify(b"revoke it", &signature[1..]),
        Err(VerifyError::SignatureLength {
            expected: 1024,
            actual: 1023
        })
    );
}
