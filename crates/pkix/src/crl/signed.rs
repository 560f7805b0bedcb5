//! A list that somebody signed.

use std::ops::Range;

use super::{CrlError, LONGEST_CRL, RevokedCertificate, TbsCrl};
use crate::certificate::Serial;
use crate::encoding::{self, Signed, range_in};
use crate::key::{SignatureAlgorithm, SignatureError, SubjectPublicKey};

/// A well-formed list. Nothing is said about who signed it, or whether it is the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Range<usize>,
    contents: TbsCrl,
    signature: Vec<u8>,
}

impl Crl {
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > LONGEST_CRL {
            return Err(CrlError::TooLong(der.len()));
        }
        let Signed {
            signed,
            algorithm,
            signature,
        } = encoding::decode(der)?;
        let contents = TbsCrl::from_der(signed.0)?;
        // RFC 5280 §5.1.1.2
        if SignatureAlgorithm::from_der(algorithm.0) != Some(contents.signature_algorithm) {
            return Err(CrlError::AlgorithmsDiffer);
        }
        Ok(Self {
            tbs: range_in(der, signed.0),
            contents,
            signature: signature.as_bytes().ok_or(CrlError::SignatureBits)?.to_vec(),
            der: der.to_vec(),
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn contents(&self) -> &TbsCrl {
        &self.contents
    }

    /// The entry of a serial number.
    pub fn find(&self, serial: &Serial) -> Option<&RevokedCertificate> {
        let revoked = &self.contents.revoked;
        let at = revoked.binary_search_by(|entry| entry.serial.cmp(serial)).ok()?;
        revoked.get(at)
    }

    pub fn verify_signed_by(&self, issuer: &SubjectPublicKey) -> Result<(), SignatureError> {
        let algorithm = self.contents.signature_algorithm;
        issuer.verify(&algorithm, &self.der[self.tbs.clone()], &self.signature)
    }
}
