//! Key records (RFC 6376 §3.6.1, RFC 8463 §4).

use aws_lc_rs::{
    rsa,
    signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey},
};

use super::{Algorithm, Fault, tags::Tags};
use crate::{dns::Txt, message::transfer_base64};

/// A domain's public key, with what the domain says of its use.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    key: PublicKey,
    /// `t=y`: the domain is testing, its signatures count as none.
    pub is_testing: bool,
    /// `t=s`: the identity's domain must be the signature's own.
    pub is_strict: bool,
}

#[derive(Clone, Debug)]
enum PublicKey {
    Rsa { der: Vec<u8>, bits: usize },
    Ed25519(Vec<u8>),
}

impl KeyRecord {
    /// The record among what a key's name has. Two are undefined, so they are none (RFC 6376 §3.6.2.2).
    pub fn of(answer: &Txt) -> Result<Self, Fault> {
        match answer {
            Txt::Absent => Err(Fault::NoKey),
            Txt::Unavailable => Err(Fault::KeyUnavailable),
            Txt::Records(records) => match records.as_slice() {
                [] => Err(Fault::NoKey),
                [record] => Self::parse(record),
                _ => Err(Fault::SeveralKeys),
            },
        }
    }

    pub fn parse(record: &str) -> Result<Self, Fault> {
        if record.len() > MAX_RECORD {
            return Err(Fault::KeyRecord("it is too long"));
        }
        let tags = Tags::parse(record).map_err(|_| Fault::KeyRecord("it is no list of tags"))?;
        if tags
            .value("v")
            .is_some_and(|version| version != "DKIM1" || tags.first() != Some("v"))
        {
            return Err(Fault::KeyRecord("its version is not DKIM1"));
        }
        let lists = |tag: &str, wanted: &[&str]| {
            let packed = tags.packed(tag);
            packed.is_none_or(|list| list.split(':').any(|word| wanted.contains(&word)))
        };
        if !lists("h", &["sha256"]) {
            return Err(Fault::KeyHash);
        }
        if !lists("s", &["*", "email"]) {
            return Err(Fault::KeyService);
        }
        let data = tags.packed("p").ok_or(Fault::KeyRecord("it has no p="))?;
        if data.is_empty() {
            return Err(Fault::KeyRevoked);
        }
        let data = transfer_base64(data.as_bytes()).ok_or(Fault::KeyRecord("its p= is not base64"))?;
        let flags = tags.packed("t").unwrap_or_default();
        let flag = |wanted: &str| flags.split(':').any(|flag| flag == wanted);
        Ok(Self {
            key: PublicKey::of(tags.value("k").unwrap_or("rsa"), data)?,
            is_testing: flag("y"),
            is_strict: flag("s"),
        })
    }

    /// How long an RSA key is; `None` for one of another kind.
    pub fn rsa_bits(&self) -> Option<usize> {
        match &self.key {
            PublicKey::Rsa { bits, .. } => Some(*bits),
            PublicKey::Ed25519(_) => None,
        }
    }

    /// RFC 8301 §3.2 sets 1024 as the least that is verified at all.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        least_rsa_bits: usize,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Fault> {
        let verdict = match (&self.key, algorithm) {
            (PublicKey::Rsa { der, bits }, Algorithm::RsaSha256) => {
                let least = least_rsa_bits.max(LEAST_RSA_BITS);
                if *bits < least {
                    return Err(Fault::KeyTooSmall { bits: *bits, least });
                }
                UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der).verify(message, signature)
            }
            (PublicKey::Ed25519(key), Algorithm::Ed25519Sha256) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            _ => return Err(Fault::KeyType),
        };
        verdict.map_err(|_| Fault::Signature)
    }
}

impl PublicKey {
    fn of(kind: &str, data: Vec<u8>) -> Result<Self, Fault> {
        match kind {
            // The document says RSAPublicKey, its example and everybody's records are SubjectPublicKeyInfo: both are read.
            "rsa" => {
                let key = rsa::PublicKey::from_der(&data).map_err(|_| Fault::KeyRecord("its p= is no RSA key"))?;
                let modulus = key.modulus().big_endian_without_leading_zero();
                let zeros = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
                let bits = modulus.len() * 8 - zeros;
                Ok(Self::Rsa { der: data, bits })
            }
            "ed25519" if data.len() == 32 => Ok(Self::Ed25519(data)),
            "ed25519" => Err(Fault::KeyRecord("its p= is no Ed25519 key, which has 32 octets")),
            _ => Err(Fault::KeyType),
        }
    }
}

/// RFC 8301 §3.2.
pub const LEAST_RSA_BITS: usize = 1024;
/// A key of 8192 bits in base64 is 1400 characters.
const MAX_RECORD: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_record_says_how_its_key_is_used() {
        let key = KeyRecord::parse(&format!(
            "v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=y:s; n=a note; g=; {ED}"
        ))
        .unwrap();
        assert!(key.is_testing && key.is_strict);
        let key = KeyRecord::parse(&format!("k=ed25519; s=*; {ED}")).unwrap();
        assert!(!key.is_testing && !key.is_strict);
    }

    #[test]
    fn every_way_of_not_being_a_key_has_its_reason() {
        for (record, fault) in [
            ("v=DKIM1; p=", Fault::KeyRevoked),
            ("v=DKIM1; k=rsa", Fault::KeyRecord("it has no p=")),
            ("v=DKIM2; p=", Fault::KeyRecord("its version is not DKIM1")),
            ("p=; v=DKIM1", Fault::KeyRecord("its version is not DKIM1")),
            ("h=sha1; p=AA==", Fault::KeyHash),
            ("s=tlsrpt; p=AA==", Fault::KeyService),
            ("k=dsa; p=AA==", Fault::KeyType),
            ("p=*", Fault::KeyRecord("its p= is not base64")),
            ("p=AAAA", Fault::KeyRecord("its p= is no RSA key")),
            (
                "k=ed25519; p=AAAA",
                Fault::KeyRecord("its p= is no Ed25519 key, which has 32 octets"),
            ),
            ("spf", Fault::KeyRecord("it is no list of tags")),
        ] {
            assert_eq!(KeyRecord::parse(record).unwrap_err(), fault, "{record}");
        }
        let two = Txt::Records(vec!["p=".into(), "p=".into()]);
        for (answer, fault) in [
            (Txt::Absent, Fault::NoKey),
            (Txt::Unavailable, Fault::KeyUnavailable),
            (two, Fault::SeveralKeys),
        ] {
            assert_eq!(KeyRecord::of(&answer).unwrap_err(), fault);
        }
    }
}
