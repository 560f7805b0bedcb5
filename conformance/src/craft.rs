//! Certificate requests and certificates that no decent library makes.
//!
//! The DER is written by hand, so that nothing is checked on the way.

use std::net::IpAddr;

use jose::SigningKey;
use pkix::{ObjectIdentifier, key::KeyPair, oid};

/// One element.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        len @ 0..128 => der.push(len as u8),
        len @ 128..256 => der.extend([0x81, len as u8]),
        len => der.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    der.extend_from_slice(content);
    der
}

pub fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

pub fn set(elements: &[&[u8]]) -> Vec<u8> {
    element(0x31, &elements.concat())
}

pub fn oid_element(oid: &ObjectIdentifier) -> Vec<u8> {
    element(0x06, oid.as_bytes())
}

/// A subject with these common names, as UTF8String.
pub fn subject(common_names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = common_names
        .iter()
        .map(|name| {
            let attribute = sequence(&[&oid_element(&oid::COMMON_NAME), &element(0x0c, name.as_bytes())]);
            set(&[&attribute])
        })
        .collect();
    element(0x30, &names.concat())
}

/// Kinds of GeneralName (RFC 5280 §4.2.1.6).
pub fn dns(name: &str) -> Vec<u8> {
    element(0x82, name.as_bytes())
}

pub fn email(address: &str) -> Vec<u8> {
    element(0x81, address.as_bytes())
}

pub fn uri(uri: &str) -> Vec<u8> {
    element(0x86, uri.as_bytes())
}

pub fn ip(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => element(0x87, &v4.octets()),
        IpAddr::V6(v6) => element(0x87, &v6.octets()),
    }
}

pub fn registered_id() -> Vec<u8> {
    element(0x88, oid::SERVER_AUTH.as_bytes())
}

pub fn directory_name(common_name: &str) -> Vec<u8> {
    element(0xa4, &subject(&[common_name]))
}

/// An SRVName (RFC 4985).
pub fn other_name(text: &str) -> Vec<u8> {
    let value = element(0xa0, &element(0x16, text.as_bytes()));
    element(0xa0, &[oid_element(&oid::SRV_NAME), value].concat())
}

/// A name of kinds that no profile knows: x400Address [3] and ediPartyName [5].
pub fn exotic(number: u8) -> Vec<u8> {
    element(0xa0 + number, &element(0x81, b"party"))
}

pub fn extension(oid: &ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&oid_element(oid), critical, &element(0x04, value)])
}

/// subjectAltName with these names.
pub fn alternative_names(names: &[Vec<u8>]) -> Vec<u8> {
    extension(&oid::SUBJECT_ALTERNATIVE_NAME, false, &element(0x30, &names.concat()))
}

/// basicConstraints with cA.
pub fn certificate_authority() -> Vec<u8> {
    extension(&oid::BASIC_CONSTRAINTS, true, &sequence(&[&[0x01, 0x01, 0xff]]))
}

/// keyUsage with keyCertSign alone.
pub fn certificate_signing() -> Vec<u8> {
    extension(&oid::KEY_USAGE, true, &[0x03, 0x02, 0x02, 0x04])
}

/// The extensionRequest attribute (RFC 2985 §5.4.2).
pub fn extension_request(extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = element(0x30, &extensions.concat());
    sequence(&[&oid_element(&oid::EXTENSION_REQUEST), &set(&[&list])])
}

/// A request of these parts, signed with `key`.
pub fn csr_of(key: &KeyPair, spki: &[u8], subject: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = element(0xa0, &attributes.concat());
    let info = sequence(&[&[0x02, 0x01, 0x00], subject, spki, &attributes]);
    sign_info(&info, key.algorithm().der(), &key.sign(&info))
}

fn sign_info(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(signature);
    sequence(&[info, algorithm, &element(0x03, &bits)])
}

/// A request with common names and alternative names.
pub fn csr(key: &KeyPair, common_names: &[&str], names: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if names.is_empty() {
        Vec::new()
    } else {
        vec![extension_request(&[alternative_names(names)])]
    };
    csr_of(key, key.public_key().spki_der(), &subject(common_names), &extensions)
}

/// The usual request: the names as dNSNames.
pub fn csr_for(key: &KeyPair, names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|name| dns(name)).collect();
    csr(key, &[], &names)
}

/// The certificate key's other face.
pub fn key_pair(key: &SigningKey) -> Option<KeyPair> {
    KeyPair::from_pkcs8_der(&key.to_pkcs8_der()).ok()
}

pub fn signing_key(key: &KeyPair) -> Option<SigningKey> {
    SigningKey::from_pkcs8_der(&key.to_pkcs8_der()).ok()
}

/// A self-signed certificate of tls-alpn-01, or what an attacker makes of it.
pub struct Presented {
    pub names: Vec<Vec<u8>>,
    /// Whole extensions besides the names.
    pub extensions: Vec<Vec<u8>>,
    pub expired: bool,
}

impl Presented {
    /// A right one (RFC 8737 §3).
    pub fn right(name: Vec<u8>, digest: &[u8; 32]) -> Self {
        Self {
            names: vec![name],
            extensions: vec![acme_identifier(true, &element(0x04, digest))],
            expired: false,
        }
    }

    pub fn sign(&self, key: &KeyPair) -> Vec<u8> {
        let algorithm = key.algorithm();
        let (from, to): (&[u8], &[u8]) = match self.expired {
            true => (b"200101000000Z", b"200108000000Z"),
            false => (b"200101000000Z", b"491231235959Z"),
        };
        let validity = sequence(&[&element(0x17, from), &element(0x17, to)]);
        let mut extensions = vec![alternative_names(&self.names)];
        extensions.extend(self.extensions.iter().cloned());
        let extensions = element(0xa3, &element(0x30, &extensions.concat()));
        let name = subject(&["acme challenge"]);
        let spki = key.public_key().spki_der();
        let version = element(0xa0, &[0x02, 0x01, 0x02]);
        let serial = [0x02, 0x02, 0x12, 0x34];
        let tbs = sequence(&[
            &version,
            &serial,
            algorithm.der(),
            &name,
            &validity,
            &name,
            spki,
            &extensions,
        ]);
        sign_info(&tbs, algorithm.der(), &key.sign(&tbs))
    }
}

/// acmeIdentifier with any value.
pub fn acme_identifier(critical: bool, value: &[u8]) -> Vec<u8> {
    extension(&oid::ACME_IDENTIFIER, critical, value)
}
