//! T26: requests that parsers read differently, each made by hand and signed by a real key.

use pkix::DerError;
use pkix::csr::{CertificateRequest, CsrError, LONGEST_REQUEST, build_csr};
use pkix::extension::{self as ext, Extension, ExtensionError, KeyUsage};
use pkix::key::{KeyPair, SignatureError};
use pkix::name::{GeneralName, NameError};
use pkix::oid;

/// One element, with lengths as DER wants them.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&header, content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

const VERSION: &[u8] = &[2, 1, 0];
const EXTENSION_REQUEST: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
const CHALLENGE_PASSWORD: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";

struct Maker {
    key: KeyPair,
}

impl Maker {
    fn new() -> Self {
        Self {
            key: KeyPair::generate_p256(),
        }
    }

    fn spki(&self) -> &[u8] {
        self.key.public_key().spki_der()
    }

    /// A request over these fields of its signed part.
    fn request(&self, fields: &[&[u8]]) -> Vec<u8> {
        let info = sequence(fields);
        let signature = [&[0][..], &self.key.sign(&info)].concat();
        sequence(&[&info, self.key.algorithm().der(), &tlv(3, &signature)])
    }

    fn with_subject(&self, subject: &[u8]) -> Result<CertificateRequest, CsrError> {
        CertificateRequest::parse(&self.request(&[VERSION, subject, self.spki(), &tlv(0xa0, &[])]))
    }

    fn with_attributes(&self, attributes: &[u8]) -> Result<CertificateRequest, CsrError> {
        CertificateRequest::parse(&self.request(&[VERSION, &[0x30, 0], self.spki(), &tlv(0xa0, attributes)]))
    }

    fn with_extensions(&self, extensions: &[&[u8]]) -> Result<CertificateRequest, CsrError> {
        self.with_attributes(&sequence(&[EXTENSION_REQUEST, &tlv(0x31, &sequence(extensions))]))
    }
}

fn common_name(tag: u8, octets: &[u8]) -> Vec<u8> {
    tlv(0x31, &sequence(&[&[6, 3, 0x55, 4, 3], &tlv(tag, octets)]))
}

fn encoded(extension: &Extension) -> Vec<u8> {
    let critical: &[u8] = if extension.critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&tlv(6, extension.oid.as_bytes()), critical, &tlv(4, &extension.value)])
}

fn names(name: &str) -> Vec<u8> {
    encoded(&ext::subject_alternative_names(&[GeneralName::Dns(name.into())], false).unwrap())
}

const NOT_CANONICAL: CsrError = CsrError::Der(DerError::NotCanonical);

#[test]
fn our_own_request_is_read_back() {
    let key = KeyPair::generate_p384();
    let names = [
        GeneralName::Dns("example.org".into()),
        GeneralName::Ip("192.0.2.1".parse().unwrap()),
    ];
    let der = build_csr(&key, Some("example.org"), &names).unwrap();
    let request = CertificateRequest::parse(&der).unwrap();
    request.verify_self_signature().unwrap();
    assert_eq!(request.public_key(), key.public_key());
    assert_eq!(request.common_names(), ["example.org"]);
    assert!(!request.subject_is_empty() && !request.asks_for_ca());
    assert_eq!(request.subject_alternative_names(), names);
    assert_eq!(request.der(), der);
}

#[test]
fn a_request_without_the_field_of_attributes_is_read() {
    let maker = Maker::new();
    let der = maker.request(&[VERSION, &sequence(&[&common_name(0x0c, b"example.org")]), maker.spki()]);
    let request = CertificateRequest::parse(&der).unwrap();
    request.verify_self_signature().unwrap();
    assert_eq!(request.common_names(), ["example.org"]);
    assert!(request.subject_alternative_names().is_empty() && request.requested_extensions().is_empty());
}

#[test]
fn other_attributes_do_not_hinder() {
    let maker = Maker::new();
    let password = sequence(&[CHALLENGE_PASSWORD, &tlv(0x31, &tlv(0x0c, b"secret"))]);
    let request = sequence(&[EXTENSION_REQUEST, &tlv(0x31, &sequence(&[&names("example.org")]))]);
    let read = maker
        .with_attributes(&[password.clone(), request.clone()].concat())
        .unwrap();
    assert_eq!(
        read.subject_alternative_names(),
        [GeneralName::Dns("example.org".into())]
    );
    // X.690 §11.6: a SET OF is sorted
    assert_eq!(maker.with_attributes(&[request, password].concat()), Err(NOT_CANONICAL));
}

