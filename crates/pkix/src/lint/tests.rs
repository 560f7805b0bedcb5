//! Every rule is shown to speak, alone, when what it forbids is done to a certificate that is otherwise right.

use super::*;
use crate::certificate::{NO_EXPIRATION, Serial, TbsCertificate};
use crate::extension::{self as ext, Extension, KeyUsage};
use crate::key::KeyPair;
use crate::name::{DistinguishedName, GeneralName};
use crate::{encoding, oid};

struct World {
    issuer: KeyPair,
    issuer_name: DistinguishedName,
    leaf: KeyPair,
}

impl World {
    fn new() -> Self {
        Self {
            issuer: KeyPair::generate_p256(),
            issuer_name: DistinguishedName::with_organization("Vidimus", "Issuing").unwrap(),
            leaf: KeyPair::generate_p256(),
        }
    }

    fn leaf(&self) -> TbsCertificate {
        let names = [
            GeneralName::Dns("example.org".into()),
            GeneralName::Dns("*.example.org".into()),
        ];
        self.tbs(
            &self.leaf,
            DistinguishedName::empty(),
            vec![
                ext::basic_constraints(false, None),
                ext::key_usage(KeyUsage::DIGITAL_SIGNATURE),
                ext::extended_key_usage(&[oid::SERVER_AUTH]),
                ext::subject_alternative_names(&names, true).unwrap(),
                ext::subject_key_identifier(&self.leaf.public_key().key_identifier()),
                ext::authority_key_identifier(&self.issuer.public_key().key_identifier()),
                ext::crl_distribution_points(&["http://crl.example.org/1.crl"]).unwrap(),
                ext::authority_info_access(Some("http://ca.example.org/1.cer"), None)
                    .unwrap()
                    .unwrap(),
                ext::certificate_policies(&["2.23.140.1.2.1".parse().unwrap()]),
            ],
        )
    }

    fn root(&self) -> TbsCertificate {
        self.tbs(
            &self.issuer,
            self.issuer_name.clone(),
            vec![
                ext::basic_constraints(true, None),
                ext::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN),
                ext::subject_key_identifier(&self.issuer.public_key().key_identifier()),
            ],
        )
    }

    fn tbs(&self, key: &KeyPair, subject: DistinguishedName, extensions: Vec<Extension>) -> TbsCertificate {
        TbsCertificate {
            serial: Serial::from_random([0; 16]),
            signature_algorithm: self.issuer.algorithm(),
            issuer: self.issuer_name.clone(),
            not_before: "2024-05-01T00:00:00Z".parse().unwrap(),
            not_after: "2024-07-29T23:59:59Z".parse().unwrap(),
            subject,
            public_key: key.public_key().clone(),
            extensions,
        }
    }

    fn findings(&self, der: &[u8], is_ca: bool) -> Vec<Finding> {
        lint(
            der,
            &LintContext {
                issuer_name_der: self.issuer_name.der(),
                issuer_key_identifier: &self.issuer.public_key().key_identifier(),
                issuer_not_after: "2034-05-01T00:00:00Z".parse().unwrap(),
                signature_algorithm: self.issuer.algorithm(),
                is_ca,
            },
        )
    }

    fn rules(&self, der: &[u8], is_ca: bool) -> Vec<&'static str> {
        self.findings(der, is_ca)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    /// What is found in a leaf that was changed.
    fn changed(&self, change: impl FnOnce(&mut TbsCertificate)) -> Vec<&'static str> {
        let mut tbs = self.leaf();
        change(&mut tbs);
        self.rules(&tbs.to_der(), false)
    }

    /// What is found in a leaf with this extension in the place of its own of that kind.
    fn with(&self, extension: Extension) -> Vec<&'static str> {
        self.changed(|tbs| put(tbs, extension))
    }

    fn with_name(&self, name: GeneralName) -> Vec<&'static str> {
        self.with(ext::subject_alternative_names(&[name], true).unwrap())
    }
}

