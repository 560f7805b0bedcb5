//! Certificates that nobody trusts: of tls-alpn-01 (RFC 8737 §3), and of HTTPS that a redirect leads to.
//!
//! Their dates and serials are no facts about anything: validators look at names and digests, and a fixed span keeps
//! the clock out.

use aws_lc_rs::digest;
use client::Identifier;
use jiff::Timestamp;
use pkix::{
    certificate::{Serial, TbsCertificate, assemble},
    extension::{Extension, acme_identifier, subject_alternative_names},
    key::KeyPair,
    name::{DistinguishedName, GeneralName},
};
use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

/// Self-signed, for exactly this name, with the digest in a critical extension.
pub fn of_challenge(host: &Identifier, key_authorization: &str) -> CertifiedKey {
    let digest = sha256(key_authorization.as_bytes());
    self_signed(host.to_general_name(), Some(acme_identifier(&digest)))
}

/// Self-signed, for a name that no request has.
pub fn of_https() -> CertifiedKey {
    self_signed(GeneralName::Dns("challenges.invalid".into()), None)
}

fn self_signed(name: GeneralName, more: Option<Extension>) -> CertifiedKey {
    let key = KeyPair::generate_p256();
    let subject = DistinguishedName::with_common_name("Challenge responder").expect("invariant: a common name");
    let names = subject_alternative_names(&[name], false).expect("invariant: a name that was read can be written");
    let serial = key.public_key().key_identifier();
    let tbs = TbsCertificate {
        serial: Serial::from_random::<16>(std::array::from_fn(|at| serial[at])),
        signature_algorithm: key.algorithm(),
        issuer: subject.clone(),
        not_before: date("2000-01-01T00:00:00Z"),
        not_after: date("2099-12-31T23:59:59Z"),
        subject,
        public_key: key.public_key().clone(),
        extensions: [names].into_iter().chain(more).collect(),
    };
    let tbs = tbs.to_der();
    let der = assemble(&tbs, key.algorithm(), &key.sign(&tbs));
    let private = PrivateKeyDer::Pkcs8(key.to_pkcs8_der().to_vec().into());
    let private = any_supported_type(&private).expect("invariant: the TLS library signs with P-256");
    // Not `CertifiedKey::from_der`: it parses the certificate and refuses the critical extension.
    CertifiedKey::new(vec![CertificateDer::from(der)], private)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 octets")
}

fn date(text: &str) -> Timestamp {
    text.parse().expect("invariant: a date")
}
