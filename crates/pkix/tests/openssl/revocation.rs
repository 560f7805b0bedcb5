//! Lists and answers of ours, read by OpenSSL; requests of OpenSSL, read by us.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use pkix::certificate::Serial;
use pkix::crl::{self, Crl, Reason, RevokedCertificate, Scope, TbsCrl};
use pkix::extension::{self as ext, KeyUsage};
use pkix::key::KeyPair;
use pkix::name::{DistinguishedName, GeneralName};
use pkix::ocsp::{self, IssuerHashes, OcspRequest, ResponseData, SingleResponse, Status, Unsuccessful};
use pkix::pem;

use super::{Issuer, ca_extensions, directory, every_kind, leaf_extensions, openssl};

const SINCE: &str = "2024-01-01T00:00:00Z";
/// In the other encoding of dates.
const UNTIL: &str = "2059-01-01T00:00:00Z";
/// The distribution point of `leaf_extensions`.
const POINT: &str = "http://crl.example.org/1.crl";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A root that signs leaves itself. Writes `root.pem` and `leaf-N.pem` for the serials 1 and 2.
fn world(directory: &Path, key: KeyPair) -> Issuer {
    let root = Issuer {
        key,
        name: DistinguishedName::with_organization("Vidimus", "Root").unwrap(),
    };
    let mut extensions = ca_extensions(None);
    extensions[1] = ext::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN | KeyUsage::DIGITAL_SIGNATURE);
    let der = root.sign(9, &root.name, &root.key, extensions);
    fs::write(directory.join("root.pem"), pem::encode_certificate(&der)).unwrap();
    for serial in [1, 2] {
        let names = [GeneralName::Dns("example.org".into())];
        let key = KeyPair::generate_p256();
        let leaf = root.sign(serial, &DistinguishedName::empty(), &key, leaf_extensions(&names));
        let file = directory.join(format!("leaf-{serial}.pem"));
        fs::write(file, pem::encode_certificate(&leaf)).unwrap();
    }
    root
}

fn revoked(serial: Serial, reason: Option<Reason>) -> RevokedCertificate {
    RevokedCertificate {
        serial,
        revoked: time("2024-02-01T00:00:00Z"),
        reason,
    }
}

fn list(root: &Issuer, revoked: Vec<RevokedCertificate>, scope: Scope) -> Vec<u8> {
    let tbs = TbsCrl {
        signature_algorithm: root.key.algorithm(),
        issuer: root.name.clone(),
        this_update: time(SINCE),
        next_update: time(UNTIL),
        number: 0x1234,
        authority_key_identifier: root.key.public_key().key_identifier().to_vec(),
        scope,
        revoked,
    };
    let tbs = tbs.to_der().unwrap();
    crl::assemble(&tbs, root.key.algorithm(), &root.key.sign(&tbs))
}

fn shard() -> Scope {
    Scope {
        distribution_point: Some(POINT.to_owned()),
        user_certificates_only: true,
    }
}

