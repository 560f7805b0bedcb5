use std::sync::LazyLock;

use pkix::{
    csr::{CertificateRequest, LONGEST_REQUEST},
    key::KeyBlocklist,
    oid,
};

use super::names::{REGISTRY, is_shown, is_written_as_read};

/// Certificate requests (INCIDENTS T26), with everything that finalize asks of one.
pub fn csr(data: &[u8]) {
    let Ok(request) = CertificateRequest::parse(data) else {
        return;
    };
    assert!(data.len() <= LONGEST_REQUEST);
    assert_eq!(request.der(), data);
    for name in request.subject_alternative_names() {
        is_written_as_read(name);
        let _ = REGISTRY.read_general_name(name);
    }
    for name in request.common_names() {
        let _ = REGISTRY.read_common_name(name);
    }
    is_shown(&request.subject().to_string());
    assert!(!request.subject_is_empty() || request.common_names().is_empty());
    let listed = request.requested_extensions();
    for extension in listed {
        assert_eq!(request.requested_extension(&extension.oid), Some(extension));
    }
    for kind in [oid::CA_SIGNING_NONCE, oid::APPLICANT_SIGNING_NONCE] {
        let _ = request.octets_of_attribute(&kind);
    }
    let _ = (request.asks_for_ca(), request.sha256());
    let key = request.public_key();
    let _ = (
        key.weakness_or_blocked(&BLOCKLIST),
        key.key_identifier(),
        key.fingerprint(),
    );
    if request.verify_self_signature().is_ok() {
        assert_eq!(CertificateRequest::parse(data), Ok(request));
    }
}

static BLOCKLIST: LazyLock<KeyBlocklist> = LazyLock::new(KeyBlocklist::default);
