//! What is written in DER.

use jiff::Timestamp;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    crl::{Reason, RevokedCertificate, Scope, TbsCrl},
    csr::{build_csr, build_csr_with_attributes, build_csr_with_extensions},
    extension::{self as ext, Extension, KeyUsage},
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
    ocsp::{self, ResponseData, SingleResponse, Status, Unsuccessful},
    oid, pem,
};

use super::keys;

pub fn requests() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for key in keys() {
        all.push(expected(build_csr(&key, Some("example.org"), &general_names()[..2])));
        all.push(expected(build_csr(
            &key,
            None,
            &[GeneralName::Dns("*.example.org".into())],
        )));
    }
    let key = &keys()[0];
    let with = |extensions: &[Extension]| expected(build_csr_with_extensions(key, None, &general_names(), extensions));
    all.push(with(&[
        ext::basic_constraints(true, Some(1)),
        ext::key_usage(KeyUsage::KEY_CERT_SIGN),
    ]));
    all.push(with(&[
        ext::extended_key_usage(&[oid::SERVER_AUTH]),
        ext::acme_identifier(&[1; 32]),
    ]));
    all
}

/// What a hidden service signs to prove itself (RFC 9799 §3.2).
pub fn onion() -> Vec<Vec<u8>> {
    let key = &keys()[0];
    let nonces: [(_, &[u8]); 2] = [
        (oid::CA_SIGNING_NONCE, &[7; 16]),
        (oid::APPLICANT_SIGNING_NONCE, &[8; 8]),
    ];
    let request = |nonces| {
        expected(build_csr_with_attributes(key.public_key(), nonces, |info| {
            key.sign(info)
        }))
    };
    vec![request(&nonces), request(&nonces[..1])]
}

pub fn certificates() -> Vec<Vec<u8>> {
    let keys = keys();
    let mut all: Vec<_> = keys.iter().map(|key| certificate(key, "example.org")).collect();
    all.push(to_be_signed(&keys[0], "example.org").to_der());
    all.extend(extensions(&keys[0]).into_iter().map(|extension| extension.value));
    all
}

pub fn chains() -> Vec<Vec<u8>> {
    let all: Vec<_> = keys().iter().map(|key| certificate(key, "Some Root")).collect();
    vec![
        pem::encode_certificates(&all[..1]).into_bytes(),
        pem::encode_certificates(&all[..3]).into_bytes(),
        pem::encode_certificates(&all[1..3]).replace('\n', "\r\n").into_bytes(),
        all[0].clone(),
        all[3].clone(),
    ]
}

pub fn names() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = general_names().iter().map(|name| expected(name.to_der())).collect();
    all.push(expected(DistinguishedName::with_organization("Vidimus", "Issuing")).into_der());
    all.push(expected(DistinguishedName::with_common_name("Jürgen")).into_der());
    all
}

pub fn lists() -> Vec<Vec<u8>> {
    let key = &keys()[0];
    let list = |point: Option<&str>, user_certificates_only, entries: u8| {
        let tbs = TbsCrl {
            signature_algorithm: key.algorithm(),
            issuer: expected(DistinguishedName::with_organization("Vidimus", "Issuing")),
            this_update: instant("2026-03-01T00:00:00Z"),
            next_update: instant("2056-03-01T00:00:00Z"),
            number: 1000,
            authority_key_identifier: key.public_key().key_identifier().to_vec(),
            scope: Scope {
                distribution_point: point.map(str::to_owned),
                user_certificates_only,
            },
            revoked: (1..=entries)
                .map(|last| RevokedCertificate {
                    serial: Serial::from_random([last; 16]),
                    revoked: instant("2026-02-01T00:00:00Z"),
                    reason: Reason::from_code(last),
                })
                .collect(),
        };
        let tbs = expected(tbs.to_der());
        (assemble(&tbs, key.algorithm(), &key.sign(&tbs)), tbs)
    };
    let (full, tbs) = list(Some("http://crl.example.org/1.crl"), true, 6);
    let scope = Scope {
        distribution_point: Some("http://crl.example.org/1.crl".to_owned()),
        user_certificates_only: true,
    };
    let scope = expected(ext_of(&scope));
    vec![full, tbs, list(None, false, 0).0, list(None, true, 1).0, scope.value]
}

