//! Public keys as JSON.

use std::collections::HashSet;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use jose::{Algorithm, Jwk, JwkError, KeyReference, MalformedJwk, RSA_BITS, SigningKey, base64url};

use super::{check_header, key};

const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn ec(crv: &str, x: impl AsRef<[u8]>, y: impl AsRef<[u8]>) -> String {
    format!(
        r#"{{"kty":"EC","crv":"{crv}","x":"{}","y":"{}"}}"#,
        base64url::encode(x),
        base64url::encode(y)
    )
}

fn rsa(n: impl AsRef<[u8]>, e: impl AsRef<[u8]>) -> String {
    format!(
        r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#,
        base64url::encode(n),
        base64url::encode(e)
    )
}

fn ed25519(x: impl AsRef<[u8]>) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(x))
}

/// An odd number of this many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut n = vec![0xa5; bits.div_ceil(8)];
    n[0] = match bits % 8 {
        0 => 0x80,
        rest => 1 << (rest - 1),
    };
    n
}

fn refusal(json: &str) -> JwkError {
    Jwk::parse(json).unwrap_err()
}

fn malformed(json: &str) -> MalformedJwk {
    match refusal(json) {
        error @ JwkError::Malformed(_) if !error.is_malformed() => panic!("{error}"),
        JwkError::Malformed(what) => what,
        error => panic!("{json}: {error}"),
    }
}

// 8555-8.1-2: computed with a second implementation.
#[test]
fn coordinates_keep_their_leading_zeros() {
    for (jwk, thumbprint) in [
        (
            r#"{"crv":"P-256","kty":"EC","x":"AAA_XxeKoHBsQjHrblSVqhZCxbiplBJ8iUZfIplKQvk","y":"wkizN1mfDC8pdy4lbx1VScibqeVzE4LNHjzAnRDQC1U"}"#,
            "9oVmNy1iPvNhFhbYMkSE3kr6qIlLCyl9OltQnrN6QJE",
        ),
        (
            r#"{"crv":"P-256","kty":"EC","x":"mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0","y":"ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc"}"#,
            "WZsjbh58q8kl1WsGShqtiycImZtCgGbukDn4RAacMig",
        ),
        (
            r#"{"crv":"P-384","kty":"EC","x":"AE0QSybuVnH3LBDJhoQdPmXSheJRYWG3uqNBsSYxueMrbw1YlthDHFHV2To3y8kO","y":"8RoeP4t7kFOO5CzADuk0puLuJVQWB9j7ZceosR4viGhTiG7vOGXskzIAufJVmfKf"}"#,
            "3zGgfCTYC-l6UH4_4PwByXaVX5czHdwQ2j1LDWQQiD0",
        ),
        (
            r#"{"crv":"P-384","kty":"EC","x":"0DqnSPX0jrPgxUtoPyXS4tfX4yASgqlbV6Wf-4-Uz0xDsRB8qUS5IRw1ERLeFu0Y","y":"AAoIxgLcXgAx2tCIwZMF9rJSorw_JF96W4C0hMe5n2mBwyN0xxSnaDJV9TMfZrsG"}"#,
            "eHlvCJwnS4D8Ed9sbbTuEHD0Ln22xw8bQ-OvMdNm-JI",
        ),
    ] {
        let key = Jwk::parse(jwk).unwrap();
        assert_eq!(key.to_json(), jwk);
        assert_eq!(key.thumbprint().to_string(), thumbprint);
        assert_eq!(Jwk::from_spki_der(&key.to_spki_der()).unwrap(), key);
    }
}

// 8555-8.1-2
#[test]
fn coordinates_without_their_leading_zeros_or_with_more_are_refused() {
    let x = base64url::decode("AAA_XxeKoHBsQjHrblSVqhZCxbiplBJ8iUZfIplKQvk").unwrap();
    let y = base64url::decode("wkizN1mfDC8pdy4lbx1VScibqeVzE4LNHjzAnRDQC1U").unwrap();
    assert_eq!(
        malformed(&ec("P-256", &x[2..], &y)),
        MalformedJwk::Length {
            member: "x",
            expected: 32,
            actual: 30
        }
    );
    let longer = [&[0], &y[..]].concat();
    assert_eq!(
        malformed(&ec("P-256", &x, longer)),
        MalformedJwk::Length {
            member: "y",
            expected: 32,
            actual: 33
        }
    );
    assert_eq!(
        malformed(&ec("P-384", &x, &y)),
        MalformedJwk::Length {
            member: "x",
            expected: 48,
            actual: 32
        }
    );
    assert_eq!(
        malformed(&ed25519([1; 31])),
        MalformedJwk::Length {
            member: "x",
            expected: 32,
            actual: 31
        }
    );
}

