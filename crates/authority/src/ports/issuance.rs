//! From a ready order to a signed certificate.

use std::sync::Arc;

use acme::Problem;
use jiff::Timestamp;
use pkix::{certificate::Serial, csr::CertificateRequest, name::GeneralName};
use serde_json::{Map, Value};

use super::{BackEnd, BoxFuture, Returned, StatusSigning};
use crate::{
    identifier::Name,
    model::{AccountId, CertificateRecord, Evidence},
};

/// The issuing side: profiles, issuers, lint, signature.
pub trait Issuance: StatusSigning {
    /// Whether a profile of this name exists.
    fn has_profile(&self, profile: &str) -> bool;

    /// What each profile is for, by name: what the directory tells of them.
    fn profiles(&self) -> Vec<(String, String)>;

    /// Whether certificates of a profile may have a name. `Err` says why not.
    fn admit_name(&self, profile: &str, name: &GeneralName) -> Result<(), String>;

    /// Whether a profile would give a certificate exactly these dates, if it were asked now. `Err` says why not.
    fn admit_validity(&self, profile: &str, asked: Validity, now: Timestamp) -> Result<(), String>;

    /// Builds and lints the bytes to be signed. Pure: nothing is stored, nothing is signed, and a refusal leaves the
    /// order `ready`.
    fn prepare(&self, request: &IssuanceRequest<'_>) -> Result<Planned, IssuanceFailure>;

    /// Signs stored bytes after looking at them again (issuer present and not expired, lint). May be called twice for
    /// the same record; the answer then certifies the same bytes. `Ok` is the certificate's DER.
    fn sign<'a>(
        &'a self,
        record: &'a CertificateRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>>;

    /// The chains above a leaf of this issuer, the preferred one first: certificates in DER, nearest first, the root
    /// left out. Empty when there is no such issuer.
    fn chains(&self, issuer: &str) -> Vec<Vec<Vec<u8>>>;

    /// The issuer that a profile names.
    fn issuer_of(&self, _profile: &str) -> Option<String> {
        None
    }

    /// Whom to ask, for an issuer that is not ours. [`Issuance::prepare`] then plans the CSR in place of bytes to be
    /// signed, and [`Issuance::sign`] is never called.
    fn back_end(&self, _issuer: &str) -> Option<Arc<dyn BackEnd>> {
        None
    }

    /// Looks at what a back end returned: each certificate signed by the next up to a root that is known, no finding of
    /// the lint, dates as the profile gives them. `Err` says what is wrong.
    fn admit_returned(
        &self,
        record: &CertificateRecord,
        _chain: &[Vec<u8>],
        _now: Timestamp,
    ) -> Result<Returned, String> {
        Err(format!("the issuer {:?} is not one that is asked", record.issuer))
    }
}

/// The dates that an order asks for (RFC 8555 §7.4); what is absent is the profile's to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
}

/// What a profile turns into bytes.
#[derive(Debug)]
pub struct IssuanceRequest<'a> {
    pub profile: &'a str,
    /// The order's names, in the order's sequence, with their general names.
    pub names: &'a [(Name, GeneralName)],
    pub csr: &'a CertificateRequest,
    pub validity: Validity,
    /// 19 bytes of randomness, not yet a serial.
    pub serial_randomness: [u8; 19],
    pub now: Timestamp,
}

/// Bytes that passed the lint.
#[derive(Clone, Debug)]
pub struct Planned {
    pub serial: Serial,
    pub issuer: String,
    /// The part of the issuer's CRL that the certificate names, if it names one.
    pub crl_shard: Option<u32>,
    pub to_be_signed: Vec<u8>,
    pub not_after: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum IssuanceFailure {
    /// The subscriber asked for something the profile does not give: becomes `badCSR`.
    #[error("{0}")]
    Refused(String),
    /// The operator has to act, or it passes by itself; nothing was signed.
    #[error("{0}")]
    Unavailable(String),
}

/// A last look at an order's names between `ready` and PLAN: the place of CAA (RFC 8659) and whatever else may say no.
pub trait PreIssuanceCheck: Send + Sync {
    /// What its evidence calls it.
    fn name(&self) -> &'static str;

    /// Whether it looks at the network, so that a look from elsewhere could see something else (RFC 8555 §10.2).
    fn is_probe(&self) -> bool {
        true
    }

    /// What was seen, to be kept with the certificate; `Err` is the refusal in its own words.
    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>>;
}

/// What is about to be issued.
#[derive(Clone, Copy, Debug)]
pub struct PreIssuance<'a> {
    pub account: AccountId,
    pub profile: &'a str,
    /// In the order's sequence.
    pub names: &'a [Proven<'a>],
    /// The key to be certified.
    pub spki_der: &'a [u8],
    /// What the finalize request has beside its CSR.
    pub members: &'a Map<String, Value>,
    pub now: Timestamp,
}

/// A name of the order, with how control of it was proved.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
    pub name: &'a Name,
    /// The challenge type that the authorization became valid by.
    pub method: &'a str,
    pub validated: Timestamp,
}
