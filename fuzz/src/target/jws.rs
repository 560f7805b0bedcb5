use jose::{Jwk, Jws, KeyReference, MAX_BODY, MacJws, Verifier, base64url};

/// Signed requests, their headers and their keys (INCIDENTS T31): a key that is read is written as it is read.
pub fn jws(data: &[u8]) {
    message(data);
    // Damage seldom gets through base64: the same octets as a header, inside a message.
    let header = base64url::encode(data);
    message(format!(r#"{{"protected":"{header}","payload":"e30","signature":"AA"}}"#).as_bytes());
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = Jwk::parse(text)
    {
        is_stable(&key);
    }
    if let Ok(key) = Jwk::from_spki_der(data) {
        is_stable(&key);
    }
    let _ = Verifier::from_spki_der_lenient(data);
}

fn message(body: &[u8]) {
    if let Ok(jws) = Jws::parse(body) {
        assert!(body.len() <= MAX_BODY, "a message of {} octets was read", body.len());
        let header = jws.header();
        match &header.key {
            KeyReference::Jwk(key) => is_stable(key),
            KeyReference::Kid(_) => assert!(jws.verify_self_signed().is_none()),
        }
        assert_eq!(header.alg, header.algorithm().to_string());
        if let Some(Ok(payload)) = jws.verify_self_signed()
            && let KeyReference::Jwk(key) = &header.key
        {
            assert_eq!(jws.verify(&key.verifier()), Ok(payload));
        }
    }
    if let Ok(mac) = MacJws::parse(body) {
        assert!(body.len() <= MAX_BODY);
        assert!(Jws::parse(body).is_err(), "a message is both signed and authenticated");
        let _ = mac.verify(b"a key that nobody has");
    }
}

fn is_stable(key: &Jwk) {
    let from_json = Jwk::parse(&key.to_json()).expect("what was written of a key is read");
    let from_der = Jwk::from_spki_der(&key.to_spki_der()).expect("what was written of a key is read");
    assert_eq!((&from_json, &from_der), (key, key));
    assert_eq!(from_json.thumbprint(), key.thumbprint());
}
