//! Reading and verifying messages.

use jose::{
    Algorithm, Jws, JwsError, KeyRef, KeyReference, KeyReferenceFault, Serialization, VerifyError, base64url,
    sign_flattened,
};

use super::{KEYS, KID, NONCE, URL, check_header, flattened, header, key, members};

fn parse(body: &str) -> Result<Jws, JwsError> {
    Jws::parse(body.as_bytes())
}

// 8555-6.2-6
#[test]
fn every_algorithm_signs_and_verifies_by_jwk_and_by_kid() {
    for key in &*KEYS {
        for reference in [KeyRef::Jwk, KeyRef::Kid(KID)] {
            let jws = parse(&sign_flattened(key, reference, Some(NONCE), URL, b"{}")).unwrap();
            assert_eq!(jws.verify(&key.jwk().verifier()).unwrap().as_bytes(), b"{}");
            assert_eq!(jws.verify_self_signed().is_some(), reference == KeyRef::Jwk);
            let header = jws.into_header();
            assert_eq!(header.alg, key.algorithm().as_str());
            assert_eq!((header.nonce.as_deref(), &*header.url), (Some(NONCE), URL));
            assert_eq!(
                header.key,
                match reference {
                    KeyRef::Jwk => KeyReference::Jwk(key.jwk().clone()),
                    KeyRef::Kid(kid) => KeyReference::Kid(kid.into()),
                }
            );
        }
    }
}

#[test]
fn an_empty_payload_is_a_post_as_get_and_an_empty_object_is_not() {
    let key = key(Algorithm::EdDsa);
    for (payload, is_empty) in [(&b""[..], true), (b"{}", false)] {
        let jws = parse(&sign_flattened(key, KeyRef::Kid(KID), Some(NONCE), URL, payload)).unwrap();
        assert_eq!(jws.verify(&key.jwk().verifier()).unwrap().is_empty(), is_empty);
    }
}

#[test]
fn a_message_within_a_message_needs_no_nonce() {
    let jws = parse(&sign_flattened(key(Algorithm::Es256), KeyRef::Jwk, None, URL, b"{}")).unwrap();
    assert_eq!(jws.header().nonce, None);
}

