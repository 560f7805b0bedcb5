//! Addresses of hidden services, version 3 (RFC 9799 §2, Tor's rend-spec-v3 "Encoding onion addresses").

use std::fmt;

use aws_lc_rs::digest::{Context, SHA3_256};

use crate::key::{KeyError, SignatureAlgorithm, SignatureError, SubjectPublicKey};

/// A service, which is its Ed25519 key: the label before `.onion` is the key with a checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnionAddress([u8; 32]);

/// Why a name below `.onion` names no service. Each ends a sentence that begins with the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnionError {
    #[error("names no hidden service: before .onion stands nothing")]
    Bare,
    #[error("is an address of version 2, which is insecure and no longer used; use the service's version 3 address")]
    VersionTwo,
    #[error("has {0} characters before .onion where an address of version 3 has 56")]
    Length(usize),
    #[error("has a character before .onion that is not of base32 (a to z, 2 to 7)")]
    Alphabet,
    #[error("is an address of version {0}; only version 3 is known")]
    Version(u8),
    #[error("has a wrong checksum, so a character of it is mistyped")]
    Checksum,
}

impl OnionAddress {
    pub fn of_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The service that a host name without `*.` belongs to, which is the label before `.onion` whatever stands before
    /// that. `None` for names elsewhere.
    pub fn of_host(host: &str) -> Option<Result<Self, OnionError>> {
        let lower = host.to_ascii_lowercase();
        if lower == TOP {
            return Some(Err(OnionError::Bare));
        }
        let below = lower.strip_suffix(TOP)?.strip_suffix('.')?;
        Some(Self::of_label(below.rsplit('.').next().unwrap_or(below)))
    }

    fn of_label(label: &str) -> Result<Self, OnionError> {
        match label.len() {
            LENGTH => {}
            0 => return Err(OnionError::Bare),
            VERSION_TWO => return Err(OnionError::VersionTwo),
            other => return Err(OnionError::Length(other)),
        }
        let octets = base32(label).ok_or(OnionError::Alphabet)?;
        let (key, rest) = octets
            .split_first_chunk::<32>()
            .expect("invariant: 56 characters are 35 octets");
        if rest[2] != VERSION {
            return Err(OnionError::Version(rest[2]));
        }
        match rest[..2] == checksum(key) {
            true => Ok(Self(*key)),
            false => Err(OnionError::Checksum),
        }
    }

    /// As a certificate request has it (RFC 8410 §4).
    pub fn public_key(&self) -> Result<SubjectPublicKey, KeyError> {
        SubjectPublicKey::from_spki_der(&self.spki_der())
    }

    pub fn spki_der(&self) -> Vec<u8> {
        [&ED25519_SPKI[..], &self.0].concat()
    }

    /// Whether the service signed this.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let key = self.public_key().map_err(|_| SignatureError::Wrong)?;
        key.verify(&SignatureAlgorithm::Ed25519, message, signature)
    }
}

/// The address as a host name.
impl fmt::Display for OnionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = [&self.0[..], &checksum(&self.0), &[VERSION]].concat();
        // 35 octets are seven times eight characters, and nothing is left over.
        for group in octets.chunks(5) {
            let bits = group.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
            for place in (0..8).rev() {
                let digit = (bits >> (5 * place) & 31) as usize;
                write!(f, "{}", char::from(ALPHABET[digit]))?;
            }
        }
        write!(f, ".{TOP}")
    }
}

impl fmt::Debug for OnionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnionAddress({self})")
    }
}

fn checksum(key: &[u8; 32]) -> [u8; 2] {
    let mut context = Context::new(&SHA3_256);
    context.update(b".onion checksum");
    context.update(key);
    context.update(&[VERSION]);
    let hash = context.finish();
    [hash.as_ref()[0], hash.as_ref()[1]]
}

/// RFC 4648 §6 in lower case, for whole groups of eight.
fn base32(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 8 * 5);
    for group in text.as_bytes().chunks(8) {
        let mut bits = 0_u64;
        for character in group {
            let digit = ALPHABET.iter().position(|known| known == character)?;
            bits = bits << 5 | digit as u64;
        }
        octets.extend_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(octets)
}

const TOP: &str = "onion";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LENGTH: usize = 56;
const VERSION_TWO: usize = 16;
const VERSION: u8 = 3;
/// SubjectPublicKeyInfo of Ed25519 up to the key.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyPair;

    /// Of services that everybody knows, and the RFC's own.
    const PUBLIC: [&str; 3] = [
        "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion",
        "bbcweb3hytmzhn5d532owbu6oqadra5z3ar726vq5kgwwn6aucdccrad.onion",
        "5anebu2glyc235wbbop3m2ukzlaptpkq333vdtdvcjpigyb7x2i2m2qd.onion",
    ];

    // 9799-2-1
    #[test]
    fn addresses_of_version_3_are_read_with_whatever_stands_before_them() {
        for text in PUBLIC {
            let address = OnionAddress::of_host(text).unwrap().unwrap();
            assert_eq!(address.to_string(), text);
            for host in [format!("www.{text}"), format!("a.b.{text}"), text.to_ascii_uppercase()] {
                assert_eq!(OnionAddress::of_host(&host), Some(Ok(address)), "{host}");
            }
        }
        for elsewhere in ["onion.example", "onion.", "notonion", "a.notonion", ""] {
            assert_eq!(OnionAddress::of_host(elsewhere), None, "{elsewhere}");
        }
    }

    // 9799-2-1
    #[test]
    fn what_is_no_address_of_version_3_is_refused_by_its_reason() {
        let label = PUBLIC[0].strip_suffix(".onion").unwrap();
        let of = |host: &str| OnionAddress::of_host(host).unwrap().unwrap_err();
        assert_eq!(of("onion"), OnionError::Bare);
        assert_eq!(of(".onion"), OnionError::Bare);
        assert_eq!(of("expyuzz4wqqyqhjn.onion"), OnionError::VersionTwo);
        assert_eq!(of(&format!("{}.onion", &label[1..])), OnionError::Length(55));
        assert_eq!(of(&format!("{label}.www.onion")), OnionError::Length(3));
        assert_eq!(of(&format!("1{}.onion", &label[1..])), OnionError::Alphabet);
        assert_eq!(of(&format!("e{}.onion", &label[1..])), OnionError::Checksum);
        assert_eq!(of(&format!("{}e.onion", &label[..55])), OnionError::Version(4));
        // Every character is under the checksum.
        for at in 0..54 {
            let other = if &label[at..=at] == "a" { "b" } else { "a" };
            let mistyped = format!("{}{other}{}.onion", &label[..at], &label[at + 1..]);
            assert!(OnionAddress::of_host(&mistyped).unwrap().is_err(), "{mistyped}");
        }
    }

    #[test]
    fn a_service_signs_by_the_key_that_it_is() {
        let pair = KeyPair::generate_ed25519();
        let key: [u8; 32] = pair.public_key().key_bits().try_into().unwrap();
        let address = OnionAddress::of_key(key);
        assert_eq!(address.spki_der(), pair.public_key().spki_der());
        assert_eq!(OnionAddress::of_host(&address.to_string()), Some(Ok(address)));
        let signature = pair.sign(b"message");
        assert_eq!(address.verify(b"message", &signature), Ok(()));
        assert_eq!(address.verify(b"massage", &signature), Err(SignatureError::Wrong));
        assert!(OnionAddress::of_key([2; 32]).verify(b"message", &signature).is_err());
    }
}
