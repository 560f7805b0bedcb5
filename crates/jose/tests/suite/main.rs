//! What `jose` accepts, refuses and computes, through its public interface.

mod documents;
mod hostile;
mod jwk;
mod jws;
mod mutation;
mod round_trip;
mod signing_key;
mod spki;

use std::sync::LazyLock;

use jose::{Algorithm, Jws, JwsError, SigningKey, base64url};

const URL: &str = "https://ca.example/acme/new-order";
const KID: &str = "https://ca.example/acme/account/1";
const NONCE: &str = "oFvnlFP1wIhRlYS2jTaXbA";

/// One key for each algorithm, in the order of `Algorithm::ALL`.
static KEYS: LazyLock<[SigningKey; 4]> =
    LazyLock::new(|| Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).unwrap()));

fn key(algorithm: Algorithm) -> &'static SigningKey {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

/// A header by `kid` which is right, for the tests to change.
fn header(algorithm: Algorithm) -> String {
    format!(r#"{{"alg":"{algorithm}","kid":"{KID}","nonce":"{NONCE}","url":"{URL}"}}"#)
}

/// The three members of a message with this header, truly signed whatever the header says.
fn members(key: &SigningKey, header: &str, payload: &[u8]) -> [String; 3] {
    let (protected, payload) = (base64url::encode(header), base64url::encode(payload));
    let signature = base64url::encode(key.sign(format!("{protected}.{payload}").as_bytes()));
    [protected, payload, signature]
}

fn flattened(key: &SigningKey, header: &str, payload: &[u8]) -> String {
    let [protected, payload, signature] = members(key, header, payload);
    format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
}

/// What becomes of a message with this header.
fn check_header(header: &str) -> Result<Jws, JwsError> {
    Jws::parse(flattened(key(Algorithm::Es256), header, b"{}").as_bytes())
}
