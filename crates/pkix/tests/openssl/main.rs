//! OpenSSL as the second reader and the second writer.

mod revocation;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkix::certificate::{Certificate, Serial, TbsCertificate, assemble};
use pkix::csr::{CertificateRequest, build_csr, build_csr_with_extensions};
use pkix::extension::{self as ext, Extension, KeyUsage};
use pkix::key::{KeyKind, KeyPair};
use pkix::name::{DistinguishedName, GeneralName};
use pkix::{oid, pem};

/// A directory of the test's own.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pkix-openssl-{test}"));
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Runs OpenSSL and gives what it printed; fails with what it complained about.
fn openssl(directory: &Path, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(arguments.split_whitespace());
    let output = command
        .output()
        .expect("the Debian package openssl must be installed for this test");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &errors
}

fn every_kind() -> [(&'static str, KeyPair); 4] {
    [
        ("p256", KeyPair::generate_p256()),
        ("p384", KeyPair::generate_p384()),
        ("ed25519", KeyPair::generate_ed25519()),
        ("rsa", KeyPair::generate_rsa2048()),
    ]
}

struct Issuer {
    key: KeyPair,
    name: DistinguishedName,
}

impl Issuer {
    fn sign(&self, serial: u8, subject: &DistinguishedName, key: &KeyPair, others: Vec<Extension>) -> Vec<u8> {
        let mut extensions = others;
        extensions.push(ext::subject_key_identifier(&key.public_key().key_identifier()));
        extensions.push(ext::authority_key_identifier(&self.key.public_key().key_identifier()));
        let tbs = TbsCertificate {
            serial: Serial::from_random([serial; 19]),
            signature_algorithm: self.key.algorithm(),
            issuer: self.name.clone(),
            not_before: "2024-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2059-12-31T23:59:59Z".parse().unwrap(),
            subject: subject.clone(),
            public_key: key.public_key().clone(),
            extensions,
        };
        let tbs = tbs.to_der();
        assemble(&tbs, self.key.algorithm(), &self.key.sign(&tbs))
    }
}

fn ca_extensions(path_length: Option<u8>) -> Vec<Extension> {
    vec![
        ext::basic_constraints(true, path_length),
        ext::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN),
    ]
}

fn leaf_extensions(names: &[GeneralName]) -> Vec<Extension> {
    vec![
        ext::basic_constraints(false, None),
        ext::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        ext::extended_key_usage(&[oid::SERVER_AUTH]),
        ext::subject_alternative_names(names, true).unwrap(),
        ext::crl_distribution_points(&["http://crl.example.org/1.crl"]).unwrap(),
        ext::authority_info_access(Some("http://ca.example.org/1.cer"), Some("http://ocsp.example.org"))
            .unwrap()
            .unwrap(),
        ext::certificate_policies(&["2.23.140.1.2.1".parse().unwrap()]),
    ]
}

