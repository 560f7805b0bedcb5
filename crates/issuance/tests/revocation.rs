//! What an issuer signs about revoked certificates, and what it does not sign.

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use authority::ports::{CrlContents, IssuanceFailure};
use issuance::{CrlUrls, Issuer, IssuerUrls, create_authority};
use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    crl::{Crl, Reason, RevokedCertificate},
    extension::{self, KeyUsage},
    key::KeyPair,
    name::DistinguishedName,
    ocsp::{OcspRequest, SingleResponse, Status},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> Timestamp {
    "2026-03-01T12:00:00.5Z".parse().unwrap()
}

fn after(days: u32) -> Timestamp {
    now().checked_add(DAY * days).unwrap()
}

fn urls() -> IssuerUrls {
    IssuerUrls {
        crl: Some(CrlUrls::new(
            "http://ca.example/crl/issuing",
            NonZeroU32::new(8).unwrap(),
            DAY * 7,
        )),
        certificate: None,
        ocsp: Some("http://ca.example/ocsp/issuing".into()),
    }
}

fn issuer() -> Issuer {
    let made = create_authority("c0ffee", [[1; 19], [2; 19]], now()).unwrap();
    Issuer::from_pem("issuing", &made.issuing, &made.issuing_key, urls()).unwrap()
}

fn entry(last: u8) -> RevokedCertificate {
    RevokedCertificate {
        serial: Serial::from_random([last; 19]),
        revoked: now(),
        reason: last.is_multiple_of(2).then_some(Reason::KeyCompromise),
    }
}

fn contents() -> CrlContents {
    CrlContents {
        shard: 7,
        number: 3,
        this_update: now(),
        next_update: after(7),
        revoked: (1..=3).map(entry).collect(),
    }
}

// 5280-5-1, T30
#[test]
fn t30_a_list_names_its_shard_and_is_signed_by_the_issuer() {
    let issuer = issuer();
    let list = Crl::parse(&issuer.sign_crl(contents(), now()).unwrap()).unwrap();
    list.verify_signed_by(&issuer.certificate().public_key().unwrap())
        .unwrap();
    let said = list.contents();
    let point = said.scope.distribution_point.as_deref();
    assert_eq!(point, Some("http://ca.example/crl/issuing/7.crl"));
    assert!(said.scope.user_certificates_only);
    assert_eq!(&said.issuer, issuer.subject());
    assert_eq!(said.authority_key_identifier, issuer.key_identifier());
    assert_eq!(said.number, 3);
    assert_eq!(said.revoked.len(), 3);
    assert_eq!(said.this_update.as_second(), now().as_second());
}

// T42, 5280-5-1
#[test]
fn t42_no_list_is_signed_that_is_from_the_future_unordered_or_without_a_number() {
    let issuer = issuer();
    let reversed = contents().revoked.into_iter().rev().collect();
    let twice = vec![entry(1), entry(1)];
    let early = RevokedCertificate {
        revoked: after(1),
        ..entry(1)
    };
    for (wrong, named) in [
        (
            CrlContents {
                this_update: after(1),
                ..contents()
            },
            "later than now",
        ),
        (
            CrlContents {
                next_update: now(),
                ..contents()
            },
            "nextUpdate",
        ),
        (
            CrlContents {
                number: 0,
                ..contents()
            },
            "number",
        ),
        (
            CrlContents {
                revoked: reversed,
                ..contents()
            },
            "ascending order",
        ),
        (
            CrlContents {
                revoked: twice,
                ..contents()
            },
            "twice",
        ),
        (
            CrlContents {
                revoked: vec![early],
                ..contents()
            },
            "after thisUpdate",
        ),
    ] {
        match issuer.sign_crl(wrong, now()) {
            Err(IssuanceFailure::Refused(why)) => assert!(why.contains(named), "{named}: {why}"),
            other => panic!("{named}: {other:?}"),
        }
    }
}

#[test]
fn an_issuer_that_expired_or_has_no_urls_signs_no_list() {
    let made = create_authority("c0ffee", [[1; 19], [2; 19]], now()).unwrap();
    let without = Issuer::from_pem("issuing", &made.issuing, &made.issuing_key, IssuerUrls::default()).unwrap();
    let outcome = without.sign_crl(contents(), now());
    assert!(matches!(outcome, Err(IssuanceFailure::Unavailable(why)) if why.contains("public_http")));
    let outcome = issuer().sign_crl(contents(), after(366 * 20));
    assert!(matches!(outcome, Err(IssuanceFailure::Unavailable(why)) if why.contains("expired")));
}