fn put(tbs: &mut TbsCertificate, extension: Extension) {
    remove(tbs, extension.oid);
    tbs.extensions.push(extension);
}

fn remove(tbs: &mut TbsCertificate, oid: crate::ObjectIdentifier) {
    tbs.extensions.retain(|extension| extension.oid != oid);
}

/// The DER with its only occurrence of `old` replaced by octets of the same number.
fn patched(der: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let at = der.windows(old.len()).position(|window| window == old).unwrap();
    [&der[..at], new, &der[at + old.len()..]].concat()
}

#[test]
fn a_leaf_and_a_root_as_they_should_be_have_no_findings() {
    let world = World::new();
    assert_eq!(world.findings(&world.leaf().to_der(), false), []);
    assert_eq!(world.findings(&world.root().to_der(), true), []);
}

#[test]
fn keys_of_other_kinds_may_be_certified() {
    for leaf in [
        KeyPair::generate_p384(),
        KeyPair::generate_ed25519(),
        KeyPair::generate_rsa2048(),
    ] {
        let world = World { leaf, ..World::new() };
        assert_eq!(world.findings(&world.leaf().to_der(), false), []);
    }
}

#[test]
fn what_is_not_der_is_not_examined_further() {
    let world = World::new();
    let der = world.leaf().to_der();
    assert_eq!(world.rules(&der[..der.len() - 1], false), ["der"]);
    assert_eq!(world.rules(&[&der[..], &[0]].concat(), false), ["der"]);
    // basicConstraints' critical TRUE as a BER TRUE, and as a FALSE that is written out
    assert_eq!(
        world.rules(&patched(&der, b"\x1d\x13\x01\x01\xff", b"\x1d\x13\x01\x01\x01"), false),
        ["der"]
    );
    assert_eq!(
        world.rules(&patched(&der, b"\x1d\x13\x01\x01\xff", b"\x1d\x13\x01\x01\x00"), false),
        ["der"]
    );
}

#[test]
fn versions_other_than_3_are_found() {
    let world = World::new();
    let der = patched(&world.leaf().to_der(), &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);
    assert_eq!(world.rules(&der, false), ["version"]);
}

// T20, T26
#[test]
fn t20_serials_that_are_negative_zero_or_short_are_found() {
    let world = World::new();
    let der = world.leaf().to_der();
    let serial = Serial::from_random([0; 16]);
    let encoded = [&[2, 17], serial.der_content()].concat();
    let negative = [&[2, 17, 0x9f], &serial.der_content()[1..]].concat();
    assert_eq!(world.rules(&patched(&der, &encoded, &negative), false), ["serial"]);
    assert_eq!(
        world.changed(|tbs| tbs.serial = Serial::from_hex("00ffffffffffffff").unwrap()),
        ["serial"]
    );
    assert_eq!(
        world.changed(|tbs| tbs.serial = Serial::from_hex("8000000000000000").unwrap()),
        [""; 0]
    );
}

#[test]
fn another_algorithm_or_issuer_than_the_signing_one_is_found() {
    let world = World::new();
    assert_eq!(
        world.changed(|tbs| tbs.signature_algorithm = SignatureAlgorithm::EcdsaSha384),
        ["signature-algorithm"]
    );
    assert_eq!(
        world.changed(|tbs| tbs.issuer = DistinguishedName::with_common_name("X").unwrap()),
        ["issuer"]
    );
    assert_eq!(world.changed(|tbs| tbs.issuer = DistinguishedName::empty()), ["issuer"]);
}

