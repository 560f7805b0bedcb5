//! Signature algorithms and their identifiers (RFC 4055 §5, RFC 5758 §3.2, RFC 8410 §3).

use std::fmt;

use aws_lc_rs::signature::{self as aws, VerificationAlgorithm};

use super::KeyKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519,
}

use SignatureAlgorithm::*;

/// Algorithm, name, AlgorithmIdentifier.
const ALGORITHMS: &[(SignatureAlgorithm, &str, &[u8])] = &[
    (
        RsaSha256,
        "RSA with SHA-256",
        b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
    ),
    (
        RsaSha384,
        "RSA with SHA-384",
        b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00",
    ),
    (
        RsaSha512,
        "RSA with SHA-512",
        b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00",
    ),
    (
        EcdsaSha256,
        "ECDSA with SHA-256",
        b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
    ),
    (
        EcdsaSha384,
        "ECDSA with SHA-384",
        b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
    ),
    (
        EcdsaSha512,
        "ECDSA with SHA-512",
        b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
    ),
    (Ed25519, "Ed25519", b"\x30\x05\x06\x03\x2b\x65\x70"),
];

/// RFC 4055 §5: an absent parameter of RSA must be accepted where NULL is meant.
const ALSO_ACCEPTED: &[(SignatureAlgorithm, &[u8])] = &[
    (RsaSha256, b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
    (RsaSha384, b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
    (RsaSha512, b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
];

impl SignatureAlgorithm {
    /// The AlgorithmIdentifier.
    pub fn der(self) -> &'static [u8] {
        self.row().2
    }

    /// Reads an AlgorithmIdentifier; nothing for an algorithm that is not ours, SHA-1 among them.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let ours = ALGORITHMS.iter().map(|(algorithm, _, known)| (algorithm, known));
        let also = ALSO_ACCEPTED.iter().map(|(algorithm, known)| (algorithm, known));
        ours.chain(also)
            .find(|(_, known)| **known == der)
            .map(|(algorithm, _)| *algorithm)
    }

    /// What verifies a signature of this algorithm by a key of that kind.
    pub(super) fn verification(self, kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self, kind) {
            (RsaSha256, KeyKind::Rsa { .. }) => &aws::RSA_PKCS1_2048_8192_SHA256,
            (RsaSha384, KeyKind::Rsa { .. }) => &aws::RSA_PKCS1_2048_8192_SHA384,
            (RsaSha512, KeyKind::Rsa { .. }) => &aws::RSA_PKCS1_2048_8192_SHA512,
            (EcdsaSha256, KeyKind::EcP256) => &aws::ECDSA_P256_SHA256_ASN1,
            (EcdsaSha384, KeyKind::EcP256) => &aws::ECDSA_P256_SHA384_ASN1,
            (EcdsaSha512, KeyKind::EcP256) => &aws::ECDSA_P256_SHA512_ASN1,
            (EcdsaSha256, KeyKind::EcP384) => &aws::ECDSA_P384_SHA256_ASN1,
            (EcdsaSha384, KeyKind::EcP384) => &aws::ECDSA_P384_SHA384_ASN1,
            (EcdsaSha512, KeyKind::EcP384) => &aws::ECDSA_P384_SHA512_ASN1,
            (Ed25519, KeyKind::Ed25519) => &aws::ED25519,
            _ => return None,
        })
    }

    fn row(self) -> &'static (SignatureAlgorithm, &'static str, &'static [u8]) {
        ALGORITHMS
            .iter()
            .find(|row| row.0 == self)
            .expect("invariant: the table has a row for every algorithm")
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_reads_what_it_writes() {
        for (algorithm, _, der) in ALGORITHMS {
            assert_eq!(SignatureAlgorithm::from_der(der), Some(*algorithm));
            assert_eq!(algorithm.der(), *der);
        }
    }

    // 4055-5, T25: unknown algorithms are refused
    #[test]
    fn t25_absent_parameters_count_for_rsa_and_sha1_does_not_count_at_all() {
        for (algorithm, der) in ALSO_ACCEPTED {
            assert_eq!(SignatureAlgorithm::from_der(der), Some(*algorithm));
        }
        let rsa_with_sha1 = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00";
        let ecdsa_with_a_parameter = b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00";
        assert_eq!(SignatureAlgorithm::from_der(rsa_with_sha1), None);
        assert_eq!(SignatureAlgorithm::from_der(ecdsa_with_a_parameter), None);
    }
}
