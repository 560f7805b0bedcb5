//! Octets from strangers never end the process: every reader is given thousands of damaged inputs.

use pkix::certificate::{Certificate, PeerCertificate, Serial, TbsCertificate, assemble};
use pkix::crl::{Crl, Reason, RevokedCertificate, Scope, TbsCrl};
use pkix::csr::{CertificateRequest, build_csr_with_extensions};
use pkix::extension::{self as ext, Extension, KeyUsage};
use pkix::key::{KeyBlocklist, KeyPair, SignatureAlgorithm, SubjectPublicKey};
use pkix::lint::{LintContext, lint};
use pkix::name::{DistinguishedName, GeneralName};
use pkix::ocsp::{self, OcspRequest, OcspResponse, ResponseData, SingleResponse, Status};
use pkix::{oid, pem};

/// A sequence that is the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// The input with a few octets changed, cut out, or put in.
    fn damaged(&mut self, input: &[u8]) -> Vec<u8> {
        let mut output = input.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(output.len());
            match self.below(6) {
                _ if output.is_empty() => output.push(self.next() as u8),
                0 => output[at] ^= 1 << self.below(8),
                1 => output[at] = self.next() as u8,
                2 => output[at] = [0, 0x7f, 0x80, 0xff, 0x30, 0x31][self.below(6)],
                3 => drop(output.drain(at..(at + self.below(8)).min(input.len()).min(output.len()).max(at))),
                4 => output.insert(at, self.next() as u8),
                _ => output.truncate(at),
            }
        }
        output
    }
}

/// Gives damaged versions of the input to the reader, and tells how many it still accepted.
fn survives<T, E>(rounds: usize, input: &[u8], reader: impl Fn(&[u8]) -> Result<T, E>) -> usize {
    assert!(reader(input).is_ok(), "the undamaged input must be good");
    let mut random = Random(0x5eed);
    (0..rounds).filter(|_| reader(&random.damaged(input)).is_ok()).count()
}

fn names() -> Vec<GeneralName> {
    vec![
        GeneralName::Dns("example.org".into()),
        GeneralName::Ip("192.0.2.1".parse().unwrap()),
        GeneralName::Email("ann@example.org".into()),
        GeneralName::Uri("https://example.org/".into()),
        GeneralName::srv("_imaps.example.org").unwrap(),
        GeneralName::Directory(DistinguishedName::with_common_name("Ann").unwrap().into_der()),
        GeneralName::RegisteredId("1.2.3.4".into()),
    ]
}

fn extensions(key: &KeyPair) -> Vec<Extension> {
    vec![
        ext::basic_constraints(false, None),
        ext::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        ext::extended_key_usage(&[oid::SERVER_AUTH]),
        ext::subject_key_identifier(&key.public_key().key_identifier()),
        ext::authority_key_identifier(&key.public_key().key_identifier()),
        ext::crl_distribution_points(&["http://crl.example.org/1.crl"]).unwrap(),
        ext::authority_info_access(Some("http://ca.example.org/1.cer"), None)
            .unwrap()
            .unwrap(),
        ext::certificate_policies(&["2.23.140.1.2.1".parse().unwrap()]),
        ext::acme_identifier(&[1; 32]),
    ]
}

fn tbs(key: &KeyPair) -> TbsCertificate {
    let mut extensions = extensions(key);
    extensions.push(ext::subject_alternative_names(&names(), false).unwrap());
    TbsCertificate {
        serial: Serial::from_random([1; 16]),
        signature_algorithm: key.algorithm(),
        issuer: DistinguishedName::with_organization("Vidimus", "Issuing").unwrap(),
        not_before: "2024-05-01T00:00:00Z".parse().unwrap(),
        not_after: "2054-05-01T00:00:00Z".parse().unwrap(),
        subject: DistinguishedName::with_common_name("example.org").unwrap(),
        public_key: key.public_key().clone(),
        extensions,
    }
}

#[test]
fn requests() {
    let key = KeyPair::generate_p256();
    let der = build_csr_with_extensions(&key, Some("example.org"), &names(), &extensions(&key)).unwrap();
    survives(5000, &der, |der| {
        let request = CertificateRequest::parse(der)?;
        // whatever was accepted can be looked at and verified
        let _ = (
            request.verify_self_signature(),
            request.asks_for_ca(),
            format!("{request:?}"),
        );
        request.public_key().weakness_or_blocked(&KeyBlocklist::default());
        assert_eq!(request.der(), der);
        Ok::<_, pkix::csr::CsrError>(())
    });
}

#[test]
fn certificates() {
    let key = KeyPair::generate_p256();
    let tbs = tbs(&key).to_der();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    survives(5000, &der, |der| {
        let certificate = Certificate::parse(der)?;
        let _ = (
            certificate.verify_signed_by(key.public_key()),
            certificate.public_key(),
            format!("{certificate:?}"),
        );
        Ok::<_, pkix::certificate::CertificateError>(())
    });
    survives(5000, &der, PeerCertificate::parse);
}

#[test]
fn parts_to_be_signed_and_what_lint_says_of_them() {
    let key = KeyPair::generate_p256();
    let tbs = tbs(&key);
    let issuer_key_identifier = key.public_key().key_identifier();
    let context = LintContext {
        issuer_name_der: tbs.issuer.der(),
        issuer_key_identifier: &issuer_key_identifier,
        issuer_not_after: tbs.not_after,
        signature_algorithm: key.algorithm(),
        is_ca: false,
    };
    let der = tbs.to_der();
    survives(5000, &der, |der| {
        let findings = lint(der, &context);
        let read = TbsCertificate::from_der(der)?;
        assert_eq!(read.to_der(), der);
        // what lint calls no DER cannot be read as a certificate to be signed
        assert!(findings.iter().all(|finding| finding.rule != "der"));
        Ok::<_, pkix::certificate::CertificateError>(())
    });
}

