//! T31: messages that are made to cost, or to be taken for something else.

use jose::{Algorithm, Jws, JwsError, MAX_BODY, Serialization};

use super::{check_header, flattened, header, key};

fn refusal(body: impl AsRef<[u8]>) -> JwsError {
    Jws::parse(body.as_ref()).map(|_| ()).unwrap_err()
}

// 8555-6.2-15
#[test]
fn t31_a_body_is_refused_for_its_size_before_it_is_looked_at() {
    assert_eq!(refusal(vec![b'{'; MAX_BODY + 1]), JwsError::TooLarge);
    assert_eq!(refusal(vec![0xff; 1 << 20]), JwsError::TooLarge);
    let body = flattened(key(Algorithm::Es256), &header(Algorithm::Es256), b"{}");
    let padded = |length: usize| format!("{body}{}", " ".repeat(length - body.len()));
    assert!(Jws::parse(padded(MAX_BODY).as_bytes()).is_ok());
    assert_eq!(refusal(padded(MAX_BODY + 1)), JwsError::TooLarge);
}

// CVE-2025-27144
#[test]
fn t31_dots_are_not_split() {
    assert_eq!(
        refusal(".".repeat(MAX_BODY)),
        JwsError::NotFlattened(Serialization::Compact)
    );
    assert_eq!(
        refusal("a.".repeat(MAX_BODY / 2)),
        JwsError::NotFlattened(Serialization::Compact)
    );
    let dots = ".".repeat(MAX_BODY / 2);
    assert_eq!(
        refusal(format!(r#"{{"protected":"{dots}","payload":"","signature":""}}"#)),
        JwsError::BadBase64 { member: "protected" }
    );
}

#[test]
fn t31_deep_json_is_refused_in_the_body_the_header_and_the_key() {
    for open in ["[", "{\"a\":", "[{\"\":"] {
        let deep = open.repeat(40_000 / open.len());
        assert_eq!(refusal(&deep), JwsError::TooDeep);
        assert_eq!(refusal(format!("{{\"x\":{deep}")), JwsError::TooDeep);
        assert_eq!(
            check_header(&format!("{{\"jwk\":{deep}")).map(|_| ()).unwrap_err(),
            JwsError::TooDeep
        );
        assert_eq!(
            check_header(&format!("{{\"alg\":\"ES256\",\"jwk\":{{\"x\":{deep}"))
                .map(|_| ())
                .unwrap_err(),
            JwsError::TooDeep
        );
    }
}

#[test]
fn t31_crowds_of_members_are_refused() {
    let crowd: String = (0..10_000).map(|n| format!("\"{n}\":0,")).collect();
    assert_eq!(
        refusal(format!("{{{crowd}\"payload\":\"\"}}")),
        JwsError::TooManyMembers
    );
    let crowd = &crowd[..40_000];
    let crowd = &crowd[..crowd.rfind(',').unwrap()];
    assert_eq!(
        check_header(&format!("{{{crowd}}}")).map(|_| ()).unwrap_err(),
        JwsError::TooManyMembers
    );
}

#[test]
fn t31_long_strings_and_escapes_are_read_once() {
    let escapes = "\\u0041".repeat(MAX_BODY / 8);
    assert_eq!(
        refusal(format!(r#"{{"protected":"{escapes}"}}"#)),
        JwsError::MissingMember("payload")
    );
    assert_eq!(
        refusal(format!(r#"{{"{escapes}":1}}"#)),
        JwsError::MissingMember("protected")
    );
    assert_eq!(refusal(format!("{{\"{}", "\\".repeat(MAX_BODY - 2))), JwsError::NotJson);
    assert_eq!(
        refusal(format!("{{\"x\":1{}", "0".repeat(MAX_BODY - 6))),
        JwsError::NotJson
    );
}

// CVE-2023-29409
#[test]
fn t31_huge_rsa_numbers_are_refused_before_they_are_computed_with() {
    let number = "_".repeat(40_000);
    for jwk in [
        format!(r#"{{"kty":"RSA","n":"{number}","e":"AQAB"}}"#),
        format!(r#"{{"kty":"RSA","n":"{}","e":"{number}"}}"#, "_".repeat(344)),
    ] {
        let error = check_header(&format!(r#"{{"alg":"RS256","jwk":{jwk},"url":"u"}}"#))
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, JwsError::BadJwk(ref error) if !error.is_malformed()),
            "{error}"
        );
    }
}

// CVE-2024-28180: what is encrypted or compressed is not a JWS.
#[test]
fn t31_a_jwe_is_not_read() {
    assert_eq!(
        refusal(r#"{"protected":"e30","encrypted_key":"AA","iv":"AA","ciphertext":"AA","tag":"AA"}"#),
        JwsError::MissingMember("payload")
    );
    assert_eq!(
        check_header(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#)
            .map(|_| ())
            .unwrap_err(),
        JwsError::UnsupportedAlgorithm("dir".into())
    );
}
