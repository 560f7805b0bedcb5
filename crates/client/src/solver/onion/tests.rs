use aws_lc_rs::{
    digest::digest,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use jose::Thumbprint;
use pkix::csr::CertificateRequest;

use super::*;
use crate::challenge::Token;

/// Tor's file for a seed, from which ordinary software makes the same key.
fn file(seed: &[u8; 32]) -> Vec<u8> {
    let mut expanded = digest(&SHA512, seed).as_ref().to_vec();
    expanded[0] &= 0xf8;
    expanded[31] = expanded[31] & 0x7f | 0x40;
    [&HEADER[..], &expanded].concat()
}

fn service(caa: Option<&str>) -> (OnionService, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(KEY_FILE), file(&[7; 32])).unwrap();
    let caa = caa.map(|text| {
        let path = folder.path().join("caa");
        fs::write(&path, text).unwrap();
        path
    });
    (OnionService::open(folder.path(), caa).unwrap(), folder)
}

// 9799-3.2-2: RFC 8032's own test vectors, and signatures as other software makes them.
#[test]
fn an_expanded_key_signs_as_the_seed_it_was_made_from() {
    let vector = pkix::hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    let key = ServiceKey::from_file(&file(&vector.try_into().unwrap())).unwrap();
    assert_eq!(
        pkix::hex::encode(&key.public),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    assert_eq!(
        pkix::hex::encode(&key.sign(b"")),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24\
         655141438e7a100b"
    );
    for seed in 0..16_u8 {
        let (other, key) = (
            Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            ServiceKey::from_file(&file(&[seed; 32])).unwrap(),
        );
        assert_eq!(other.public_key().as_ref(), key.public);
        for message in [&b""[..], b"onion-caa|1|", &[seed; 1000]] {
            assert_eq!(other.sign(message).as_ref(), key.sign(message));
        }
    }
}

#[test]
fn what_is_not_tor_s_file_is_no_key() {
    let right = file(&[7; 32]);
    let mut unclamped = right.clone();
    unclamped[32] |= 1;
    let other_header = [&b"== ed25519v1-public: type0 ==\0\0\0"[..], &right[32..]].concat();
    for wrong in [
        &right[..95],
        &[&right[..], b"\n"].concat(),
        &unclamped,
        &other_header,
        b"",
    ] {
        assert!(matches!(ServiceKey::from_file(wrong), Err(ServiceKeyError::Form)));
    }
    let missing = OnionService::open(Path::new("/nonexistent"), None)
        .map(drop)
        .unwrap_err();
    assert!(
        missing.to_string().contains("/nonexistent/hs_ed25519_secret_key"),
        "{missing}"
    );
}

// 9799-3.2-2
#[test]
fn a_response_is_a_request_with_both_nonces_signed_by_the_service() {
    let (service, _folder) = service(None);
    let nonce = [0xfb; 8];
    let token = Token::new(&jose::base64url::encode(nonce)).unwrap();
    let name: Identifier = format!("*.{}", service.address).parse().unwrap();
    assert!(service.can_prove(&name));
    assert!(
        !service.can_prove(
            &"*.bbcweb3hytmzhn5d532owbu6oqadra5z3ar726vq5kgwwn6aucdccrad.onion"
                .parse()
                .unwrap()
        )
    );
    let proof = Proof::new(name, token, &Thumbprint::from([1; 32]));
    let request = || {
        let response = service.response(&proof);
        assert_eq!(response.keys().collect::<Vec<_>>(), ["csr"]);
        let der = jose::base64url::decode(response["csr"].as_str().unwrap()).unwrap();
        CertificateRequest::parse(&der).unwrap()
    };
    let csr = request();
    csr.verify_self_signature().unwrap();
    assert_eq!(csr.public_key().spki_der(), service.address.spki_der());
    assert_eq!(csr.octets_of_attribute(&CA_SIGNING_NONCE), Ok(Some(nonce.to_vec())));
    let own = csr.octets_of_attribute(&APPLICANT_SIGNING_NONCE).unwrap().unwrap();
    assert_eq!(own.len(), 16);
    assert_ne!(request().octets_of_attribute(&APPLICANT_SIGNING_NONCE), Ok(Some(own)));
}

// 9799-6-1, 9799-6.4.1-1
#[test]
fn the_set_is_signed_where_there_is_one_or_the_ca_wants_it() {
    let finalize = |service: &OnionService, meta: Value, name: &str| {
        let identifiers = [name.parse().unwrap()];
        let asked = Finalizing {
            identifiers: &identifiers,
            now: jiff::Timestamp::from_second(4_000_000_000).unwrap(),
            meta: meta.as_object().unwrap(),
        };
        let mut members = Map::new();
        service.add_to_finalize(&asked, &mut members).unwrap();
        members.remove("onionCAA")
    };
    let wanted = json!({"inBandOnionCAARequired": true});
    for text in [None, Some("caa 0 issue \"ca.example\"\n")] {
        let (service, _folder) = service(text);
        let name = format!("www.{}", service.address);
        let sets = finalize(&service, wanted.clone(), &name).unwrap();
        let set: OnionCaa = serde_json::from_value(sets[service.address.to_string()].clone()).unwrap();
        assert_eq!((set.caa.as_deref(), set.expiry), (text, 4_000_003_600));
        let signature = URL_SAFE.decode(&set.signature).unwrap();
        let signed = format!("onion-caa|4000003600|{}", text.unwrap_or_default());
        assert_eq!(service.address.verify(signed.as_bytes(), &signature), Ok(()));
        assert_eq!(finalize(&service, json!({}), &name).is_some(), text.is_some());
        assert_eq!(finalize(&service, wanted.clone(), "example.org"), None);
    }
}
