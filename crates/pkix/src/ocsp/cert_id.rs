//! CertID: a serial number and hashes of who issued it (RFC 6960 §4.1.1).

use aws_lc_rs::digest;
use der::Sequence;
use der::asn1::{AnyRef, IntRef, OctetStringRef};

use crate::certificate::Serial;
use crate::encoding::{self, Raw};
use crate::key::SubjectPublicKey;
use crate::name::DistinguishedName;
use crate::{DerError, ObjectIdentifier, oid};

/// Which certificate is asked about. Answers repeat it octet by octet: clients compare, and whether the hash algorithm
/// has its NULL parameter differs between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertId {
    der: Vec<u8>,
    hash: Option<Hash>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Option<Serial>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct EncodedId<'a> {
    algorithm: EncodedAlgorithm<'a>,
    name_hash: &'a OctetStringRef,
    key_hash: &'a OctetStringRef,
    serial: IntRef<'a>,
}

#[derive(Clone, Debug, Sequence)]
struct EncodedAlgorithm<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

impl CertId {
    pub(super) fn from_der(der: &[u8]) -> Result<Self, DerError> {
        let id: EncodedId<'_> = encoding::decode(der)?;
        let plain = id.algorithm.parameters.is_none_or(AnyRef::is_null);
        let hash = match id.algorithm.oid {
            oid::SHA1 if plain => Some(Hash::Sha1),
            oid::SHA256 if plain => Some(Hash::Sha256),
            _ => None,
        };
        Ok(Self {
            der: der.to_vec(),
            hash,
            name_hash: id.name_hash.as_bytes().to_vec(),
            key_hash: id.key_hash.as_bytes().to_vec(),
            // What is not a serial number was never issued; asking for it is no crime.
            serial: Serial::from_der_content(id.serial.as_bytes()).ok(),
        })
    }

    pub(super) fn as_raw(&self) -> Raw<'_> {
        Raw(&self.der)
    }

    /// The serial number, if this is about a certificate of that issuer. Nothing as well for a hash algorithm that is
    /// not SHA-1 or SHA-256, and for a number that no certificate can have.
    pub fn serial_under(&self, issuer: &IssuerHashes) -> Option<&Serial> {
        let [name, key] = match self.hash? {
            Hash::Sha1 => [&issuer.sha1[0][..], &issuer.sha1[1]],
            Hash::Sha256 => [&issuer.sha256[0][..], &issuer.sha256[1]],
        };
        let is_meant = self.name_hash == name && self.key_hash == key;
        self.serial.as_ref().filter(|_| is_meant)
    }
}

/// The hashes by which requests call one issuer: of its name, and of its key (the content of the BIT STRING).
#[derive(Clone, Debug)]
pub struct IssuerHashes {
    sha1: [[u8; 20]; 2],
    sha256: [[u8; 32]; 2],
}

impl IssuerHashes {
    pub fn new(name: &DistinguishedName, key: &SubjectPublicKey) -> Self {
        let parts = [name.der(), key.key_bits()];
        Self {
            sha1: parts.map(sha1),
            sha256: parts.map(crate::key::sha256),
        }
    }

    /// By this hash a responder names itself (RFC 6960 §4.2.1, KeyHash).
    pub fn responder(&self) -> [u8; 20] {
        self.sha1[1]
    }
}

/// It tells issuers apart and protects nothing.
fn sha1(bytes: &[u8]) -> [u8; 20] {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    hash.as_ref().try_into().expect("invariant: SHA-1 has 20 octets")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::key::KeyPair;

    /// A CertID as clients write it.
    pub fn id(hash: ObjectIdentifier, parameters: bool, issuer: &IssuerHashes, serial: &[u8]) -> Vec<u8> {
        let [name, key] = match hash {
            oid::SHA1 => [&issuer.sha1[0][..], &issuer.sha1[1]],
            _ => [&issuer.sha256[0][..], &issuer.sha256[1]],
        };
        encoding::encode(&EncodedId {
            algorithm: EncodedAlgorithm {
                oid: hash,
                parameters: parameters.then_some(AnyRef::NULL),
            },
            name_hash: OctetStringRef::new(name).unwrap(),
            key_hash: OctetStringRef::new(key).unwrap(),
            serial: IntRef::new(serial).unwrap(),
        })
    }

    /// The same every time.
    pub fn known_issuer() -> IssuerHashes {
        IssuerHashes {
            sha1: [[1; 20], [2; 20]],
            sha256: [[3; 32], [4; 32]],
        }
    }

    pub fn issuer() -> IssuerHashes {
        let name = DistinguishedName::with_common_name("Issuing").unwrap();
        IssuerHashes::new(&name, KeyPair::generate_p256().public_key())
    }

    // 6960-1
    #[test]
    fn an_issuer_is_recognised_by_either_hash_with_or_without_parameters() {
        let (issuer, another) = (issuer(), issuer());
        for hash in [oid::SHA1, oid::SHA256] {
            for parameters in [true, false] {
                let read = CertId::from_der(&id(hash, parameters, &issuer, &[0x1f, 2])).unwrap();
                assert_eq!(read.serial_under(&issuer).unwrap().der_content(), [0x1f, 2]);
                assert_eq!(
                    read.serial_under(&another),
                    None,
                    "the name is the same, the key is not"
                );
            }
        }
    }

    #[test]
    fn a_hash_or_a_serial_that_is_none_of_ours_means_no_certificate() {
        let issuer = issuer();
        let sha384: ObjectIdentifier = "2.16.840.1.101.3.4.2.2".parse().unwrap();
        let unknown_hash = CertId::from_der(&id(sha384, true, &issuer, &[1])).unwrap();
        assert_eq!(unknown_hash.serial_under(&issuer), None);
        for serial in [&[0][..], &[0xff], &[1; 21]] {
            let read = CertId::from_der(&id(oid::SHA1, true, &issuer, serial)).unwrap();
            assert_eq!(read.serial_under(&issuer), None, "{serial:?}");
        }
    }

    #[test]
    fn the_responder_is_named_by_the_key_identifier_of_its_certificate() {
        let key = KeyPair::generate_p256();
        let hashes = IssuerHashes::new(&DistinguishedName::empty(), key.public_key());
        assert_eq!(hashes.responder(), key.public_key().key_identifier());
    }
}
