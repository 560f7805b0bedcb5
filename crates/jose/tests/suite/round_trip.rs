//! For all keys, addresses and payloads: what is signed is read and verified.

use jose::{Jwk, Jws, KeyRef, KeyReference, base64url, sign_flattened};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, prop_assert_eq, proptest},
};

use super::KEYS;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn what_is_signed_is_read_and_verified(
        nonce in vec(any::<u8>(), 1..40),
        kid in ".{0,60}",
        url in ".{0,60}",
        payload in vec(any::<u8>(), 0..400),
    ) {
        let nonce = base64url::encode(nonce);
        for key in &*KEYS {
            let body = sign_flattened(key, KeyRef::Kid(&kid), Some(&nonce), &url, &payload);
            let jws = Jws::parse(body.as_bytes()).unwrap();
            let verified = jws.verify(&key.jwk().verifier()).unwrap();
            prop_assert_eq!(verified.as_bytes(), &payload);
            let header = jws.into_header();
            prop_assert_eq!((&header.url, header.nonce.as_ref()), (&url, Some(&nonce)));
            prop_assert_eq!(header.key, KeyReference::Kid(kid.clone()));

            let jws = Jws::parse(sign_flattened(key, KeyRef::Jwk, None, &url, &payload).as_bytes()).unwrap();
            let verified = jws.verify_self_signed().unwrap().unwrap();
            prop_assert_eq!(verified.into_bytes(), payload.clone());
            prop_assert_eq!(jws.into_header().key, KeyReference::Jwk(Jwk::parse(&key.jwk().to_json()).unwrap()));
        }
    }

    #[test]
    fn any_bytes_have_one_text(bytes in vec(any::<u8>(), 0..100), text in "[A-Za-z0-9_=-]{0,12}") {
        prop_assert_eq!(base64url::decode(&base64url::encode(&bytes)).unwrap(), bytes);
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(bytes), text);
        }
    }
}