// 5280-4.1-1, 5280-4.2-1, 5280-7-1
#[test]
fn openssl_verifies_a_chain_of_root_issuing_and_leaf_for_every_kind_of_key() {
    for (kind, key) in every_kind() {
        let directory = directory(&format!("chain-{kind}"));
        let root = Issuer {
            key,
            name: DistinguishedName::with_organization("Vidimus", "Root").unwrap(),
        };
        let issuing = Issuer {
            key: KeyPair::generate_p256(),
            name: DistinguishedName::with_common_name("Issuing 1").unwrap(),
        };
        let root_der = root.sign(1, &root.name, &root.key, ca_extensions(None));
        let issuing_der = root.sign(2, &issuing.name, &issuing.key, ca_extensions(Some(0)));
        let names = [
            GeneralName::Dns("example.org".into()),
            GeneralName::Ip("2001:db8::1".parse().unwrap()),
            GeneralName::srv("_imaps.example.org").unwrap(),
        ];
        let leaf_key = KeyPair::generate_p256();
        let leaf_der = issuing.sign(3, &DistinguishedName::empty(), &leaf_key, leaf_extensions(&names));

        fs::write(directory.join("root.pem"), pem::encode_certificate(&root_der)).unwrap();
        fs::write(directory.join("issuing.pem"), pem::encode_certificate(&issuing_der)).unwrap();
        fs::write(directory.join("leaf.pem"), pem::encode_certificate(&leaf_der)).unwrap();
        let verify = "verify -x509_strict -check_ss_sig -purpose sslserver -verify_hostname example.org \
                      -CAfile root.pem -untrusted issuing.pem leaf.pem";
        assert!(openssl(&directory, verify).contains("leaf.pem: OK"));

        let text = openssl(&directory, "x509 -in leaf.pem -noout -text");
        for expected in [
            "Version: 3 (0x2)",
            "1f:03:03:03",
            "Not Before: Jan  1 00:00:00 2024 GMT",
            "Not After : Dec 31 23:59:59 2059 GMT",
            "Issuer: CN = Issuing 1",
            "X509v3 Subject Alternative Name: critical",
            "DNS:example.org, IP Address:2001:DB8:0:0:0:0:0:1, othername: SRVName::_imaps.example.org",
            "X509v3 Key Usage: critical",
            "TLS Web Server Authentication",
            "URI:http://crl.example.org/1.crl",
            "CA Issuers - URI:http://ca.example.org/1.cer",
            "OCSP - URI:http://ocsp.example.org",
            "Policy: 2.23.140.1.2.1",
            "CA:FALSE",
        ] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }

        let leaf = Certificate::parse(&leaf_der).unwrap();
        leaf.verify_signed_by(issuing.key.public_key()).unwrap();
        assert!(leaf.verify_signed_by(leaf_key.public_key()).is_err());
        assert_eq!(leaf.names(), names);
        assert_eq!(leaf.public_key().unwrap(), *leaf_key.public_key());
        assert_eq!(
            leaf.authority_key_identifier(),
            Some(&issuing.key.public_key().key_identifier()[..])
        );
        assert_eq!(leaf.issuer(), &issuing.name);
        assert_eq!(
            TbsCertificate::from_der(leaf.tbs_der()).unwrap().to_der(),
            leaf.tbs_der()
        );
        Certificate::parse(&issuing_der)
            .unwrap()
            .verify_signed_by(root.key.public_key())
            .unwrap();
    }
}

#[test]
fn openssl_verifies_our_requests_and_reads_their_names() {
    let names = [
        GeneralName::Dns("example.org".into()),
        GeneralName::Dns("*.example.org".into()),
    ];
    for (kind, key) in every_kind() {
        let directory = directory(&format!("our-request-{kind}"));
        fs::write(
            directory.join("request.der"),
            build_csr(&key, Some("example.org"), &names).unwrap(),
        )
        .unwrap();
        let text = openssl(&directory, "req -inform DER -in request.der -verify -noout -text");
        for expected in [
            "verify OK",
            "Subject: CN = example.org",
            "DNS:example.org, DNS:*.example.org",
        ] {
            assert!(text.contains(expected), "{kind}: {expected} is missing in {text}");
        }
        fs::write(directory.join("bare.der"), build_csr(&key, None, &[]).unwrap()).unwrap();
        assert!(openssl(&directory, "req -inform DER -in bare.der -verify -noout").contains("verify OK"));
    }
}

