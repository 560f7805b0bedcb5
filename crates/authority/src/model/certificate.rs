//! Certificates: planned, then signed, for ever known.

use jiff::Timestamp;
use pkix::certificate::Serial;
use serde::{Deserialize, Serialize};

use super::{AccountId, CertificateId, Evidence};

/// One row of the record of what may have been signed. It exists before the signature does.
#[derive(Clone, Debug)]
pub struct CertificateRecord {
    pub id: CertificateId,
    pub account: AccountId,
    /// Until an issuer that is not ours has answered, a random number that holds the place of the certificate's own.
    pub serial: Serial,
    /// The issuer's name in the configuration.
    pub issuer: String,
    pub profile: String,
    /// SHA-256 of the CSR's DER: the same CSR again gets the order, another is refused.
    pub csr_sha256: [u8; 32],
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub key_sha256: [u8; 32],
    /// The part of the issuer's CRL that the certificate names; `None` when it names no CRL.
    pub crl_shard: Option<u32>,
    /// The exact bytes that are, or were, to be signed; of an issuer that is not ours, the CSR to issue from.
    pub to_be_signed: Vec<u8>,
    pub planned: Timestamp,
    /// Of a certificate that an issuer that is not ours has yet to make: the profile's lifetime from PLAN.
    pub not_after: Timestamp,
    /// What the checks before issuance saw, CAA above all.
    pub checks: Vec<Evidence>,
    /// Salted root over the evidence of every authorization used and of the checks.
    pub evidence_root: [u8; 32],
    pub salt: [u8; 16],
    pub state: CertificateState,
    pub revoked: Option<Revocation>,
    pub version: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateState {
    /// Stored, perhaps signed; some node works on it until `lease`.
    Planned { lease: Timestamp },
    /// The signed certificate, DER.
    Issued { certificate: Vec<u8> },
    /// Will never be signed again; its serial stays known until `not_after`.
    Abandoned,
}

/// RFC 8555 §7.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub at: Timestamp,
    /// `None` and 0 are the same in a CRL: no reasonCode.
    pub reason: Option<acme::RevocationReason>,
}

/// A line of a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub serial: Serial,
    pub revocation: Revocation,
    pub not_after: Timestamp,
}
