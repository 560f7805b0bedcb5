//! Messages and keys with random damage.

use jose::{Algorithm, Jwk, Jws, KeyRef, SigningKey, Verifier, base64url, sign_flattened};

use super::{KEYS, KID, NONCE, URL, members};

/// SplitMix64, so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    /// Changes, doubles, removes or inserts at up to three places.
    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(12)).min(bytes.len());
            match self.below(6) {
                0 => bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << self.below(8)),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.splice(at..at, bytes[at..end].to_vec()).for_each(drop),
                3 => bytes.truncate(at),
                4 => bytes.insert(at, self.below(256) as u8),
                _ => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(at..at, token.bytes()).for_each(drop);
                }
            }
        }
        bytes
    }
}

const TOKENS: [&str; 18] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "null",
    "\\u0000",
    "=",
    "\"kid\":\"x\",",
    "\"jwk\":{},",
    "\"d\":\"AA\",",
    "\"header\":{},",
    "none",
    "A",
    "\u{e9}",
];

// T31
#[test]
fn a_damaged_body_never_panics_and_never_means_something_else() {
    let mut random = Random(1);
    for key in &*KEYS {
        for reference in [KeyRef::Jwk, KeyRef::Kid(KID)] {
            let body = sign_flattened(key, reference, Some(NONCE), URL, br#"{"identifiers":[]}"#);
            let sound = Jws::parse(body.as_bytes()).unwrap();
            for _ in 0..1500 {
                check(&random.damage(body.as_bytes()), key, &sound);
            }
        }
    }
}

// T31
#[test]
fn a_damaged_header_or_payload_never_panics_and_never_verifies() {
    let mut random = Random(2);
    for key in &*KEYS {
        let header = format!(
            r#"{{"alg":"{}","jwk":{},"nonce":"{NONCE}","url":"{URL}"}}"#,
            key.algorithm(),
            key.jwk().to_json()
        );
        let [protected, payload, signature] = members(key, &header, br#"{"identifiers":[]}"#);
        let body = |protected: &str, payload: &str| {
            format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
        };
        let sound = Jws::parse(body(&protected, &payload).as_bytes()).unwrap();
        for _ in 0..2000 {
            let damaged = base64url::encode(random.damage(header.as_bytes()));
            check(body(&damaged, &payload).as_bytes(), key, &sound);
            let damaged = base64url::encode(random.damage(br#"{"identifiers":[]}"#));
            check(body(&protected, &damaged).as_bytes(), key, &sound);
        }
    }
}

fn check(body: &[u8], key: &SigningKey, sound: &Jws) {
    let Ok(jws) = Jws::parse(body) else { return };
    let verifier = key.jwk().verifier();
    if let Ok(payload) = jws.verify(&verifier) {
        assert_eq!(jws.header(), sound.header(), "{}", String::from_utf8_lossy(body));
        assert_eq!(payload, sound.verify(&verifier).unwrap());
    }
    let _ = jws.verify_self_signed();
}

#[test]
fn a_damaged_key_never_panics_and_is_written_as_it_is_read() {
    let mut random = Random(3);
    for key in &*KEYS {
        let (json, der) = (key.jwk().to_json(), key.jwk().to_spki_der());
        for _ in 0..2000 {
            let damaged = random.damage(json.as_bytes());
            let from_json = std::str::from_utf8(&damaged)
                .ok()
                .and_then(|json| Jwk::parse(json).ok());
            let damaged = random.damage(&der);
            let _ = Verifier::from_spki_der_lenient(&damaged);
            for jwk in from_json.into_iter().chain(Jwk::from_spki_der(&damaged).ok()) {
                assert_eq!(Jwk::parse(&jwk.to_json()).unwrap(), jwk);
                assert_eq!(Jwk::from_spki_der(&jwk.to_spki_der()).unwrap(), jwk);
            }
        }
        let pkcs8 = key.to_pkcs8_der();
        // Reading an RSA key checks its primes, which takes its time.
        for _ in 0..if key.algorithm() == Algorithm::Rs256 { 50 } else { 500 } {
            let _ = SigningKey::from_pkcs8_der(&random.damage(&pkcs8));
        }
    }
}
