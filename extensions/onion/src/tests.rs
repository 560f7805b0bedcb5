use std::sync::LazyLock;

use acme::{Identifier, OnionCaa, Problem, ProblemType};
use authority::{
    Registry,
    identifier::{Dns, Name, Target},
    model::{AccountId, Evidence, Observation},
    ports::{PreIssuance, Proven, ValidationRequest},
};
use jiff::Timestamp;
use jose::base64url;
use pkix::{
    ObjectIdentifier,
    csr::build_csr_with_attributes,
    key::KeyPair,
    name::{GeneralName, OnionAddress},
    oid::{APPLICANT_SIGNING_NONCE, CA_SIGNING_NONCE},
};
use serde_json::{Map, Value, json};

use super::*;

/// Two services, from fixed seeds, and what is not theirs.
static SERVICES: LazyLock<[KeyPair; 2]> = LazyLock::new(|| [[7; 32], [8; 32]].map(pair));
const NOW: i64 = 4_000_000_000;
const NONCE: [u8; 16] = [0xfb; 16];

fn pair(seed: [u8; 32]) -> KeyPair {
    let pkcs8 = [
        &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..],
        &seed,
    ]
    .concat();
    KeyPair::from_pkcs8_der(&pkcs8).unwrap()
}

fn address(pair: &KeyPair) -> OnionAddress {
    OnionAddress::of_key(pair.public_key().spki_der()[12..].try_into().unwrap())
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_identifier_type(Dns);
    let account_url = Arc::new(|AccountId(id)| format!("https://ca.example/acct/{id}"));
    let clock: Clock = Arc::new(|| Timestamp::from_second(NOW).unwrap());
    register(&mut registry, vec!["ca.example".to_owned()], account_url, clock);
    registry
}

fn admit(value: &str) -> Result<Name, Problem> {
    registry().admit(&Identifier::dns(value))
}

// 9799-2-1, 9799-3.1-1
#[test]
fn a_service_and_its_subdomains_are_names_with_one_method_and_nothing_to_dial() {
    let service = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion";
    let registry = registry();
    for value in [
        service.to_owned(),
        format!("*.{service}"),
        format!("www.{service}"),
        format!("*.A.b.{service}").to_ascii_uppercase(),
    ] {
        let name = admit(&value).unwrap();
        assert_eq!(name.identifier().value, value.to_ascii_lowercase());
        assert_eq!(
            (name.is_wildcard(), name.target()),
            (value.starts_with('*'), &Target::None)
        );
        let methods: Vec<_> = registry.methods_for(&name).map(|method| method.name()).collect();
        assert_eq!(methods, ["onion-csr-01"]);
        let place = registry.to_general_name(&name).unwrap();
        assert_eq!(place, GeneralName::Dns(name.identifier().value.clone()));
        assert_eq!(registry.read_general_name(&place), Some(Ok(name.clone())));
        assert_eq!(registry.read_common_name(&value), Some(Ok(name)));
    }
    let elsewhere = admit("www.example.org").unwrap();
    assert_eq!(elsewhere.target(), &Target::Host("www.example.org".into()));
    assert_eq!(registry.methods_for(&elsewhere).count(), 0);
}

// 9799-2-1
#[test]
fn what_is_below_onion_and_no_service_of_version_3_is_refused() {
    let mistyped = "euckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion";
    for (value, kind, why) in [
        ("expyuzz4wqqyqhjn.onion", ProblemType::RejectedIdentifier, "version 2"),
        (
            "www.expyuzz4wqqyqhjn.onion",
            ProblemType::RejectedIdentifier,
            "version 2",
        ),
        (mistyped, ProblemType::Malformed, "checksum"),
        ("onion", ProblemType::Malformed, "nothing"),
        ("example.onion", ProblemType::Malformed, "7 characters"),
        ("*.onion", ProblemType::Malformed, "nothing"),
    ] {
        let problem = admit(value).unwrap_err();
        assert_eq!(problem.kind, kind, "{value}");
        assert!(
            problem.detail.contains(why) && problem.detail.contains(value),
            "{problem}"
        );
        let in_csr = registry().read_general_name(&GeneralName::Dns(value.into()));
        assert!(in_csr.unwrap().is_err(), "{value}");
    }
}