pub fn questions() -> Vec<Vec<u8>> {
    // Of OpenSSL 3: SHA-1, one certificate, a nonce of 16 octets.
    let request = b"\x30\x76\x30\x74\x30\x4d\x30\x4b\x30\x49\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14aaaaaaaaaaaaaaaaaaaa\
        \x04\x14bbbbbbbbbbbbbbbbbbbb\x02\x10\x1fbbbbbbbbbbbbbbb\xa2\x23\x30\x21\x30\x1f\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02\x04\x12\x04\x10cccccccccccccccc";
    let without_nonce = b"\x30\x51\x30\x4f\x30\x4d\x30\x4b\x30\x49\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14aaaaaaaaaaaaaaaaaaaa\
        \x04\x14bbbbbbbbbbbbbbbbbbbb\x02\x10\x1fbbbbbbbbbbbbbbb";
    let read = expected(ocsp::OcspRequest::parse(request));
    let key = &keys()[0];
    let response = |status| {
        let data = ResponseData {
            responder: [7; 20],
            produced_at: instant("2026-03-01T00:00:00Z"),
            responses: vec![SingleResponse {
                certificate: read.certificates[0].clone(),
                status,
                this_update: instant("2026-03-01T00:00:00Z"),
                next_update: instant("2026-03-04T00:00:00Z"),
            }],
            nonce: read.nonce.clone(),
        };
        let der = data.to_der();
        [ocsp::assemble(&der, key.algorithm(), &key.sign(&der)), der]
    };
    let revoked = Status::Revoked {
        at: instant("2026-02-01T00:00:00Z"),
        reason: Reason::from_code(1),
    };
    let mut all = vec![
        request.to_vec(),
        without_nonce.to_vec(),
        Unsuccessful::TryLater.to_der(),
    ];
    all.extend(response(Status::Good));
    all.extend(response(revoked));
    all
}

fn ext_of(scope: &Scope) -> Result<Extension, String> {
    let extension = pkix::crl::issuing_distribution_point(scope).map_err(|error| error.to_string())?;
    extension.ok_or_else(|| "no scope".to_owned())
}

fn certificate(key: &KeyPair, common_name: &str) -> Vec<u8> {
    let tbs = to_be_signed(key, common_name).to_der();
    assemble(&tbs, key.algorithm(), &key.sign(&tbs))
}

fn to_be_signed(key: &KeyPair, common_name: &str) -> TbsCertificate {
    TbsCertificate {
        serial: Serial::from_random([1; 16]),
        signature_algorithm: key.algorithm(),
        issuer: expected(DistinguishedName::with_organization("Vidimus", "Issuing")),
        not_before: instant("2024-05-01T00:00:00Z"),
        not_after: instant("2054-05-01T00:00:00Z"),
        subject: expected(DistinguishedName::with_common_name(common_name)),
        public_key: key.public_key().clone(),
        extensions: extensions(key),
    }
}

fn extensions(key: &KeyPair) -> Vec<Extension> {
    let identifier = key.public_key().key_identifier();
    let access = ext::authority_info_access(Some("http://ca.example.org/1.cer"), Some("http://ocsp.example.org/"));
    vec![
        ext::basic_constraints(false, None),
        ext::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        ext::extended_key_usage(&[oid::SERVER_AUTH]),
        ext::subject_key_identifier(&identifier),
        ext::authority_key_identifier(&identifier),
        expected(ext::crl_distribution_points(&["http://crl.example.org/1.crl"])),
        expected(expected(access).ok_or("two URLs make an extension")),
        ext::certificate_policies(&[expected("2.23.140.1.2.1".parse())]),
        ext::acme_identifier(&[1; 32]),
        expected(ext::subject_alternative_names(&general_names(), false)),
    ]
}

fn general_names() -> Vec<GeneralName> {
    vec![
        GeneralName::Dns("example.org".into()),
        GeneralName::Ip(expected("192.0.2.1".parse())),
        GeneralName::Ip(expected("2001:db8::1".parse())),
        GeneralName::Email("ann@example.org".into()),
        GeneralName::Uri("https://example.org/".into()),
        expected(GeneralName::srv("_imaps.example.org")),
        expected(GeneralName::smtp_utf8_mailbox("jürgen@example.org")),
        GeneralName::Directory(expected(DistinguishedName::with_common_name("Ann")).into_der()),
        GeneralName::RegisteredId("1.2.3.4".into()),
    ]
}

fn instant(text: &str) -> Timestamp {
    expected(text.parse())
}

fn expected<T, E: std::fmt::Debug>(made: Result<T, E>) -> T {
    made.expect("invariant: what is written here can be made")
}
