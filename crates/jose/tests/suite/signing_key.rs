//! Private keys in files.

use jose::{Algorithm, JwkError, SigningKey, SigningKeyError};

use super::KEYS;

// Written by OpenSSL 3.0; the JWKs by a second implementation.
const FOREIGN: [(&str, &str, Algorithm); 4] = [
    (
        include_str!("../data/p256.pem"),
        include_str!("../data/p256.jwk"),
        Algorithm::Es256,
    ),
    (
        include_str!("../data/p384.pem"),
        include_str!("../data/p384.jwk"),
        Algorithm::Es384,
    ),
    (
        include_str!("../data/ed25519.pem"),
        include_str!("../data/ed25519.jwk"),
        Algorithm::EdDsa,
    ),
    (
        include_str!("../data/rsa2048.pem"),
        include_str!("../data/rsa2048.jwk"),
        Algorithm::Rs256,
    ),
];

#[test]
fn a_key_written_by_another_program_is_read() {
    for (pem, jwk, algorithm) in FOREIGN {
        let key = SigningKey::from_pkcs8_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.jwk().to_json(), jwk);
        key.jwk().verifier().verify(b"message", &key.sign(b"message")).unwrap();
    }
}

#[test]
fn a_key_that_is_written_is_read_again() {
    for key in &*KEYS {
        let pem = key.to_pkcs8_pem();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(SigningKey::from_pkcs8_pem(&pem).unwrap().jwk(), key.jwk());
        assert_eq!(
            *SigningKey::from_pkcs8_der(&key.to_pkcs8_der()).unwrap().to_pkcs8_der(),
            *key.to_pkcs8_der()
        );
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    let refusal = |pem: &str| SigningKey::from_pkcs8_pem(pem).unwrap_err();
    assert_eq!(refusal(""), SigningKeyError::NotPem);
    assert_eq!(refusal(include_str!("../data/p256.jwk")), SigningKeyError::NotPem);
    assert_eq!(
        refusal(include_str!("../data/p256.spki.pem")),
        SigningKeyError::WrongLabel("PUBLIC KEY".into())
    );
    assert_eq!(
        refusal(&FOREIGN[0].0.replace("PRIVATE KEY", "EC PRIVATE KEY")),
        SigningKeyError::WrongLabel("EC PRIVATE KEY".into())
    );
    assert_eq!(
        SigningKey::from_pkcs8_der(b"").unwrap_err(),
        SigningKeyError::Unsupported
    );
    let spki = KEYS[0].jwk().to_spki_der();
    assert_eq!(
        SigningKey::from_pkcs8_der(&spki).unwrap_err(),
        SigningKeyError::Unsupported
    );
}

#[test]
fn a_key_no_server_here_would_accept_is_refused_when_it_is_read() {
    let pem = include_str!("../data/rsa8192.pem");
    assert_eq!(
        SigningKey::from_pkcs8_pem(pem).unwrap_err(),
        SigningKeyError::Public(JwkError::RsaSize { bits: 8192 })
    );
}

#[test]
fn a_private_key_is_not_shown() {
    for key in &*KEYS {
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ jwk: {:?}, .. }}", key.jwk()));
    }
}