// 9799-3.2-1
#[test]
fn a_challenge_shows_its_token_s_octets_as_a_nonce() {
    let registry = registry();
    let method = registry.method("onion-csr-01").unwrap();
    assert!(method.has_token());
    let (member, nonce) = method.instead_of_token(&base64url::encode(NONCE)).unwrap();
    assert_eq!((member, nonce), ("nonce", json!("+/v7+/v7+/v7+/v7+/v7+w==")));
    assert_eq!(
        method.members(&admit(&address(&SERVICES[0]).to_string()).unwrap(), ""),
        Map::new()
    );
}

fn csr(key: &KeyPair, attributes: &[(ObjectIdentifier, &[u8])]) -> Vec<u8> {
    build_csr_with_attributes(key.public_key(), attributes, |info| key.sign(info)).unwrap()
}

fn right() -> Vec<u8> {
    csr(
        &SERVICES[0],
        &[(CA_SIGNING_NONCE, &NONCE), (APPLICANT_SIGNING_NONCE, &[1; 8])],
    )
}

// 9799-3.2-3
#[tokio::test]
async fn only_the_service_s_own_request_with_both_nonces_proves_it() {
    use ProblemType::{BadCsr, IncorrectResponse, Unauthorized};
    let service = address(&SERVICES[0]);
    let nonce = (CA_SIGNING_NONCE, &NONCE[..]);
    let own = (APPLICANT_SIGNING_NONCE, &[1; 8][..]);
    let mut forged = right();
    *forged.last_mut().unwrap() ^= 1;
    let mut twice = right();
    twice.extend_from_slice(&right());
    for (der, kind) in [
        (right(), None),
        (csr(&SERVICES[0], &[nonce, (APPLICANT_SIGNING_NONCE, &[1; 64])]), None),
        (csr(&SERVICES[1], &[nonce, own]), Some(Unauthorized)),
        (csr(&KeyPair::generate_p256(), &[nonce, own]), Some(Unauthorized)),
        (forged, Some(Unauthorized)),
        (csr(&SERVICES[0], &[own]), Some(IncorrectResponse)),
        (csr(&SERVICES[0], &[nonce]), Some(IncorrectResponse)),
        (
            csr(&SERVICES[0], &[(CA_SIGNING_NONCE, b"+/v7+/v7+/v7+/v7+/v7+w=="), own]),
            Some(IncorrectResponse),
        ),
        (
            csr(&SERVICES[0], &[(CA_SIGNING_NONCE, &NONCE[..15]), own]),
            Some(IncorrectResponse),
        ),
        (
            csr(&SERVICES[0], &[(CA_SIGNING_NONCE, b""), own]),
            Some(IncorrectResponse),
        ),
        (
            csr(&SERVICES[0], &[nonce, (APPLICANT_SIGNING_NONCE, &[1; 7])]),
            Some(IncorrectResponse),
        ),
        (b"\x30\x00".to_vec(), Some(BadCsr)),
        (twice, Some(BadCsr)),
        (Vec::new(), Some(BadCsr)),
    ] {
        let verdict = judge(&der, &service, &NONCE).map_err(|failure| {
            assert!(!failure.transient);
            failure.kind
        });
        assert_eq!(verdict.err(), kind, "{}", base64url::encode(&der));
        // As the authority asks, for the name itself and a wildcard below it; what was seen is kept either way.
        for name in [service.to_string(), format!("*.www.{service}")] {
            let registry = registry();
            let report = registry
                .method("onion-csr-01")
                .unwrap()
                .validate(ValidationRequest {
                    account: AccountId(1),
                    name: admit(&name).unwrap(),
                    token: base64url::encode(NONCE),
                    key_authorization: acme::KeyAuthorization::new("", &jose::Thumbprint::from([7; 32])),
                    response: Some(base64url::encode(&der).into()),
                    code: None,
                })
                .await;
            assert_eq!(report.verdict.map_err(|problem| problem.kind).err(), kind);
            let [Observation::Document { what, sha256, .. }] = &report.evidence.observations[..] else {
                panic!("one document");
            };
            assert!(what.contains(&service.to_string()) && sha256.len() == 64);
        }
    }
}

