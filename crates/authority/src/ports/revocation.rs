//! Signed statements about certificates that were issued: lists of revoked ones, answers about single ones.

use std::time::Duration;

use jiff::Timestamp;
use pkix::{
    certificate::Serial,
    crl::RevokedCertificate,
    ocsp::{CertId, SingleResponse},
};

use super::{BoxFuture, IssuanceFailure};

/// The issuers' other signatures.
pub trait StatusSigning: Send + Sync {
    /// Every issuer that has lists and has not expired.
    fn crl_issuers(&self, now: Timestamp) -> Vec<CrlIssuer>;

    /// Lints and signs a list. `Ok` is its DER.
    fn sign_crl<'a>(
        &'a self,
        issuer: &'a str,
        contents: CrlContents,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>>;

    /// The serial number that a question is about, `None` if it is not one of this issuer.
    fn serial_asked<'a>(&self, issuer: &str, certificate: &'a CertId) -> Option<&'a Serial>;

    /// Lints and signs answers. `Ok` is the whole response, DER.
    fn sign_ocsp<'a>(
        &'a self,
        issuer: &'a str,
        responses: Vec<SingleResponse>,
        nonce: Option<Vec<u8>>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<u8>, IssuanceFailure>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlIssuer {
    pub name: String,
    /// How many shards new certificates are spread over; older ones may be in shards beyond.
    pub shards: u32,
    /// From thisUpdate to nextUpdate, of lists and of answers.
    pub lifetime: Duration,
}

/// What the list of one shard is to say.
#[derive(Clone, Debug)]
pub struct CrlContents {
    pub shard: u32,
    /// Greater than that of every earlier list of the shard.
    pub number: u64,
    pub this_update: Timestamp,
    pub next_update: Timestamp,
    /// Each serial number once, in ascending order.
    pub revoked: Vec<RevokedCertificate>,
}