// T19, T24
#[test]
fn t24_dates_out_of_order_or_beyond_the_issuers_are_found() {
    let world = World::new();
    assert_eq!(
        world.changed(|tbs| tbs.not_after = "2024-04-30T23:59:59Z".parse().unwrap()),
        ["date-order"]
    );
    assert_eq!(world.changed(|tbs| tbs.not_after = tbs.not_before), [""; 0]);
    assert_eq!(
        world.changed(|tbs| tbs.not_after = "2034-05-01T00:00:01Z".parse().unwrap()),
        ["issuer-outlived"]
    );
    assert_eq!(world.changed(|tbs| tbs.not_after = NO_EXPIRATION), ["issuer-outlived"]);
}

#[test]
fn a_generalized_time_before_2050_is_found() {
    let world = World::new();
    let mut tbs = world.leaf();
    tbs.not_after = "2060-01-01T00:00:00Z".parse().unwrap();
    let der = patched(&tbs.to_der(), b"20600101000000Z", b"20240601000000Z");
    assert_eq!(world.rules(&der, false), ["date-encoding"]);
}

// 5280-4.2-1
#[test]
fn alternative_names_are_critical_exactly_when_the_subject_is_empty() {
    let world = World::new();
    let names = [GeneralName::Dns("example.org".into())];
    let subject = DistinguishedName::with_common_name("example.org").unwrap();
    let critical = ext::subject_alternative_names(&names, true).unwrap();
    let other = ext::subject_alternative_names(&names, false).unwrap();
    assert_eq!(world.with(other.clone()), ["subject-alternative-name"]);
    assert_eq!(
        world.changed(|tbs| tbs.subject = subject.clone()),
        ["subject-alternative-name"]
    );
    let both = |extension: Extension| {
        world.changed(|tbs| {
            tbs.subject = subject.clone();
            put(tbs, extension);
        })
    };
    assert_eq!(both(critical), ["subject-alternative-name"]);
    assert_eq!(both(other), [""; 0]);
    assert_eq!(
        world.changed(|tbs| remove(tbs, oid::SUBJECT_ALTERNATIVE_NAME)),
        ["subject-alternative-name"]
    );
    let twice = [names[0].clone(), names[0].clone()];
    assert_eq!(
        world.with(ext::subject_alternative_names(&twice, true).unwrap()),
        ["subject-alternative-name"]
    );
}

// 5280-7-1
#[test]
fn names_against_their_grammar_are_found() {
    let world = World::new();
    assert_eq!(
        world.with_name(GeneralName::Ip("2001:db8::1".parse().unwrap())),
        [""; 0]
    );
    assert_eq!(
        world.with_name(GeneralName::srv("_imaps.example.net").unwrap()),
        [""; 0]
    );
    for name in [
        GeneralName::Dns("Example.org".into()),
        GeneralName::Dns("example.org.".into()),
        GeneralName::Dns("a.*.org".into()),
        GeneralName::Email("ann".into()),
        GeneralName::Uri("/relative".into()),
        GeneralName::srv("imaps.example.net").unwrap(),
        GeneralName::smtp_utf8_mailbox("ann@example.org").unwrap(),
        GeneralName::OtherName {
            oid: oid::SRV_NAME.to_string(),
            value_der: vec![0x0c, 1, b'a'],
        },
        GeneralName::Unknown {
            tag: 5,
            der: vec![0xa5, 0],
        },
    ] {
        assert_eq!(world.with_name(name.clone()), ["name-syntax"], "{name}");
    }
    let five_octets = Extension {
        oid: oid::SUBJECT_ALTERNATIVE_NAME,
        critical: true,
        value: b"\x30\x07\x87\x05abcde".into(),
    };
    assert_eq!(world.with(five_octets), ["extension-content"]);
}