// 9799-3.2-3: what the CSR says of names is not looked at, and it is one form of several.
#[test]
fn the_names_of_the_request_say_nothing_and_an_attribute_is_there_once() {
    let service = address(&SERVICES[0]);
    let value = |octets: &[u8]| [&[4, octets.len() as u8][..], octets].concat();
    let attribute = |kind: u8, values: &[Vec<u8>]| {
        let oid = [0x06, 0x04, 0x67, 0x81, 0x0c, kind];
        let values = values.concat();
        let set = [&[0x31, values.len() as u8][..], &values].concat();
        [&[0x30, (oid.len() + set.len()) as u8][..], &oid, &set].concat()
    };
    let request = |subject: &[u8], mut attributes: Vec<Vec<u8>>| {
        attributes.sort();
        let key = &SERVICES[0];
        let attributes = attributes.concat();
        let body = [
            &[2, 1, 0][..],
            subject,
            key.public_key().spki_der(),
            &[0xa0, attributes.len() as u8],
            &attributes,
        ]
        .concat();
        let sequence = |content: &[u8]| match content.len() {
            short @ ..128 => [&[0x30, short as u8][..], content].concat(),
            long => [&[0x30, 0x81, long as u8][..], content].concat(),
        };
        let info = sequence(&body);
        let signature = [&[3, 65, 0][..], &key.sign(&info)].concat();
        sequence(&[&info[..], &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70], &signature].concat())
    };
    let (nonce, own) = (attribute(41, &[value(&NONCE)]), attribute(42, &[value(&[1; 8])]));
    let empty = [0x30, 0];
    // CN=a
    let common_name = b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";
    assert_eq!(request(&empty, vec![nonce.clone(), own.clone()]), right());
    let proves = |der: Vec<u8>| judge(&der, &service, &NONCE).map_err(|failure| failure.kind);
    assert_eq!(proves(request(common_name, vec![nonce.clone(), own.clone()])), Ok(()));
    for twice in [
        vec![nonce.clone(), nonce.clone(), own.clone()],
        vec![attribute(41, &[value(&[0; 16]), value(&NONCE)]), own.clone()],
        vec![attribute(41, &[]), own.clone()],
        vec![attribute(41, &[[&[12, 16][..], &[b'a'; 16]].concat()]), own],
    ] {
        assert!(proves(request(&empty, twice)).is_err());
    }
}

// 9799-3.2-1
#[test]
fn a_response_without_a_request_is_malformed_and_changes_nothing() {
    let registry = registry();
    let method = registry.method("onion-csr-01").unwrap();
    let take = |payload: Value| method.take_response(payload.as_object().unwrap());
    assert_eq!(take(json!({"csr": "AQID", "more": 1})), Ok(Some(json!("AQID"))));
    for wrong in [
        json!({}),
        json!({"csr": null}),
        json!({"csr": 7}),
        json!({"csr": "AQ=="}),
        json!({"csr": "A+/D"}),
        json!({"csr": "A".repeat(9000)}),
    ] {
        assert!(take(wrong.clone()).unwrap_err().contains("csr"), "{wrong}");
    }
}

fn set(key: &KeyPair, caa: Option<&str>, expiry: u64) -> Value {
    let signature = key.sign(OnionCaa::signed_text(expiry, caa).as_bytes());
    json!(OnionCaa {
        caa: caa.map(str::to_owned),
        expiry,
        signature: base64url::encode(signature)
    })
}

fn check(names: &[String], members: Value, spki_der: &[u8]) -> Result<Vec<Evidence>, Problem> {
    let names: Vec<_> = names.iter().map(|name| admit(name).unwrap()).collect();
    let proven: Vec<_> = names
        .iter()
        .map(|name| Proven {
            name,
            method: "onion-csr-01",
            validated: Timestamp::from_second(NOW).unwrap(),
        })
        .collect();
    let registry = registry();
    let request = PreIssuance {
        account: AccountId(7),
        profile: "default",
        names: &proven,
        spki_der,
        members: members.as_object().unwrap(),
        now: Timestamp::from_second(NOW).unwrap(),
    };
    let [check] = registry.checks() else {
        panic!("one check")
    };
    let mut future = check.check(&request);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => panic!("nothing is waited for"),
    }
}