// T26
#[test]
fn t26_two_common_names_are_both_told() {
    let both = sequence(&[&common_name(0x0c, b"a.example"), &common_name(0x13, b"b.example")]);
    let request = Maker::new().with_subject(&both).unwrap();
    assert_eq!(request.common_names(), ["a.example", "b.example"]);
}

// T26
#[test]
fn t26_a_common_name_in_an_old_string_type_is_refused() {
    let maker = Maker::new();
    for (tag, octets) in [
        (0x1e, &b"\0a\0.\0b"[..]),
        (0x14, b"a.b"),
        (0x16, b"a.b"),
        (0x04, b"a.b"),
    ] {
        let refusal = maker.with_subject(&sequence(&[&common_name(tag, octets)])).unwrap_err();
        assert!(
            matches!(refusal, CsrError::Name(NameError::StringType(_))),
            "{tag:#x}: {refusal}"
        );
    }
    // UniversalString; a PrintableString with a character that it does not have
    assert!(
        maker
            .with_subject(&sequence(&[&common_name(0x1c, b"\0\0\0a")]))
            .is_err()
    );
    assert!(
        maker
            .with_subject(&sequence(&[&common_name(0x13, b"*.example")]))
            .is_err()
    );
    assert!(
        maker
            .with_subject(&sequence(&[&common_name(0x0c, b"\xc3\x28")]))
            .is_err()
    );
    assert!(maker.with_subject(&sequence(&[&tlv(0x31, &[])])).is_err());
}

// T26
#[test]
fn t26_lengths_that_are_not_minimal_are_refused() {
    let maker = Maker::new();
    let good = maker.request(&[VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0]]);
    assert!(CertificateRequest::parse(&good).is_ok());
    // the subject, the attributes and the version with overlong lengths, the version with a leading zero
    for fields in [
        [VERSION, &[0x30, 0x81, 0], maker.spki(), &[0xa0, 0]],
        [VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0x81, 0]],
        [&[2, 0x81, 1, 0], &[0x30, 0], maker.spki(), &[0xa0, 0]],
        [&[2, 2, 0, 0], &[0x30, 0], maker.spki(), &[0xa0, 0]],
        [VERSION, &[0x30, 0x80, 0, 0], maker.spki(), &[0xa0, 0]],
    ] {
        assert!(matches!(
            CertificateRequest::parse(&maker.request(&fields)),
            Err(CsrError::Der(_))
        ));
    }
    let overlong = [&[0x30, 0x82, 0, good.len() as u8 - 3][..], &good[3..]].concat();
    assert!(matches!(CertificateRequest::parse(&overlong), Err(CsrError::Der(_))));
}

// T26
#[test]
fn t26_a_name_in_an_attribute_deep_inside_must_be_der_too() {
    let maker = Maker::new();
    let value = |octets: &[u8]| sequence(&[&[6, 3, 0x55, 0x1d, 0x11], &tlv(4, octets)]);
    let read = |octets: &[u8]| maker.with_extensions(&[&value(octets)]);
    assert!(read(b"\x30\x03\x82\x01a").is_ok());
    assert!(matches!(
        read(b"\x30\x81\x03\x82\x01a"),
        Err(CsrError::Extension(oid::SUBJECT_ALTERNATIVE_NAME, _))
    ));
    assert!(read(b"\x30\x04\x82\x81\x01a").is_err());
    assert!(read(b"\x30\x03\x82\x01a\x00").is_err());
    assert!(read(b"\x30\x00").is_err());
    assert!(read(b"\x30\x04\x82\x02\xc3\xa9").is_err());
    assert!(read(b"\x30\x05\x87\x03\x01\x02\x03").is_err());
}

#[test]
fn trailing_octets_and_other_versions_are_refused() {
    let maker = Maker::new();
    let good = maker.request(&[VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0]]);
    assert!(CertificateRequest::parse(&[&good[..], &[0]].concat()).is_err());
    assert!(CertificateRequest::parse(&good[..good.len() - 1]).is_err());
    assert!(
        CertificateRequest::parse(&maker.request(&[VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0], &[5, 0]])).is_err()
    );
    let v3 = maker.request(&[&[2, 1, 2], &[0x30, 0], maker.spki(), &[0xa0, 0]]);
    assert_eq!(CertificateRequest::parse(&v3), Err(CsrError::Version(2)));
    assert_eq!(
        CertificateRequest::parse(&vec![0x30; LONGEST_REQUEST + 1]),
        Err(CsrError::TooLong(LONGEST_REQUEST + 1))
    );
}