#[test]
fn lists_of_revoked_certificates() {
    let key = KeyPair::generate_p256();
    let at = "2026-03-01T00:00:00Z".parse().unwrap();
    let tbs = TbsCrl {
        signature_algorithm: key.algorithm(),
        issuer: DistinguishedName::with_organization("Vidimus", "Issuing").unwrap(),
        this_update: at,
        next_update: "2056-03-01T00:00:00Z".parse().unwrap(),
        number: 1000,
        authority_key_identifier: key.public_key().key_identifier().to_vec(),
        scope: Scope {
            distribution_point: Some("http://crl.example.org/1.crl".into()),
            user_certificates_only: true,
        },
        revoked: (1..4)
            .map(|last| RevokedCertificate {
                serial: Serial::from_random([last; 16]),
                revoked: at,
                reason: Reason::from_code(last),
            })
            .collect(),
    };
    let tbs = tbs.to_der().unwrap();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    survives(5000, &der, |der| {
        let list = Crl::parse(der)?;
        let _ = (list.verify_signed_by(key.public_key()), format!("{list:?}"));
        // whatever was accepted can be found in it, and written again
        for entry in &list.contents().revoked {
            assert_eq!(list.find(&entry.serial), Some(entry));
        }
        list.contents().to_der()?;
        Ok::<_, pkix::crl::CrlError>(())
    });
}

#[test]
fn questions_about_one_certificate_and_their_answers() {
    // A request of OpenSSL 3: SHA-1, one certificate, a nonce of 16 octets.
    let request = b"\x30\x76\x30\x74\x30\x4d\x30\x4b\x30\x49\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14aaaaaaaaaaaaaaaaaaaa\
        \x04\x14bbbbbbbbbbbbbbbbbbbb\x02\x10\x1fbbbbbbbbbbbbbbb\xa2\x23\x30\x21\x30\x1f\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02\x04\x12\x04\x10cccccccccccccccc";
    survives(5000, request, OcspRequest::parse);
    let key = KeyPair::generate_p256();
    let at = "2026-03-01T00:00:00Z".parse().unwrap();
    let statuses = [
        Status::Good,
        Status::Revoked {
            at,
            reason: Some(Reason::KeyCompromise),
        },
    ];
    let request = OcspRequest::parse(request).unwrap();
    let data = ResponseData {
        responder: key.public_key().key_identifier(),
        produced_at: at,
        responses: statuses
            .map(|status| SingleResponse {
                certificate: request.certificates[0].clone(),
                status,
                this_update: at,
                next_update: at,
            })
            .to_vec(),
        nonce: request.nonce,
    };
    let data = data.to_der();
    let response = ocsp::assemble(&data, key.algorithm(), &key.sign(&data));
    survives(5000, &response, |der| {
        let response = OcspResponse::parse(der)?;
        let _ = (response.verify_signed_by(key.public_key()), format!("{response:?}"));
        Ok::<_, ocsp::ResponseError>(())
    });
}

#[test]
fn keys() {
    for key in [
        KeyPair::generate_p384(),
        KeyPair::generate_ed25519(),
        KeyPair::generate_rsa2048(),
    ] {
        survives(3000, key.public_key().spki_der(), |der| {
            SubjectPublicKey::from_spki_der(der).map(|key| (key.weakness(), key.key_identifier()))
        });
        survives(300, &key.to_pkcs8_der(), |der| {
            KeyPair::from_pkcs8_der(der).map(|key| key.sign(b"message"))
        });
    }
    survives(3000, SignatureAlgorithm::RsaSha256.der(), |der| {
        SignatureAlgorithm::from_der(der).ok_or(())
    });
}

#[test]
fn names_and_texts() {
    for name in names() {
        survives(3000, &name.to_der().unwrap(), |der| {
            GeneralName::from_der(der).map(|name| {
                assert_eq!(name.to_der().unwrap(), der);
                name.to_string()
            })
        });
    }
    let subject = DistinguishedName::with_organization("Vidimus", "Issuing").unwrap();
    survives(3000, subject.der(), |der| {
        DistinguishedName::from_der(der).map(|name| (name.to_string(), name.common_names()))
    });
    let chain = pem::encode_certificates(&[vec![7; 100], vec![8; 50]]);
    survives(3000, chain.as_bytes(), |text| {
        pem::parse_chain(&String::from_utf8_lossy(text))
    });
}

#[test]
fn extension_values() {
    let key = KeyPair::generate_p256();
    for extension in extensions(&key) {
        survives(2000, &extension.value, |value| match extension.oid {
            oid::BASIC_CONSTRAINTS => ext::read_basic_constraints(value).map(drop),
            oid::KEY_USAGE => ext::read_key_usage(value).map(drop),
            oid::EXTENDED_KEY_USAGE => ext::read_extended_key_usage(value).map(drop),
            oid::SUBJECT_KEY_IDENTIFIER => ext::read_subject_key_identifier(value).map(drop),
            oid::AUTHORITY_KEY_IDENTIFIER => ext::read_authority_key_identifier(value).map(drop),
            oid::CRL_DISTRIBUTION_POINTS => ext::read_crl_distribution_points(value).map(drop),
            oid::AUTHORITY_INFO_ACCESS => ext::read_authority_info_access(value).map(drop),
            oid::CERTIFICATE_POLICIES => ext::read_certificate_policies(value).map(drop),
            oid::ACME_IDENTIFIER => ext::read_acme_identifier(value).map(drop),
            other => unreachable!("{other} has no reader"),
        });
    }
}