// RFC 5280 §4.2.1.3
#[test]
fn an_issuer_that_may_not_sign_lists_is_refused_when_it_is_configured() {
    let key = KeyPair::generate_p256();
    let name = DistinguishedName::with_common_name("Issuing").unwrap();
    let certificate = |usage| {
        let tbs = pkix::certificate::TbsCertificate {
            serial: Serial::from_random([1; 19]),
            signature_algorithm: key.algorithm(),
            issuer: name.clone(),
            not_before: now(),
            not_after: after(365),
            subject: name.clone(),
            public_key: key.public_key().clone(),
            extensions: vec![extension::basic_constraints(true, None), extension::key_usage(usage)],
        };
        let tbs = tbs.to_der();
        pkix::certificate::assemble(&tbs, key.algorithm(), &key.sign(&tbs))
    };
    let take = |usage| {
        let key = KeyPair::from_pkcs8_der(&key.to_pkcs8_der()).unwrap();
        Issuer::new("issuing", vec![certificate(usage)], key, urls()).map(drop)
    };
    let only_certificates = take(KeyUsage::KEY_CERT_SIGN).unwrap_err().to_string();
    assert!(only_certificates.contains("cRLSign"), "{only_certificates}");
    let no_answers = take(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
        .unwrap_err()
        .to_string();
    assert!(no_answers.contains("digitalSignature"), "{no_answers}");
    take(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN | KeyUsage::DIGITAL_SIGNATURE).unwrap();
}

#[test]
fn a_list_of_a_hundred_thousand_is_signed_and_read() {
    let issuer = issuer();
    let revoked = (0..100_000u32).map(|count| {
        let mut random = [0; 19];
        random[..4].copy_from_slice(&count.to_be_bytes());
        RevokedCertificate {
            serial: Serial::from_random(random),
            revoked: now(),
            reason: Some(Reason::KeyCompromise),
        }
    });
    let revoked: Vec<_> = revoked.collect();
    let last = revoked.last().unwrap().serial.clone();
    let der = issuer.sign_crl(CrlContents { revoked, ..contents() }, now()).unwrap();
    let list = Crl::parse(&der).unwrap();
    assert_eq!(list.contents().revoked.len(), 100_000);
    assert!(list.find(&last).is_some());
    assert!(der.len() < 5_500_000, "{} octets", der.len());
}

/// A folder with the issuer's certificate and a request of OpenSSL about a certificate that it might have issued.
fn asked(test: &str, issuer: &Issuer) -> (PathBuf, OcspRequest) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("issuance-{test}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("issuing.pem"),
        pkix::pem::encode_certificate(issuer.certificate().der()),
    )
    .unwrap();
    let made = Command::new("openssl")
        .current_dir(&folder)
        .args([
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-serial",
            "0x1f01",
            "-reqout",
            "request.der",
        ])
        .output()
        .expect("the Debian package openssl must be installed for this test");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let request = OcspRequest::parse(&fs::read(folder.join("request.der")).unwrap()).unwrap();
    (folder, request)
}

fn single(request: &OcspRequest, status: Status) -> SingleResponse {
    SingleResponse {
        certificate: request.certificates[0].clone(),
        status,
        this_update: now(),
        next_update: after(7),
    }
}

// T42, 6960-1
#[test]
fn t42_no_answer_is_signed_that_is_from_the_future_or_about_another_issuer() {
    let (issuer, another) = (issuer(), issuer());
    let (_, request) = asked("ocsp-lint", &issuer);
    let good = single(&request, Status::Good);
    assert!(issuer.serial_asked(&good.certificate).is_some());
    issuer.sign_ocsp(vec![good.clone()], None, now()).unwrap();
    let refused =
        |issuer: &Issuer, single: Vec<SingleResponse>, named: &str| match issuer.sign_ocsp(single, None, now()) {
            Err(IssuanceFailure::Refused(why)) => assert!(why.contains(named), "{named}: {why}"),
            other => panic!("{named}: {other:?}"),
        };
    refused(&issuer, vec![], "nothing");
    refused(&another, vec![good.clone()], "another issuer");
    another
        .sign_ocsp(vec![single(&request, Status::Unknown)], None, now())
        .unwrap();
    let early = SingleResponse {
        this_update: after(1),
        ..good.clone()
    };
    refused(&issuer, vec![early], "later than now");
    let short = SingleResponse {
        next_update: now(),
        ..good
    };
    refused(&issuer, vec![short], "nextUpdate");
    let at = after(1);
    refused(
        &issuer,
        vec![single(&request, Status::Revoked { at, reason: None })],
        "after thisUpdate",
    );
}

/// pkilint on a file; it fails with its findings.
fn lint(linter: &str, arguments: &[&str], file: &Path) {
    let bin = std::env::var_os("VIDIMUS_PYTHON_BIN").map(PathBuf::from);
    let bin = bin.unwrap_or_else(|| {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .unwrap()
            .join("tools/python/bin")
    });
    let program = bin.join(linter);
    assert!(
        program.exists(),
        "{} is missing: cargo xtask test python installs it",
        program.display()
    );
    let output = Command::new(program)
        .arg("lint")
        .args(arguments)
        .args(["-s", "NOTICE"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

// 5280-5-1, 6960-1
#[test]
fn a_foreign_linter_finds_nothing_in_lists_and_answers() {
    let issuer = issuer();
    let (folder, request) = asked("pkilint", &issuer);
    let full = folder.join("full.crl");
    fs::write(&full, issuer.sign_crl(contents(), now()).unwrap()).unwrap();
    let empty = folder.join("empty.crl");
    let nothing = CrlContents {
        revoked: Vec::new(),
        ..contents()
    };
    fs::write(&empty, issuer.sign_crl(nothing, now()).unwrap()).unwrap();
    for file in [&full, &empty] {
        lint(
            "lint_crl",
            &["-t", "CRL", "-p", "PKIX", "--document-format", "DER"],
            file,
        );
        lint("lint_crl", &["-t", "CRL", "-p", "BR", "--document-format", "DER"], file);
    }
    let revoked = Status::Revoked {
        at: now(),
        reason: Some(Reason::Superseded),
    };
    for (name, status) in [
        ("good", Status::Good),
        ("revoked", revoked),
        ("unknown", Status::Unknown),
    ] {
        let file = folder.join(format!("{name}.ocsp"));
        let response = issuer.sign_ocsp(vec![single(&request, status)], request.nonce.clone(), now());
        fs::write(&file, response.unwrap()).unwrap();
        lint("lint_ocsp_response", &["--document-format", "DER"], &file);
    }
}