// T26
#[test]
fn t26_extensions_are_asked_for_once() {
    let maker = Maker::new();
    let (a, b) = (names("a.example"), names("b.example"));
    assert_eq!(
        maker.with_extensions(&[&a, &b]),
        Err(CsrError::Extensions(ExtensionError::Duplicate(
            oid::SUBJECT_ALTERNATIVE_NAME
        )))
    );
    let attribute = |extension: &[u8]| sequence(&[EXTENSION_REQUEST, &tlv(0x31, &sequence(&[extension]))]);
    assert_eq!(
        maker.with_attributes(&[attribute(&a), attribute(&b)].concat()),
        Err(CsrError::SeveralExtensionRequests)
    );
    let two_values = sequence(&[
        EXTENSION_REQUEST,
        &tlv(0x31, &[sequence(&[&a]), sequence(&[&b])].concat()),
    ]);
    assert_eq!(
        maker.with_attributes(&two_values),
        Err(CsrError::SeveralExtensionRequests)
    );
    let no_value = sequence(&[EXTENSION_REQUEST, &tlv(0x31, &[])]);
    assert_eq!(
        maker.with_attributes(&no_value),
        Err(CsrError::SeveralExtensionRequests)
    );
}

// T26
#[test]
fn t26_an_extension_under_a_padded_identifier_is_refused() {
    let maker = Maker::new();
    let padded = sequence(&[&[6, 4, 0x55, 0x1d, 0x80, 0x11], &tlv(4, b"\x30\x03\x82\x01a")]);
    assert_eq!(maker.with_extensions(&[&padded]), Err(NOT_CANONICAL));
    assert_eq!(maker.with_extensions(&[&names("a"), &padded]), Err(NOT_CANONICAL));
}

// T26
#[test]
fn t26_a_written_out_default_is_refused() {
    let maker = Maker::new();
    let explicit = sequence(&[&[6, 3, 0x55, 0x1d, 0x11], &[1, 1, 0], &tlv(4, b"\x30\x03\x82\x01a")]);
    assert_eq!(maker.with_extensions(&[&explicit]), Err(NOT_CANONICAL));
    let ber_true = sequence(&[&[6, 3, 0x55, 0x1d, 0x11], &[1, 1, 1], &tlv(4, b"\x30\x03\x82\x01a")]);
    assert!(maker.with_extensions(&[&ber_true]).is_err());
}

// 8555-7.4-10
#[test]
fn asking_for_an_authority_is_told() {
    let maker = Maker::new();
    let asks = |extension: Extension| maker.with_extensions(&[&encoded(&extension)]).unwrap().asks_for_ca();
    assert!(asks(ext::basic_constraints(true, None)));
    assert!(!asks(ext::basic_constraints(false, None)));
    assert!(asks(ext::key_usage(
        KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_CERT_SIGN
    )));
    assert!(!asks(ext::key_usage(KeyUsage::DIGITAL_SIGNATURE)));
    let illegible = Extension {
        oid: oid::BASIC_CONSTRAINTS,
        critical: true,
        value: vec![0x30, 3, 1, 1, 1],
    };
    assert!(maker.with_extensions(&[&encoded(&illegible)]).is_err());
}

// 8555-7.4-7
#[test]
fn a_wrong_signature_is_well_formed_and_does_not_verify() {
    let maker = Maker::new();
    let good = maker.request(&[VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0]]);
    let mut other = good.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    let request = CertificateRequest::parse(&other).unwrap();
    assert_eq!(
        request.verify_self_signature(),
        Err(CsrError::Signature(SignatureError::Wrong))
    );

    // signed by another key, and by an algorithm that is not ours
    let info = sequence(&[VERSION, &[0x30, 0], maker.spki(), &[0xa0, 0]]);
    let other = KeyPair::generate_p256();
    let signature = [&[0][..], &other.sign(&info)].concat();
    let signed_by_another = sequence(&[&info, other.algorithm().der(), &tlv(3, &signature)]);
    assert!(
        CertificateRequest::parse(&signed_by_another)
            .unwrap()
            .verify_self_signature()
            .is_err()
    );
    let sha1 = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01";
    let with_sha1 = CertificateRequest::parse(&sequence(&[&info, sha1, &tlv(3, &signature)])).unwrap();
    assert_eq!(
        with_sha1.verify_self_signature(),
        Err(CsrError::Signature(SignatureError::UnknownAlgorithm))
    );
    let odd_bits = sequence(&[&info, other.algorithm().der(), &tlv(3, &[4, 0xf0])]);
    assert_eq!(CertificateRequest::parse(&odd_bits), Err(CsrError::SignatureBits));
}