// 5280-4.2-2, T26
#[test]
fn t26_a_common_name_that_adds_a_name_is_found() {
    let world = World::new();
    let names = [
        GeneralName::Dns("example.org".into()),
        GeneralName::Ip("192.0.2.1".parse().unwrap()),
    ];
    let with_subject = |subject: DistinguishedName| {
        world.changed(|tbs| {
            tbs.subject = subject;
            put(tbs, ext::subject_alternative_names(&names, false).unwrap());
        })
    };
    let common_name = |text: &str| DistinguishedName::with_common_name(text).unwrap();
    assert_eq!(with_subject(common_name("192.0.2.1")), [""; 0]);
    assert_eq!(with_subject(common_name("other.example")), ["common-name"]);
    assert_eq!(with_subject(common_name("Example.org")), ["common-name"]);
    let one = &common_name("example.org").der()[2..].to_vec();
    let two = [&[0x30, 2 * one.len() as u8][..], one, one].concat();
    assert_eq!(
        with_subject(DistinguishedName::from_der(&two).unwrap()),
        ["common-name"]
    );
    let bmp = patched(common_name("a.org").der(), b"\x13\x05a.org", b"\x1e\x05a.org");
    assert_eq!(with_subject(DistinguishedName::from_der(&bmp).unwrap()), ["subject"]);
}

#[test]
fn usages_that_contradict_each_other_are_found() {
    let world = World::new();
    assert_eq!(world.with(ext::basic_constraints(true, None)), ["basic-constraints"]);
    assert_eq!(
        world.with(ext::basic_constraints(false, Some(0))),
        ["basic-constraints"]
    );
    assert_eq!(world.changed(|tbs| remove(tbs, oid::BASIC_CONSTRAINTS)), [""; 0]);
    let signing = KeyUsage::DIGITAL_SIGNATURE;
    assert_eq!(
        world.with(ext::key_usage(signing | KeyUsage::KEY_CERT_SIGN)),
        ["key-usage"]
    );
    assert_eq!(
        world.with(ext::key_usage(signing | KeyUsage::KEY_ENCIPHERMENT)),
        ["key-usage"]
    );
    assert_eq!(
        world.with(ext::key_usage(signing | KeyUsage::DECIPHER_ONLY)),
        ["key-usage"]
    );
    assert_eq!(
        world.with(ext::key_usage(KeyUsage::NON_REPUDIATION)),
        ["extended-key-usage"]
    );
    assert_eq!(world.with(ext::key_usage(KeyUsage::NONE)), ["extension-content"]);
    assert_eq!(world.changed(|tbs| remove(tbs, oid::KEY_USAGE)), [""; 0]);
    assert_eq!(
        world.changed(|tbs| remove(tbs, oid::EXTENDED_KEY_USAGE)),
        ["extended-key-usage"]
    );
    assert_eq!(
        world.with(ext::extended_key_usage(&[oid::ANY_EXTENDED_KEY_USAGE])),
        ["extended-key-usage"]
    );
    assert_eq!(
        world.with(ext::extended_key_usage(&[oid::SERVER_AUTH, oid::SERVER_AUTH])),
        ["extended-key-usage"]
    );
    assert_eq!(
        world.with(ext::extended_key_usage(&[oid::SERVER_AUTH, oid::OCSP_SIGNING])),
        ["extended-key-usage"]
    );
}

#[test]
fn an_authority_without_its_extensions_is_found() {
    let world = World::new();
    let without = |oid| {
        let mut root = world.root();
        remove(&mut root, oid);
        world.rules(&root.to_der(), true)
    };
    assert_eq!(without(oid::BASIC_CONSTRAINTS), ["basic-constraints"]);
    assert_eq!(without(oid::KEY_USAGE), ["key-usage"]);
    assert_eq!(
        without(oid::SUBJECT_KEY_IDENTIFIER),
        ["authority-key-identifier", "subject-key-identifier"]
    );
    let mut nameless = world.root();
    nameless.subject = DistinguishedName::empty();
    assert_eq!(
        world.rules(&nameless.to_der(), true),
        ["subject", "authority-key-identifier"]
    );
    let mut lax = world.root();
    lax.extensions[0].critical = false;
    assert_eq!(world.rules(&lax.to_der(), true), ["criticality"]);
}

