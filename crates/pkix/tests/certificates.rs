//! Certificates that others made, well and badly.

use pkix::certificate::{
    Certificate, CertificateError, PeerCertificate, Serial, SerialError, TbsCertificate, assemble,
};
use pkix::extension as ext;
use pkix::key::{KeyPair, SignatureAlgorithm};
use pkix::name::{DistinguishedName, GeneralName};
use pkix::{DerError, oid};

struct Maker {
    key: KeyPair,
    tbs: TbsCertificate,
}

impl Maker {
    fn new() -> Self {
        let key = KeyPair::generate_p256();
        let names = [GeneralName::Dns("example.org".into())];
        let tbs = TbsCertificate {
            serial: Serial::from_random([9; 16]),
            signature_algorithm: key.algorithm(),
            issuer: DistinguishedName::with_common_name("Issuer").unwrap(),
            not_before: "2024-05-01T00:00:00Z".parse().unwrap(),
            not_after: "2024-07-29T23:59:59Z".parse().unwrap(),
            subject: DistinguishedName::with_common_name("example.org").unwrap(),
            public_key: key.public_key().clone(),
            extensions: vec![
                ext::subject_alternative_names(&names, false).unwrap(),
                ext::acme_identifier(&[0x5a; 32]),
            ],
        };
        Self { key, tbs }
    }

    fn certificate(&self) -> Vec<u8> {
        self.signed(&self.tbs.to_der())
    }

    fn signed(&self, tbs: &[u8]) -> Vec<u8> {
        assemble(tbs, self.key.algorithm(), &self.key.sign(tbs))
    }

    /// The signed part with other octets in one place, signed again.
    fn patched(&self, old: &[u8], new: &[u8]) -> Vec<u8> {
        let tbs = self.tbs.to_der();
        assert_eq!(old.len(), new.len());
        let at = tbs.windows(old.len()).position(|window| window == old).unwrap();
        self.signed(&[&tbs[..at], new, &tbs[at + old.len()..]].concat())
    }
}

#[test]
fn every_field_of_a_certificate_is_told() {
    let maker = Maker::new();
    let der = maker.certificate();
    let certificate = Certificate::parse(&der).unwrap();
    assert_eq!(certificate.der(), der);
    assert_eq!(certificate.tbs_der(), maker.tbs.to_der());
    assert_eq!(certificate.serial(), &maker.tbs.serial);
    assert_eq!(certificate.issuer(), &maker.tbs.issuer);
    assert_eq!(
        (certificate.not_before(), certificate.not_after()),
        (maker.tbs.not_before, maker.tbs.not_after)
    );
    assert_eq!(certificate.subject_common_name().as_deref(), Some("example.org"));
    assert_eq!(certificate.names(), [GeneralName::Dns("example.org".into())]);
    assert_eq!(certificate.spki_der(), maker.key.public_key().spki_der());
    assert_eq!(certificate.extensions(), maker.tbs.extensions);
    assert_eq!(certificate.signature_algorithm(), Some(SignatureAlgorithm::EcdsaSha256));
    assert!(!certificate.is_ca());
    certificate.verify_signed_by(maker.key.public_key()).unwrap();
}

// T26
#[test]
fn t26_a_negative_zero_or_overlong_serial_is_refused() {
    let maker = Maker::new();
    let content = maker.tbs.serial.der_content();
    let serial = [&[2, 17], content].concat();
    let negative = [&[2, 17, 0x81], &content[1..]].concat();
    let refusal = Certificate::parse(&maker.patched(&serial, &negative));
    assert_eq!(refusal, Err(CertificateError::Serial(SerialError::NotPositive)));
    let padded = [&[2, 17, 0, 1], &content[2..]].concat();
    assert!(matches!(
        Certificate::parse(&maker.patched(&serial, &padded)),
        Err(CertificateError::Der(_))
    ));
}

// 8737-4-2: serial numbers of throw-away certificates are what their makers liked
#[test]
fn a_peers_certificate_may_have_any_serial() {
    let maker = Maker::new();
    let content = maker.tbs.serial.der_content();
    let negative = [&[2, 17, 0x81], &content[1..]].concat();
    let peer = PeerCertificate::parse(&maker.patched(&[&[2, 17], content].concat(), &negative)).unwrap();
    assert_eq!(peer.names(), [GeneralName::Dns("example.org".into())]);
    let digest = peer.extension(&oid::ACME_IDENTIFIER).unwrap();
    assert!(digest.critical);
    assert_eq!(ext::read_acme_identifier(&digest.value).unwrap(), [0x5a; 32]);
    assert_eq!(peer.public_key().unwrap(), *maker.key.public_key());
}

// 8737-3-8
#[test]
fn a_peers_certificate_with_an_extension_twice_is_refused() {
    let mut maker = Maker::new();
    maker.tbs.extensions.push(ext::acme_identifier(&[1; 32]));
    let duplicate = CertificateError::Extensions(ext::ExtensionError::Duplicate(oid::ACME_IDENTIFIER));
    assert_eq!(PeerCertificate::parse(&maker.certificate()), Err(duplicate.clone()));
    assert_eq!(Certificate::parse(&maker.certificate()), Err(duplicate));
}

#[test]
fn algorithms_inside_and_outside_must_be_the_same() {
    let maker = Maker::new();
    let tbs = maker.tbs.to_der();
    let other = assemble(&tbs, SignatureAlgorithm::EcdsaSha384, &maker.key.sign(&tbs));
    assert_eq!(Certificate::parse(&other), Err(CertificateError::AlgorithmsDiffer));
}

#[test]
fn extensions_need_version_3() {
    let maker = Maker::new();
    let v2 = maker.patched(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);
    assert_eq!(Certificate::parse(&v2), Err(CertificateError::Version(2)));
    // v1 is the default and must not be written
    let v1 = maker.patched(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0]);
    assert_eq!(
        Certificate::parse(&v1),
        Err(CertificateError::Der(DerError::NotCanonical))
    );
}

#[test]
fn a_key_that_is_not_accepted_does_not_hide_the_certificate() {
    let maker = Maker::new();
    let spki = maker.key.public_key().spki_der();
    let mut off_curve = spki.to_vec();
    off_curve[90] ^= 1;
    let certificate = Certificate::parse(&maker.patched(spki, &off_curve)).unwrap();
    assert_eq!(certificate.spki_der(), off_curve);
    assert!(certificate.public_key().is_err());
}

#[test]
fn octets_before_after_or_missing_are_refused() {
    let der = Maker::new().certificate();
    assert!(Certificate::parse(&[&der[..], &[0]].concat()).is_err());
    assert!(Certificate::parse(&der[1..]).is_err());
    assert!(Certificate::parse(&der[..der.len() - 1]).is_err());
    assert!(matches!(
        Certificate::parse(&vec![0x30; 65537]),
        Err(CertificateError::TooLong(65537))
    ));
}
