use jiff::Timestamp;
use pkix::{
    certificate::{Certificate, LONGEST_CERTIFICATE, PeerCertificate, TbsCertificate},
    extension,
    key::SignatureAlgorithm,
    lint::{LintContext, lint},
};

use super::names::{is_shown, is_written_as_read};

/// Certificates as clients and servers show them (INCIDENTS T32), and what is about to be signed.
pub fn certificate(data: &[u8]) {
    let peer = PeerCertificate::parse(data);
    if let Ok(certificate) = Certificate::parse(data) {
        assert!(data.len() <= LONGEST_CERTIFICATE);
        assert_eq!(certificate.der(), data);
        // What the strict reader takes is not another thing for the one that looks at less.
        if let Ok(peer) = &peer {
            assert_eq!(peer.names(), certificate.names());
            assert_eq!(peer.public_key(), certificate.public_key());
        }
        for extension in certificate.extensions() {
            assert_eq!(certificate.extension(&extension.oid), Some(extension));
            contents(&extension.value);
        }
        is_shown(&certificate.subject().to_string());
        is_shown(&certificate.issuer().to_string());
        let _ = (
            certificate.subject_common_name(),
            certificate.not_after(),
            certificate.serial().to_string(),
        );
        if let Ok(key) = certificate.public_key() {
            let _ = certificate.verify_signed_by(&key);
        }
        to_be_signed(certificate.tbs_der());
    }
    if let Ok(peer) = peer {
        peer.names().iter().for_each(is_written_as_read);
        let _ = peer.public_key();
    }
    to_be_signed(data);
    contents(data);
}

fn to_be_signed(tbs: &[u8]) {
    let findings = lint(
        tbs,
        &LintContext {
            issuer_name_der: b"\x30\x00",
            issuer_key_identifier: &[1; 20],
            issuer_not_after: Timestamp::MAX,
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            is_ca: false,
        },
    );
    if let Ok(read) = TbsCertificate::from_der(tbs) {
        assert_eq!(read.to_der(), tbs);
        assert!(findings.iter().all(|finding| finding.rule != "der"), "{findings:?}");
    }
}

/// Every reader of an extension's value, whatever the value was meant for.
fn contents(value: &[u8]) {
    if let Ok(names) = extension::read_subject_alternative_names(value) {
        let written = extension::subject_alternative_names(&names, false).expect("names that were read are written");
        assert_eq!(written.value, value);
    }
    if let Ok(read) = extension::read_basic_constraints(value) {
        let _ = extension::basic_constraints(read.ca, read.path_length);
    }
    let _ = extension::read_key_usage(value);
    if let Ok(purposes) = extension::read_extended_key_usage(value) {
        assert_eq!(extension::extended_key_usage(&purposes).value, value);
    }
    if let Ok(identifier) = extension::read_subject_key_identifier(value) {
        assert_eq!(extension::subject_key_identifier(&identifier).value, value);
    }
    let _ = extension::read_authority_key_identifier(value);
    let _ = extension::read_crl_distribution_points(value);
    let _ = extension::read_authority_info_access(value);
    let _ = extension::read_certificate_policies(value);
    let _ = extension::read_no_rev_avail(value);
    if let Ok(digest) = extension::read_acme_identifier(value) {
        assert_eq!(extension::acme_identifier(&digest).value, value);
    }
}