#[test]
fn identifiers_of_other_keys_are_found() {
    let world = World::new();
    assert_eq!(
        world.with(ext::authority_key_identifier(&[1; 20])),
        ["authority-key-identifier"]
    );
    assert_eq!(
        world.changed(|tbs| remove(tbs, oid::AUTHORITY_KEY_IDENTIFIER)),
        ["authority-key-identifier"]
    );
    assert_eq!(
        world.with(ext::subject_key_identifier(&[1; 20])),
        ["subject-key-identifier"]
    );
    assert_eq!(world.changed(|tbs| remove(tbs, oid::SUBJECT_KEY_IDENTIFIER)), [""; 0]);
}

#[test]
fn extensions_that_are_twice_there_unknown_or_wrongly_critical_are_found() {
    let world = World::new();
    let again = ext::certificate_policies(&["1.2.3".parse().unwrap()]);
    assert_eq!(world.changed(|tbs| tbs.extensions.push(again)), ["duplicate-extension"]);
    let unknown = |critical| Extension {
        oid: "1.2.3.4".parse().unwrap(),
        critical,
        value: vec![5, 0],
    };
    assert_eq!(world.with(unknown(true)), ["unknown-critical-extension"]);
    assert_eq!(world.with(unknown(false)), [""; 0]);
    let usage = Extension {
        critical: false,
        ..ext::key_usage(KeyUsage::DIGITAL_SIGNATURE)
    };
    assert_eq!(world.with(usage), ["criticality"]);
    let identifier = ext::authority_key_identifier(&world.issuer.public_key().key_identifier());
    assert_eq!(
        world.with(Extension {
            critical: true,
            ..identifier
        }),
        ["criticality"]
    );
    let illegible = Extension {
        oid: oid::AUTHORITY_INFO_ACCESS,
        critical: false,
        value: vec![0x30, 0],
    };
    assert_eq!(world.with(illegible), ["extension-content"]);
}

// 9608-2-1
#[test]
fn no_rev_avail_goes_alone() {
    let world = World::new();
    assert_eq!(world.with(ext::no_rev_avail()), ["no-revocation-information"]);
    let alone = world.changed(|tbs| {
        remove(tbs, oid::CRL_DISTRIBUTION_POINTS);
        put(tbs, ext::no_rev_avail());
    });
    assert_eq!(alone, [""; 0]);
    let with_ocsp = world.changed(|tbs| {
        remove(tbs, oid::CRL_DISTRIBUTION_POINTS);
        put(tbs, ext::no_rev_avail());
        put(
            tbs,
            ext::authority_info_access(None, Some("http://ocsp.example.org/"))
                .unwrap()
                .unwrap(),
        );
    });
    assert_eq!(with_ocsp, ["no-revocation-information"]);
}

// T25
#[test]
fn t25_a_key_that_should_not_be_certified_is_found() {
    let world = World::new();
    let der = world.leaf().to_der();
    let spki = world.leaf.public_key().spki_der();
    let mut off_curve = spki.to_vec();
    off_curve[90] ^= 1;
    assert_eq!(world.rules(&patched(&der, spki, &off_curve), false), ["public-key"]);
}

#[test]
fn telephone_numbers_stand_in_the_place_of_names_and_purposes() {
    let world = World::new();
    let numbers = encoding::from_hex("3008a006160431323334").unwrap();
    let found = world.changed(|tbs| {
        remove(tbs, oid::SUBJECT_ALTERNATIVE_NAME);
        remove(tbs, oid::EXTENDED_KEY_USAGE);
        tbs.subject = DistinguishedName::with_common_name("SHAKEN 1234").unwrap();
        put(
            tbs,
            Extension {
                oid: oid::TN_AUTH_LIST,
                critical: false,
                value: numbers,
            },
        );
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn rules_have_names_of_their_own() {
    let names: std::collections::HashSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    assert!(RULES.iter().all(|rule| !rule.document.is_empty() && rule.name != DER));
}
