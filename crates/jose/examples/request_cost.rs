//! What reading a request costs, accepted or refused: `cargo run --release --example request_cost`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use jose::{Algorithm, Jwk, Jws, KeyRef, MAX_BODY, SigningKey, Verifier, base64url, sign_flattened};

const URL: &str = "https://ca.example/acme/new-order";
const KID: &str = "https://ca.example/acme/account/1";
const NONCE: &str = "oFvnlFP1wIhRlYS2jTaXbA";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payload = br#"{"identifiers":[{"type":"dns","value":"www.example.org"},{"type":"dns","value":"example.org"}]}"#;
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm)?;
        let verifier = key.jwk().verifier();
        let by_kid = sign_flattened(&key, KeyRef::Kid(KID), Some(NONCE), URL, payload);
        let by_jwk = sign_flattened(&key, KeyRef::Jwk, Some(NONCE), URL, payload);
        let jws = Jws::parse(by_kid.as_bytes())?;
        let (message, signature) = (b"message", key.sign(b"message"));
        report(&format!("{algorithm} signature alone"), || {
            verifier.verify(message, &signature).is_ok()
        });
        report(&format!("{algorithm} verify"), || jws.verify(&verifier).is_ok());
        report(&format!("{algorithm} parse by kid"), || {
            Jws::parse(by_kid.as_bytes()).is_ok()
        });
        report(&format!("{algorithm} parse by jwk"), || {
            Jws::parse(by_jwk.as_bytes()).is_ok()
        });
        let (json, der) = (key.jwk().to_json(), key.jwk().to_spki_der());
        report(&format!("{algorithm} key from JSON"), || Jwk::parse(&json).is_ok());
        report(&format!("{algorithm} key from SPKI"), || {
            Verifier::from_spki_der_lenient(&der).is_ok()
        });
        report(&format!("{algorithm} thumbprint"), || {
            key.jwk().thumbprint().as_bytes()[0] < 255
        });
    }

    let header = |text: &str| {
        format!(
            r#"{{"protected":"{}","payload":"","signature":""}}"#,
            base64url::encode(text)
        )
    };
    let long = base64url::encode(vec![0xff; MAX_BODY / 2]);
    let crowd: String = (0..12_000).map(|n| format!("\"{n}\":0,")).collect();
    for (name, body) in [
        ("dots", ".".repeat(MAX_BODY)),
        ("brackets", "[".repeat(MAX_BODY)),
        (
            "a long unknown member",
            format!(r#"{{"x":"{}"}}"#, " ".repeat(MAX_BODY - 8)),
        ),
        (
            "escapes",
            format!(
                r#"{{"protected":"{}","payload":"","signature":""}}"#,
                "\\u0041".repeat(MAX_BODY / 7)
            ),
        ),
        ("quotes in a header", header(&"\"\\\"".repeat(30_000))),
        (
            "numbers in an array",
            format!(r#"{{"x":[{}1]}}"#, "1,".repeat(MAX_BODY / 2 - 8)),
        ),
        ("many members", format!(r#"{{{crowd}"x":0}}"#)),
        (
            "a huge RSA modulus",
            header(&format!(
                r#"{{"alg":"RS256","url":"u","jwk":{{"kty":"RSA","n":"{}","e":"AQAB"}}}}"#,
                &long[..60_000]
            )),
        ),
        (
            "a long payload without a header",
            format!(r#"{{"protected":"e30","payload":"{long}","signature":""}}"#),
        ),
    ] {
        report(name, || Jws::parse(body.as_bytes()).is_err());
    }
    Ok(())
}

/// Prints the shortest time in microseconds of some runs, as the others only measure what else the machine does.
#[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn report(name: &str, mut run: impl FnMut() -> bool) {
    let mut shortest = Duration::MAX;
    for _ in 0..300 {
        let start = Instant::now();
        let expected = black_box(run());
        shortest = shortest.min(start.elapsed());
        assert!(expected, "{name}");
    }
    println!("{name:36} {:9.2}", shortest.as_secs_f64() * 1e6);
}
