//! How the committed inputs were made.

mod der;
mod letters;
mod text;

use jose::{KeyRef, SigningKey, base64url, mac_flattened, sign_flattened};
use pkix::key::KeyPair;

/// Each target's name with its inputs.
pub fn all() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    vec![
        ("caa", text::caa()),
        ("certificate", der::certificates()),
        ("chain", der::chains()),
        ("crl", der::lists()),
        ("csr", der::requests()),
        ("dkim", letters::signatures()),
        ("dns_answer", text::dns_answers()),
        ("http_answer", text::http_answers()),
        ("jws", messages()),
        ("mail_message", letters::messages()),
        ("mail_policy", letters::policies()),
        ("mail_replies", text::mail_replies()),
        ("names", [text::names(), der::names()].concat()),
        ("objects", text::objects()),
        ("ocsp", der::questions()),
        ("onion", [text::onion(), der::onion()].concat()),
    ]
}

fn messages() -> Vec<Vec<u8>> {
    let url = "https://ca.example/new-order";
    let payload = br#"{"identifiers":[{"type":"dns","value":"example.org"}]}"#;
    let mut all = Vec::new();
    for pem in PEM_KEYS {
        let key = SigningKey::from_pkcs8_der(&pair(pem).to_pkcs8_der()).expect("invariant: a key of the tests");
        all.push(sign_flattened(&key, KeyRef::Jwk, Some("bm9uY2U"), url, payload).into_bytes());
        all.push(
            sign_flattened(
                &key,
                KeyRef::Kid("https://ca.example/acct/1"),
                Some("bm9uY2U"),
                url,
                b"",
            )
            .into_bytes(),
        );
        all.push(key.jwk().to_json().into_bytes());
        all.push(key.jwk().to_spki_der());
        let jwk = key.jwk().to_json();
        let alg = key.algorithm();
        all.push(format!(r#"{{"alg":"{alg}","nonce":"bm9uY2U","url":"{url}","jwk":{jwk}}}"#).into_bytes());
    }
    all.push(format!(r#"{{"alg":"ES256","nonce":"bm9uY2U","url":"{url}","kid":"k"}}"#).into_bytes());
    all.push(mac_flattened(b"secret", "kid-1", url, b"{}").to_string().into_bytes());
    all.push(format!("{0}.{0}.{0}", base64url::encode(b"{}")).into_bytes());
    all
}

/// One of each kind, from the tests.
fn keys() -> Vec<KeyPair> {
    PEM_KEYS.iter().map(|pem| pair(pem)).collect()
}

fn pair(pem: &str) -> KeyPair {
    KeyPair::from_pkcs8_pem(pem).expect("invariant: a key of the tests")
}

const PEM_KEYS: [&str; 4] = [
    include_str!("../../../crates/jose/tests/data/ed25519.pem"),
    include_str!("../../../crates/jose/tests/data/p256.pem"),
    include_str!("../../../crates/jose/tests/data/p384.pem"),
    include_str!("../../../crates/jose/tests/data/rsa2048.pem"),
];