// 8555-6.2-1
#[test]
fn other_serializations_are_refused_by_name() {
    let [protected, payload, signature] = members(key(Algorithm::Es256), &header(Algorithm::Es256), b"{}");
    let compact = Err(JwsError::NotFlattened(Serialization::Compact));
    let general = Err(JwsError::NotFlattened(Serialization::General));
    for (body, expected) in [
        (format!("{protected}.{payload}.{signature}"), &compact),
        (format!("{protected}.{payload}.{signature}\r\n"), &compact),
        (format!("{protected}..{signature}"), &compact),
        (
            format!(
                r#"{{"payload":"{payload}","signatures":[{{"protected":"{protected}","signature":"{signature}"}}]}}"#
            ),
            &general,
        ),
        // Two signatures, of which one would do.
        (
            format!(r#"{{"payload":"{payload}","signatures":[],"protected":"{protected}","signature":"{signature}"}}"#),
            &general,
        ),
    ] {
        assert_eq!(parse(&body).map(|_| ()), *expected, "{body}");
    }
    for body in [
        "",
        "null",
        "\"a.b.c\"",
        "[]",
        "{}{}",
        "{\"payload\":\"\"",
        "a b.c",
        "\u{feff}{}",
    ] {
        assert_eq!(parse(body).unwrap_err(), JwsError::NotJson, "{body:?}");
    }
    assert_eq!(Jws::parse(b"{\"\xff\":1}").unwrap_err(), JwsError::NotJson);
}

// 8555-6.2-2
#[test]
fn an_unprotected_header_is_refused_even_an_empty_one() {
    let body = flattened(key(Algorithm::Es256), &header(Algorithm::Es256), b"{}");
    for unprotected in ["{}", "null", r#"{"kid":"x"}"#, "\"\""] {
        for body in [
            body.replacen('{', &format!("{{\"header\":{unprotected},"), 1),
            body.replacen('{', &format!("{{\"he\\u0061der\":{unprotected},"), 1),
        ] {
            assert_eq!(parse(&body).unwrap_err(), JwsError::UnprotectedHeader, "{body}");
        }
    }
}

// 8555-6.2-3
#[test]
fn each_member_must_be_there_and_be_a_string() {
    let [protected, payload, signature] = members(key(Algorithm::Es256), &header(Algorithm::Es256), b"{}");
    let all = [("protected", protected), ("payload", payload), ("signature", signature)];
    for (absent, _) in &all {
        let body = |value: Option<&str>| {
            let members = all.iter().filter_map(|(name, text)| match value {
                _ if name != absent => Some(format!(r#""{name}":"{text}""#)),
                Some(value) => Some(format!(r#""{name}":{value}"#)),
                None => None,
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        assert_eq!(parse(&body(None)).unwrap_err(), JwsError::MissingMember(absent));
        for value in ["null", "1", "{}", "[]", "true", r#""\ud800""#] {
            assert_eq!(
                parse(&body(Some(value))).unwrap_err(),
                JwsError::WrongType { member: absent },
                "{value}"
            );
        }
    }
}

// 8555-6.1-5, 8555-6.1-6
#[test]
fn what_is_not_base64url_is_refused_and_not_repaired() {
    let [protected, payload, signature] = members(key(Algorithm::Es256), &header(Algorithm::Es256), b"{\"a\":1}");
    for (member, text) in [
        ("protected", &protected),
        ("payload", &payload),
        ("signature", &signature),
    ] {
        for wrong in ["=", "==", "+", "/", " ", "\\n", "\\r\\n", "A.", "\u{e9}"] {
            let body = format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
            let body = body.replacen(&format!("\"{text}\""), &format!("\"{text}{wrong}\""), 1);
            assert_eq!(parse(&body).unwrap_err(), JwsError::BadBase64 { member }, "{wrong}");
        }
    }
}

// 8555-6.2-14
#[test]
fn no_member_may_occur_twice_and_unknown_ones_are_ignored() {
    let body = flattened(key(Algorithm::Es256), &header(Algorithm::Es256), b"{}");
    for extra in [
        r#""payload":"","#,
        r#""\u0070ayload":"","#,
        r#""signature":"","#,
        r#""x":1,"x":2,"#,
    ] {
        let error = parse(&body.replacen('{', &format!("{{{extra}"), 1)).unwrap_err();
        assert!(matches!(error, JwsError::DuplicateMember(_)), "{extra} {error}");
    }
    let jws = parse(&body.replacen('{', r#"{"resource":"new-reg","x":[{}],"#, 1)).unwrap();
    jws.verify(&key(Algorithm::Es256).jwk().verifier()).unwrap();
}

// 8555-6.2-4
#[test]
fn the_header_has_exactly_one_of_jwk_and_kid() {
    let jwk = key(Algorithm::Es256).jwk().to_json();
    let fault = |header: &str| check_header(header).map(|_| ()).unwrap_err();
    let both = JwsError::KeyReference(KeyReferenceFault::Both);
    assert_eq!(
        fault(&format!(r#"{{"alg":"ES256","jwk":{jwk},"kid":"{KID}","url":"{URL}"}}"#)),
        both
    );
    assert_eq!(
        fault(&format!(r#"{{"alg":"ES256","jwk":null,"kid":"{KID}","url":"{URL}"}}"#)),
        both
    );
    assert_eq!(
        fault(&format!(r#"{{"alg":"ES256","url":"{URL}"}}"#)),
        JwsError::KeyReference(KeyReferenceFault::None)
    );
    for wrong in ["null", "1", "\"{}\"", "[]"] {
        assert_eq!(
            fault(&format!(r#"{{"alg":"ES256","jwk":{wrong},"url":"{URL}"}}"#)),
            JwsError::WrongType { member: "jwk" }
        );
    }
    assert_eq!(
        fault(&format!(r#"{{"alg":"ES256","kid":{{}},"url":"{URL}"}}"#)),
        JwsError::WrongType { member: "kid" }
    );
}

// 8555-6.2-4, 8555-6.2-14
#[test]
fn header_members_that_are_missing_doubled_or_of_another_type_are_named() {
    for (header, error) in [
        (r#""alg""#, JwsError::HeaderNotJson),
        ("", JwsError::HeaderNotJson),
        ("{}", JwsError::MissingMember("alg")),
        (r#"{"alg":256}"#, JwsError::WrongType { member: "alg" }),
        (r#"{"alg":"ES256","kid":"k"}"#, JwsError::MissingMember("url")),
        (
            r#"{"alg":"ES256","kid":"k","url":null}"#,
            JwsError::WrongType { member: "url" },
        ),
        (
            r#"{"alg":"ES256","kid":"k","url":"u","nonce":null}"#,
            JwsError::WrongType { member: "nonce" },
        ),
        (
            r#"{"alg":"ES256","kid":"k","url":"u","url":"u"}"#,
            JwsError::DuplicateMember("url".into()),
        ),
        (
            r#"{"alg":"ES256","alg":"none","kid":"k","url":"u"}"#,
            JwsError::DuplicateMember("alg".into()),
        ),
        (
            r#"{"alg":"ES256","kid":"k","url":"u","x":1,"\u0078":1}"#,
            JwsError::DuplicateMember("x".into()),
        ),
    ] {
        assert_eq!(check_header(header).map(|_| ()).unwrap_err(), error, "{header}");
    }
}

// 8555-6.5-4
#[test]
fn a_nonce_that_is_not_base64url_is_malformed() {
    for nonce in ["a b=", "", "AA==", "A", "AB", "\\u0000"] {
        let header = format!(r#"{{"alg":"ES256","kid":"k","url":"u","nonce":"{nonce}"}}"#);
        assert_eq!(
            check_header(&header).map(|_| ()).unwrap_err(),
            JwsError::BadBase64 { member: "nonce" },
            "{nonce}"
        );
    }
}

// 8555-6.2-5, 8555-6.2-7
#[test]
fn an_unsupported_algorithm_is_what_is_reported_whatever_the_key_is() {
    for alg in [
        "none", "HS256", "RS1", "ES256K", "ES512", "PS256", "es256", "", "ES256 ",
    ] {
        for rest in [
            r#""kid":"k""#,
            r#""jwk":{"kty":"oct","k":"AA"}"#,
            r#""jwk":{"kty":"EC","crv":"P-521"}"#,
            r#""jwk":7"#,
            r#""crit":["b64"],"b64":false"#,
        ] {
            for header in [
                format!(r#"{{"alg":"{alg}",{rest},"url":"u"}}"#),
                format!(r#"{{{rest},"url":"u","alg":"{alg}"}}"#),
            ] {
                assert_eq!(
                    check_header(&header).map(|_| ()).unwrap_err(),
                    JwsError::UnsupportedAlgorithm(alg.into()),
                    "{header}"
                );
            }
        }
    }
}

// 8555-6.2-3, JOSE-3
#[test]
fn critical_extensions_and_unencoded_payloads_are_refused() {
    for (extra, error) in [
        (r#""crit":["b64"],"b64":false"#, JwsError::Crit),
        (r#""crit":[]"#, JwsError::Crit),
        (r#""crit":["alg"]"#, JwsError::Crit),
        (r#""crit":null"#, JwsError::Crit),
        (r#""b64":false"#, JwsError::B64),
        (r#""b64":true"#, JwsError::B64),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k","url":"u",{extra}}}"#);
        assert_eq!(check_header(&header).map(|_| ()).unwrap_err(), error, "{header}");
    }
}

// 8555-6.2-9, 8555-6.2-8
#[test]
fn the_algorithm_must_be_that_of_the_key() {
    for header_algorithm in Algorithm::ALL {
        for key in &*KEYS {
            let jws = parse(&flattened(key, &header(header_algorithm), b"{}")).unwrap();
            let verified = jws.verify(&key.jwk().verifier()).map(|_| ());
            if header_algorithm == key.algorithm() {
                assert_eq!(verified, Ok(()));
            } else {
                assert_eq!(
                    verified,
                    Err(VerifyError::AlgorithmMismatch {
                        header: header_algorithm,
                        key: key.algorithm()
                    })
                );
            }
        }
    }
}

// 8555-6.2-13
#[test]
fn an_ecdsa_signature_is_r_and_s_at_full_length() {
    for (algorithm, length) in [(Algorithm::Es256, 64), (Algorithm::Es384, 96)] {
        let key = key(algorithm);
        let [protected, payload, signature] = members(key, &header(algorithm), b"{}");
        let check = |signature: &[u8]| {
            let signature = base64url::encode(signature);
            let body = format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
            parse(&body).unwrap().verify(&key.jwk().verifier()).map(|_| ())
        };
        let signature = base64url::decode(&signature).unwrap();
        assert_eq!(check(&signature), Ok(()));
        let integer = |bytes: &[u8]| {
            let minimal = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
            let sign = if minimal[0] & 0x80 == 0 { &[][..] } else { &[0] };
            [&[0x02, (sign.len() + minimal.len()) as u8], sign, minimal].concat()
        };
        let (r, s) = signature.split_at(length / 2);
        let integers = [integer(r), integer(s)].concat();
        let der = [&[0x30, integers.len() as u8], &*integers].concat();
        for wrong in [
            &der[..],
            &signature[1..],
            &signature[..length - 1],
            &[&[0], &*signature].concat(),
            &[&*signature, &[0]].concat(),
            &[],
        ] {
            assert_eq!(
                check(wrong),
                Err(VerifyError::SignatureLength {
                    expected: length,
                    actual: wrong.len()
                })
            );
        }
        for wrong in [
            &vec![0; length],
            &vec![0xff; length],
            &[s, r].concat(),
            &[r, &vec![0; length / 2]].concat(),
        ] {
            assert_eq!(check(wrong), Err(VerifyError::Signature));
        }
    }
}

// 8555-6.2-14
#[test]
fn the_signature_is_over_what_was_received() {
    let key = key(Algorithm::EdDsa);
    let header = format!(
        " {{\n\t\"url\" : \"https:\\/\\/ca.ex\\u0061mple/\",\"typ\":\"x\", \"kid\":\"{KID}\" ,\"alg\":\"EdDSA\" }}\r\n"
    );
    let [protected, payload, signature] = members(key, &header, b" { } ");
    let jws = parse(&format!(
        "\n{{ \"signature\" : \"{signature}\", \"payload\":\"{payload}\",\t\"protected\":\"{protected}\" }} "
    ))
    .unwrap();
    assert_eq!(jws.verify(&key.jwk().verifier()).unwrap().as_bytes(), b" { } ");
    assert_eq!(jws.header().url, "https://ca.example/");
}

#[test]
fn another_header_payload_or_key_does_not_verify() {
    for key in &*KEYS {
        let [protected, payload, signature] = members(key, &header(key.algorithm()), b"{}");
        let other = base64url::encode(header(key.algorithm()).replace("new-order", "new-cert"));
        for (protected, payload) in [(&other, &*payload), (&protected, "e30K"), (&protected, "")] {
            let jws = parse(&format!(
                r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#
            ))
            .unwrap();
            assert_eq!(jws.verify(&key.jwk().verifier()), Err(VerifyError::Signature));
        }
        let jws = parse(&flattened(key, &header(key.algorithm()), b"{}")).unwrap();
        let stranger = jose::SigningKey::generate(key.algorithm()).unwrap();
        assert_eq!(jws.verify(&stranger.jwk().verifier()), Err(VerifyError::Signature));
    }
}