// JOSE-4
#[test]
fn a_key_is_the_same_key_however_it_is_written() {
    let keys = [
        Jwk::parse(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}"#)).unwrap(),
        Jwk::parse(&format!(r#" {{ "y" : "{Y}" , "use":"sig","x":"{X}","alg":"ES256","kid":"mine","crv":"P-256",  "\u006bty":"E\u0043","x5c":[{{"d":1}}] }}"#)).unwrap(),
    ];
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[0].thumbprint(), keys[1].thumbprint());
    assert_eq!(HashSet::from(keys).len(), 1);
    assert_ne!(
        key(Algorithm::Es256).jwk(),
        SigningKey::generate(Algorithm::Es256).unwrap().jwk()
    );
}

#[test]
fn a_key_within_other_json_is_read_and_written_as_an_object() {
    let jwk = key(Algorithm::Es384).jwk();
    let json = serde_json::to_string(&[jwk]).unwrap();
    assert_eq!(json, format!("[{}]", jwk.to_json()));
    assert_eq!(serde_json::from_str::<[Jwk; 1]>(&json).unwrap()[0], *jwk);
    assert_eq!(
        serde_json::from_value::<Jwk>(serde_json::to_value(jwk).unwrap()).unwrap(),
        *jwk
    );
    let error = serde_json::from_str::<Vec<Jwk>>(r#"[{"kty":"oct","k":"AA"}]"#).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(r#"keys of the type "oct" are not supported"#),
        "{error}"
    );
}

// 8555-6.2-9
#[test]
fn a_private_key_is_refused_and_not_called_malformed() {
    for (member, value) in [
        ("d", r#""AA""#),
        ("d", "null"),
        ("p", r#""AA""#),
        ("q", "1"),
        ("dp", "1"),
        ("dq", "1"),
        ("qi", "1"),
        ("oth", "[]"),
        ("k", r#""AA""#),
    ] {
        let error = refusal(&format!(
            r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","{member}":{value}}}"#
        ));
        assert_eq!(error, JwkError::PrivateMember(member));
        assert!(!error.is_malformed());
    }
}

// JOSE-2, 8555-6.2-8, T31
#[test]
fn unknown_types_and_curves_are_refused() {
    for kty in ["oct", "ec", "RSA ", "AKP", "", "\u{1f511}"] {
        let error = refusal(&format!(r#"{{"kty":"{kty}","k":"AA"}}"#));
        assert_eq!(error, JwkError::UnsupportedKeyType(kty.into()));
        assert!(!error.is_malformed());
    }
    for crv in ["P-521", "secp256k1", "P-192", "P-224", "p-256", "Ed25519", "BP-256", ""] {
        let json = format!(r#"{{"kty":"EC","crv":"{crv}","x":"{X}","y":"{Y}"}}"#);
        assert_eq!(refusal(&json), JwkError::UnsupportedCurve(crv.into()));
    }
    for crv in ["Ed448", "X25519", "X448", "P-256"] {
        let json = format!(r#"{{"kty":"OKP","crv":"{crv}","x":"{X}"}}"#);
        assert_eq!(refusal(&json), JwkError::UnsupportedCurve(crv.into()));
    }
}

#[test]
fn what_is_shown_of_a_name_is_short() {
    assert_eq!(
        refusal(&format!(r#"{{"kty":"{}"}}"#, "\u{e9}".repeat(50_000))),
        JwkError::UnsupportedKeyType("\u{e9}".repeat(40))
    );
}

// JOSE-2, 8555-6.2-8
#[test]
fn points_that_are_not_on_the_curve_are_refused() {
    let (x, y) = (base64url::decode(X).unwrap(), base64url::decode(Y).unwrap());
    // The field's prime, which is zero to whoever reduces; 2^256 - 2^224 + 2^192 + 2^96 - 1.
    let prime = base64url::decode("_____wAAAAEAAAAAAAAAAAAAAAD_______________8").unwrap();
    for (x, y) in [
        (&y, &x),
        (&x, &x),
        (&vec![0; 32], &vec![0; 32]),
        (&x, &vec![0; 32]),
        (&prime, &y),
        (&vec![0xff; 32], &y),
    ] {
        let error = refusal(&ec("P-256", x, y));
        assert_eq!(error, JwkError::NotOnCurve);
        assert!(!error.is_malformed());
    }
    assert_eq!(refusal(&ec("P-384", [7; 48], [9; 48])), JwkError::NotOnCurve);
}

#[test]
fn a_point_of_small_order_is_refused_because_anybody_can_sign_for_it() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let forged = [neutral, [0; 32]].concat();
    assert!(
        UnparsedPublicKey::new(&ED25519, neutral)
            .verify(b"anything", &forged)
            .is_ok()
    );
    assert_eq!(refusal(&ed25519(neutral)), JwkError::SmallOrder);

    let order_8 = "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU";
    let mut same_with_sign = base64url::decode(order_8).unwrap();
    same_with_sign[31] |= 0x80;
    let mut order_2 = [0xff; 32];
    (order_2[0], order_2[31]) = (0xec, 0x7f);
    for point in [
        vec![0; 32],
        base64url::decode(order_8).unwrap(),
        same_with_sign,
        order_2.to_vec(),
    ] {
        assert_eq!(refusal(&ed25519(point)), JwkError::SmallOrder);
    }
}

// JOSE-2, 8555-6.2-8, T31
#[test]
fn rsa_keys_of_other_sizes_are_refused() {
    for bits in [2048, 2049, 2056, 3072, 4095, 4096] {
        assert!(RSA_BITS.contains(&bits));
        assert_eq!(
            Jwk::parse(&rsa(modulus(bits), [1, 0, 1])).unwrap().algorithm(),
            Algorithm::Rs256
        );
    }
    for bits in [8, 512, 1024, 2040, 2047, 4097, 8192, 16384, 400_000] {
        let error = refusal(&rsa(modulus(bits), [1, 0, 1]));
        assert_eq!(error, JwkError::RsaSize { bits });
        assert!(!error.is_malformed());
    }
}

// JOSE-2, T31
#[test]
fn even_small_and_huge_rsa_numbers_are_refused() {
    let n = modulus(2048);
    let mut even = n.clone();
    even[255] = 0xfe;
    assert_eq!(refusal(&rsa(even, [1, 0, 1])), JwkError::RsaModulus);
    for e in [&[3][..], &[5], &[1, 0, 1], &[0xff; 4]] {
        Jwk::parse(&rsa(&n, e)).unwrap();
    }
    for e in [
        &[1][..],
        &[2],
        &[1, 0, 0],
        &[1, 0, 0, 0, 1],
        &[0xff; 256],
        &n,
        &[0x7f; 40_000],
    ] {
        assert_eq!(refusal(&rsa(&n, e)), JwkError::RsaExponent);
    }
}

// 8555-8.1-2
#[test]
fn rsa_numbers_have_no_leading_zeros() {
    let n = modulus(2048);
    for (n, e, member) in [
        ([&[0], &n[..]].concat(), vec![1, 0, 1], "n"),
        (n.clone(), vec![0, 1, 0, 1], "e"),
        (n.clone(), vec![0], "e"),
        (n.clone(), vec![], "e"),
        (vec![], vec![1, 0, 1], "n"),
    ] {
        assert_eq!(malformed(&rsa(n, e)), MalformedJwk::LeadingZero(member));
    }
}

#[test]
fn members_that_are_missing_doubled_or_of_another_type_are_named() {
    for (json, what) in [
        ("[]".to_owned(), MalformedJwk::NotAnObject),
        ("{".to_owned(), MalformedJwk::NotAnObject),
        ("{}".to_owned(), MalformedJwk::MissingMember("kty")),
        (r#"{"kty":null}"#.to_owned(), MalformedJwk::WrongType("kty")),
        (r#"{"kty":"EC"}"#.to_owned(), MalformedJwk::MissingMember("crv")),
        (r#"{"kty":"OKP"}"#.to_owned(), MalformedJwk::MissingMember("crv")),
        (
            r#"{"kty":"RSA","e":"AQAB"}"#.to_owned(),
            MalformedJwk::MissingMember("n"),
        ),
        (
            r#"{"kty":"RSA","n":65537,"e":"AQAB"}"#.to_owned(),
            MalformedJwk::WrongType("n"),
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#),
            MalformedJwk::MissingMember("y"),
        ),
        (
            format!(r#"{{"kty":"EC","crv":["P-256"],"x":"{X}","y":"{Y}"}}"#),
            MalformedJwk::WrongType("crv"),
        ),
        (
            format!(r#"{{"kty":"EC","kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}"#),
            MalformedJwk::DuplicateMember("kty".into()),
        ),
        (
            format!(r#"{{"kty":"EC","use":1,"use":1,"crv":"P-256","x":"{X}","y":"{Y}"}}"#),
            MalformedJwk::DuplicateMember("use".into()),
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}=","y":"{Y}"}}"#),
            MalformedJwk::BadBase64 {
                member: "x",
                error: base64url::Base64UrlError::Padding,
            },
        ),
        (
            format!(r#"{{"kty":"EC","x":{}}}"#, "[".repeat(50_000)),
            MalformedJwk::TooDeep,
        ),
    ] {
        assert_eq!(malformed(&json), what, "{json:.80}");
    }
}

#[test]
fn a_key_in_a_header_is_the_key() {
    let jwk = key(Algorithm::Es256).jwk();
    let jws = check_header(&format!(
        r#"{{"alg":"ES256","jwk":{},"url":"https://ca.example/"}}"#,
        jwk.to_json()
    ))
    .unwrap();
    assert_eq!(jws.header().key, KeyReference::Jwk(jwk.clone()));
}