fn outcome(names: &[String], sets: Value) -> Result<Vec<Evidence>, ProblemType> {
    check(names, json!({"onionCAA": sets}), b"").map_err(|problem| problem.kind)
}

const LATER: u64 = NOW as u64 + 1;

// 9799-6.4.1-1, 9799-6.3-1: no set, no certificate, whatever a descriptor would say.
#[test]
fn without_a_set_for_every_service_nothing_is_issued() {
    let [one, two] = [&SERVICES[0], &SERVICES[1]].map(|key| address(key).to_string());
    let names = [format!("www.{one}"), two.clone()];
    for members in [json!({}), json!({"onionCAA": null})] {
        assert_eq!(
            check(&names, members, b"").unwrap_err().kind,
            ProblemType::OnionCaaRequired
        );
    }
    let first = set(&SERVICES[0], None, LATER);
    assert_eq!(
        outcome(&names, json!({one.as_str(): first.clone()})),
        Err(ProblemType::OnionCaaRequired)
    );
    let both = json!({one.as_str(): first, two.as_str(): set(&SERVICES[1], None, LATER)});
    assert_eq!(outcome(&names, both).unwrap().len(), 1);
    // Names of the DNS need none, and nothing is asked about them here.
    assert_eq!(check(&["a.example".to_owned()], json!({}), b""), Ok(Vec::new()));
}

// 9799-6-1
#[test]
fn a_set_counts_when_its_service_signed_it_and_until_it_expires() {
    use ProblemType::{Caa, Malformed, OnionCaaRequired, Unauthorized};
    let name = address(&SERVICES[0]).to_string();
    let permits = "caa 128 issue \"ca.example;validationmethods=onion-csr-01\"\ncaa 0 iodef \"mailto:a@a.example\"\n";
    let with = |set: Value, member: &str, value: Value| {
        let mut set = set;
        set[member] = value;
        set
    };
    let right = set(&SERVICES[0], Some(permits), LATER);
    let padded = format!("{}==", right["signature"].as_str().unwrap());
    for (set, expected) in [
        (right.clone(), None),
        (with(right.clone(), "signature", json!(padded)), None),
        (set(&SERVICES[0], Some(permits), u64::MAX), None),
        (set(&SERVICES[0], None, LATER), None),
        (set(&SERVICES[0], Some(permits), NOW as u64), Some(OnionCaaRequired)),
        (set(&SERVICES[1], Some(permits), LATER), Some(Unauthorized)),
        (with(right.clone(), "expiry", json!(LATER + 1)), Some(Unauthorized)),
        (with(right.clone(), "caa", json!(null)), Some(Unauthorized)),
        (with(right.clone(), "signature", json!("")), Some(Unauthorized)),
        (with(right.clone(), "signature", json!("A+/=")), Some(Malformed)),
        (with(right.clone(), "expiry", json!(1.5)), Some(Malformed)),
        (json!({"expiry": LATER, "signature": "AA"}), Some(Malformed)),
        (json!("caa"), Some(Malformed)),
        (set(&SERVICES[0], Some("caa 0 issue"), LATER), Some(Caa)),
        (set(&SERVICES[0], Some("caa 0 issue \";\""), LATER), Some(Caa)),
        (
            set(&SERVICES[0], Some("caa 0 issue \"other.example\""), LATER),
            Some(Caa),
        ),
        (set(&SERVICES[0], Some("caa 128 tbs \"x\""), LATER), Some(Caa)),
        (
            set(
                &SERVICES[0],
                Some("caa 0 issue \"ca.example; validationmethods=http-01\""),
                LATER,
            ),
            Some(Caa),
        ),
        (
            set(
                &SERVICES[0],
                Some("caa 0 issue \"ca.example; accounturi=https://ca.example/acct/7\""),
                LATER,
            ),
            None,
        ),
        (
            set(
                &SERVICES[0],
                Some("caa 0 issue \"ca.example; accounturi=https://ca.example/acct/8\""),
                LATER,
            ),
            Some(Caa),
        ),
    ] {
        let verdict = outcome(std::slice::from_ref(&name), json!({name.as_str(): set.clone()}));
        assert_eq!(verdict.as_ref().err(), expected.as_ref(), "{set}");
        for evidence in verdict.into_iter().flatten() {
            assert!(matches!(&evidence.observations[..], [Observation::Document { .. }]));
        }
    }
}