/// What `openssl verify` says to a certificate, with the list in `list.pem`.
fn verdict(directory: &Path, certificate: &str) -> String {
    let output = Command::new("openssl")
        .current_dir(directory)
        .args("verify -x509_strict -check_ss_sig -crl_check -CAfile root.pem -CRLfile list.pem".split(' '))
        .arg(certificate)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

fn as_pem(directory: &Path) {
    openssl(directory, "crl -inform DER -in list.der -out list.pem");
}

// 5280-5-1, 8555-7.6-11
#[test]
fn openssl_verifies_a_list_by_every_kind_of_key_and_refuses_what_is_on_it() {
    for (kind, key) in every_kind() {
        let directory = directory(&format!("list-{kind}"));
        let root = world(&directory, key);
        let entries = vec![
            revoked(Serial::from_random([1; 19]), Some(Reason::KeyCompromise)),
            revoked(Serial::from_random([3; 19]), None),
        ];
        let der = list(&root, entries.clone(), shard());
        fs::write(directory.join("list.der"), &der).unwrap();
        as_pem(&directory);

        let text = openssl(&directory, "crl -inform DER -in list.der -CAfile root.pem -noout -text");
        for expected in [
            "verify OK",
            "Version 2 (0x1)",
            "Issuer: O = Vidimus, CN = Root",
            "Last Update: Jan  1 00:00:00 2024 GMT",
            "Next Update: Jan  1 00:00:00 2059 GMT",
            "X509v3 CRL Number: \n                4660",
            "X509v3 Issuing Distribution Point: critical",
            "URI:http://crl.example.org/1.crl",
            "Only User Certificates",
            "X509v3 Authority Key Identifier",
            "Serial Number: 1F01010101010101010101010101010101010101",
            "Key Compromise",
        ] {
            assert!(text.contains(expected), "{kind}: {expected} is missing in {text}");
        }
        // 8555-7.6-7: no reason, no extension
        assert_eq!(text.matches("X509v3 CRL Reason Code").count(), 1, "{text}");

        assert!(verdict(&directory, "leaf-1.pem").contains("certificate revoked"));
        assert!(verdict(&directory, "leaf-2.pem").contains("leaf-2.pem: OK"));

        let read = Crl::parse(&der).unwrap();
        read.verify_signed_by(root.key.public_key()).unwrap();
        assert!(read.verify_signed_by(KeyPair::generate_p256().public_key()).is_err());
        assert_eq!(read.contents().revoked, entries);
        assert_eq!(read.find(&entries[1].serial), Some(&entries[1]));
        assert_eq!(read.find(&Serial::from_random([2; 19])), None);
    }
}

// T30: a list for another distribution point says nothing about a certificate.
#[test]
fn t30_openssl_takes_a_list_only_for_the_shard_that_a_certificate_names() {
    let directory = directory("another-shard");
    let root = world(&directory, KeyPair::generate_p256());
    let mut elsewhere = shard();
    elsewhere.distribution_point = Some("http://crl.example.org/2.crl".into());
    let entry = vec![revoked(Serial::from_random([1; 19]), None)];
    fs::write(directory.join("list.der"), list(&root, entry.clone(), elsewhere)).unwrap();
    as_pem(&directory);
    for leaf in ["leaf-1.pem", "leaf-2.pem"] {
        let verdict = verdict(&directory, leaf);
        assert!(
            verdict.contains("unable to get certificate CRL") || verdict.contains("different CRL scope"),
            "{verdict}"
        );
    }
    // Without a distribution point it is for every certificate of an end entity.
    let all = Scope {
        distribution_point: None,
        user_certificates_only: true,
    };
    fs::write(directory.join("list.der"), list(&root, entry, all)).unwrap();
    as_pem(&directory);
    assert!(verdict(&directory, "leaf-1.pem").contains("certificate revoked"));
    assert!(verdict(&directory, "leaf-2.pem").contains("leaf-2.pem: OK"));
}

#[test]
fn an_empty_list_is_one_that_openssl_takes() {
    let directory = directory("empty-list");
    let root = world(&directory, KeyPair::generate_p256());
    let der = list(&root, Vec::new(), shard());
    fs::write(directory.join("list.der"), &der).unwrap();
    as_pem(&directory);
    let text = openssl(&directory, "crl -in list.pem -CAfile root.pem -noout -text");
    assert!(
        text.contains("verify OK") && text.contains("No Revoked Certificates."),
        "{text}"
    );
    assert!(verdict(&directory, "leaf-1.pem").contains("OK"));
    assert!(Crl::parse(&der).unwrap().contents().revoked.is_empty());
}

#[test]
fn a_list_made_by_openssl_is_read() {
    let directory = directory("their-list");
    let root = world(&directory, KeyPair::generate_p256());
    fs::write(directory.join("root.key"), root.key.to_pkcs8_pem()).unwrap();
    fs::write(directory.join("number"), "1000\n").unwrap();
    let index = "R\t590101000000Z\t240201000000Z,superseded\t7f\tunknown\t/CN=a\n\
                 R\t590101000000Z\t240202000000Z\t0100\tunknown\t/CN=b\n";
    fs::write(directory.join("index"), index).unwrap();
    fs::write(
        directory.join("ca.cnf"),
        "[ca]\ndefault_ca=a\n[a]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n\
         [e]\nauthorityKeyIdentifier=keyid:always\n",
    )
    .unwrap();
    openssl(
        &directory,
        "ca -config ca.cnf -gencrl -crlexts e -crldays 7 -cert root.pem -keyfile root.key -out list.pem",
    );
    openssl(&directory, "crl -in list.pem -outform DER -out list.der");
    let read = Crl::parse(&fs::read(directory.join("list.der")).unwrap()).unwrap();
    read.verify_signed_by(root.key.public_key()).unwrap();
    let contents = read.contents();
    assert_eq!((contents.number, &contents.scope), (0x1000, &Scope::default()));
    let serials: Vec<_> = contents.revoked.iter().map(|entry| entry.serial.to_string()).collect();
    assert_eq!(serials, ["7f", "0100"]);
    assert_eq!(contents.revoked[0].reason, Some(Reason::Superseded));
    assert_eq!(contents.revoked[1].revoked, time("2024-02-02T00:00:00Z"));
}

/// Answers one of OpenSSL's requests and has OpenSSL judge the answer.
fn answer(directory: &Path, root: &Issuer, hash: &str, status: Status) -> String {
    let request = OcspRequest::parse(&fs::read(directory.join("request.der")).unwrap()).unwrap();
    let hashes = IssuerHashes::new(&root.name, root.key.public_key());
    let responses = request.certificates.into_iter().map(|certificate| {
        assert!(certificate.serial_under(&hashes).is_some());
        SingleResponse {
            certificate,
            status,
            this_update: time(SINCE),
            next_update: time(UNTIL),
        }
    });
    let data = ResponseData {
        responder: hashes.responder(),
        produced_at: time(SINCE),
        responses: responses.collect(),
        nonce: request.nonce,
    };
    let data = data.to_der();
    let response = ocsp::assemble(&data, root.key.algorithm(), &root.key.sign(&data));
    fs::write(directory.join("response.der"), response).unwrap();
    openssl(
        directory,
        &format!(
            "ocsp {hash} -issuer root.pem -cert leaf-1.pem -reqin request.der -respin response.der -CAfile root.pem \
             -no_nonce -resp_text"
        ),
    )
}

// 6960-1
#[test]
fn openssl_takes_our_answer_to_its_request_by_every_kind_of_key() {
    let compromised = Status::Revoked {
        at: time("2024-02-01T00:00:00Z"),
        reason: Some(Reason::KeyCompromise),
    };
    let unspecified = Status::Revoked {
        at: time("2024-02-01T00:00:00Z"),
        reason: None,
    };
    for (kind, key) in every_kind() {
        let directory = directory(&format!("ocsp-{kind}"));
        let root = world(&directory, key);
        for (hash, nonce) in [("-sha1", "-nonce"), ("-sha256", "-no_nonce")] {
            openssl(
                &directory,
                &format!("ocsp {hash} -issuer root.pem -cert leaf-1.pem {nonce} -reqout request.der"),
            );
            for (status, expected) in [
                (Status::Good, "leaf-1.pem: good"),
                (compromised, "leaf-1.pem: revoked"),
                (unspecified, "leaf-1.pem: revoked"),
                (Status::Unknown, "leaf-1.pem: unknown"),
            ] {
                let said = answer(&directory, &root, hash, status);
                assert!(
                    said.contains(expected) && said.contains("Response verify OK"),
                    "{kind}: {said}"
                );
                assert!(!said.contains("WARNING"), "{kind}: {said}");
                assert_eq!(said.contains("OCSP Nonce"), nonce == "-nonce", "{kind}: {said}");
                let with_reason = status == compromised;
                assert_eq!(said.contains("keyCompromise"), with_reason, "{kind}: {said}");
            }
        }
    }
}

// RFC 9654 §2.1: the newest nonces have 32 octets, those of OpenSSL 16.
#[test]
fn a_request_about_two_certificates_signed_and_with_nonce_is_read() {
    let directory = directory("ocsp-signed");
    let root = world(&directory, KeyPair::generate_p256());
    fs::write(directory.join("root.key"), root.key.to_pkcs8_pem()).unwrap();
    openssl(
        &directory,
        "ocsp -issuer root.pem -cert leaf-1.pem -cert leaf-2.pem -nonce -signer root.pem -signkey root.key \
         -reqout request.der",
    );
    let request = OcspRequest::parse(&fs::read(directory.join("request.der")).unwrap()).unwrap();
    let hashes = IssuerHashes::new(&root.name, root.key.public_key());
    let serials: Vec<_> = request
        .certificates
        .iter()
        .map(|id| id.serial_under(&hashes).cloned())
        .collect();
    let expected = [1, 2].map(|serial| Some(Serial::from_random([serial; 19])));
    assert_eq!(serials, expected);
    assert!(request.nonce.is_some_and(|nonce| nonce.len() >= 16));
}

#[test]
fn openssl_names_our_answers_that_say_nothing() {
    let directory = directory("ocsp-unsuccessful");
    for (unsuccessful, name) in [
        (Unsuccessful::MalformedRequest, "malformedrequest (1)"),
        (Unsuccessful::InternalError, "internalerror (2)"),
        (Unsuccessful::TryLater, "trylater (3)"),
        (Unsuccessful::Unauthorized, "unauthorized (6)"),
    ] {
        fs::write(directory.join("response.der"), unsuccessful.to_der()).unwrap();
        let output = Command::new("openssl")
            .current_dir(&directory)
            .args(["ocsp", "-respin", "response.der", "-noverify"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(name), "{said}");
    }
}