#[test]
fn requests_made_by_openssl_are_read() {
    let directory = directory("their-requests");
    for (algorithm, digest, kind) in [
        ("EC -pkeyopt ec_paramgen_curve:P-256", "sha256", KeyKind::EcP256),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "sha512", KeyKind::EcP384),
        ("ED25519", "sha256", KeyKind::Ed25519),
        (
            "RSA -pkeyopt rsa_keygen_bits:3072",
            "sha384",
            KeyKind::Rsa { bits: 3072 },
        ),
    ] {
        openssl(&directory, &format!("genpkey -algorithm {algorithm} -out key.pem"));
        let key = KeyPair::from_pkcs8_pem(&fs::read_to_string(directory.join("key.pem")).unwrap()).unwrap();
        openssl(
            &directory,
            &format!(
                "req -new -key key.pem -{digest} -subj /O=Example/CN=example.org -outform DER -out request.der \
                 -addext subjectAltName=DNS:example.org,IP:192.0.2.1,email:ann@example.org,otherName:1.2.3;UTF8:a \
                 -addext keyUsage=digitalSignature -addext basicConstraints=CA:FALSE"
            ),
        );
        let request = CertificateRequest::parse(&fs::read(directory.join("request.der")).unwrap()).unwrap();
        request.verify_self_signature().unwrap();
        assert_eq!(request.public_key().kind(), kind);
        assert_eq!(request.public_key(), key.public_key());
        assert_eq!(request.common_names(), ["example.org"]);
        assert_eq!(
            request.subject_alternative_names(),
            [
                GeneralName::Dns("example.org".into()),
                GeneralName::Ip("192.0.2.1".parse().unwrap()),
                GeneralName::Email("ann@example.org".into()),
                GeneralName::OtherName {
                    oid: "1.2.3".into(),
                    value_der: b"\x0c\x01a".to_vec()
                },
            ]
        );
        assert_eq!(request.requested_extensions().len(), 3);
        assert!(!request.asks_for_ca());
    }
}

#[test]
fn a_request_for_an_authority_is_recognised() {
    let directory = directory("request-for-ca");
    openssl(&directory, "genpkey -algorithm ED25519 -out key.pem");
    for asking in ["basicConstraints=CA:TRUE", "keyUsage=keyCertSign"] {
        openssl(
            &directory,
            &format!("req -new -key key.pem -subj /CN=example.org -outform DER -out request.der -addext {asking}"),
        );
        let request = CertificateRequest::parse(&fs::read(directory.join("request.der")).unwrap()).unwrap();
        assert!(request.asks_for_ca(), "{asking}");
    }
}

#[test]
fn keys_are_exchanged_with_openssl_in_both_directions() {
    for (kind, key) in every_kind() {
        let directory = directory(&format!("keys-{kind}"));
        fs::write(directory.join("ours.pem"), key.to_pkcs8_pem()).unwrap();
        openssl(&directory, "pkey -in ours.pem -check -noout");
        openssl(&directory, "pkey -in ours.pem -pubout -outform DER -out public.der");
        assert_eq!(
            fs::read(directory.join("public.der")).unwrap(),
            key.public_key().spki_der()
        );
        openssl(&directory, "pkey -in ours.pem -out theirs.pem");
        let theirs = KeyPair::from_pkcs8_pem(&fs::read_to_string(directory.join("theirs.pem")).unwrap()).unwrap();
        assert_eq!(theirs.public_key(), key.public_key());
    }
}

#[test]
fn explicit_curve_parameters_are_refused() {
    let directory = directory("explicit-curve");
    openssl(
        &directory,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -out key.pem",
    );
    openssl(
        &directory,
        "req -new -key key.pem -subj /CN=example.org -outform DER -out request.der",
    );
    let refusal = CertificateRequest::parse(&fs::read(directory.join("request.der")).unwrap()).unwrap_err();
    assert_eq!(refusal, pkix::csr::CsrError::Key(pkix::key::KeyError::Curve));
}

#[test]
fn openssl_finds_more_than_names_in_a_request_that_asks_for_more() {
    let directory = directory("request-with-usage");
    let key = KeyPair::generate_p256();
    let names = [GeneralName::Email("ann@example.org".into())];
    let usage = [ext::key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION)];
    let der = build_csr_with_extensions(&key, None, &names, &usage).unwrap();
    fs::write(directory.join("request.der"), &der).unwrap();
    let text = openssl(&directory, "req -inform DER -in request.der -verify -noout -text");
    assert!(
        text.contains("Digital Signature, Non Repudiation") && text.contains("email:ann@example.org"),
        "{text}"
    );
    let request = CertificateRequest::parse(&der).unwrap();
    assert_eq!(request.requested_extension(&oid::KEY_USAGE), Some(&usage[0]));
}