// 9799-6-1: one set for all, under whichever of its names, and several sets all count.
#[test]
fn all_names_of_a_service_share_its_set() {
    let service = address(&SERVICES[0]);
    let of = |prefix: &str| format!("{prefix}{service}");
    let closed_to_wildcards = set(
        &SERVICES[0],
        Some("caa 0 issue \"ca.example\"\ncaa 0 issuewild \";\""),
        LATER,
    );
    for key in [of(""), of("www."), of("*."), of("").to_ascii_uppercase()] {
        let sets = json!({key.as_str(): closed_to_wildcards.clone()});
        for prefix in ["", "www.", "e.d."] {
            assert!(outcome(&[of(prefix)], sets.clone()).is_ok(), "{key} {prefix}");
        }
        let problem = check(&[of("www."), of("*.www.")], json!({"onionCAA": sets}), b"").unwrap_err();
        assert_eq!((problem.kind, problem.subproblems.len()), (ProblemType::Caa, 1));
        assert_eq!(problem.subproblems[0].identifier, Some(Identifier::dns(of("*.www."))));
    }
    let open = set(&SERVICES[0], None, LATER);
    let both = json!({of("").as_str(): open.clone(), of("www.").as_str(): closed_to_wildcards});
    assert_eq!(outcome(&[of("*.")], both), Err(ProblemType::Caa));
    // Nothing is looked for above a service or at another.
    let other = address(&SERVICES[1]).to_string();
    for elsewhere in ["onion", other.as_str(), "example.org", ""] {
        assert_eq!(
            outcome(&[of("")], json!({elsewhere: open.clone()})),
            Err(ProblemType::OnionCaaRequired)
        );
    }
}

// 9799-3.2-3
#[test]
fn the_service_s_own_key_is_not_certified() {
    let name = address(&SERVICES[0]).to_string();
    let sets = json!({"onionCAA": {name.as_str(): set(&SERVICES[0], None, LATER)}});
    let names = [format!("www.{name}")];
    let check = |key: &KeyPair| check(&names, sets.clone(), key.public_key().spki_der());
    let problem = check(&SERVICES[0]).unwrap_err();
    assert_eq!((problem.kind, problem.status), (ProblemType::BadCsr, Some(400)));
    assert!(check(&SERVICES[1]).is_ok());
}

// 9799-6.4.1-1
#[test]
fn the_directory_says_that_the_set_must_be_sent() {
    let mut meta = Map::new();
    describe(&mut meta);
    assert_eq!(meta, *json!({"inBandOnionCAARequired": true}).as_object().unwrap());
}

// 9799-6-1: the RFC's own example (§6.4.2), by a key that is not ours. Its signature was made before its records were given
// a domain for examples.
#[test]
fn the_signature_of_the_rfc_s_example_is_over_what_is_signed_here() {
    let service = "5anebu2glyc235wbbop3m2ukzlaptpkq333vdtdvcjpigyb7x2i2m2qd.onion";
    let service = OnionAddress::of_host(service).unwrap().unwrap();
    let caa = "caa 128 issue \"test.acmeforonions.org; validationmethods=onion-csr-01\"\n\
               caa 0 iodef \"mailto:example@example.com\"";
    let signature = "u_iP6JZ4JZBrzQUKH6lSrWejjRfeQmkTuehc0_FaaTNPAV0RVxpUz9r44DRdy6kgy0ofnx18KIhMrP7N1wpxAA";
    let signature = base64url::decode(signature).unwrap();
    let signed = OnionCaa::signed_text(1_697_210_719, Some(caa));
    assert_eq!(service.verify(signed.as_bytes(), &signature), Ok(()));
}
