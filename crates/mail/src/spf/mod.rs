//! Whether a host may send for a domain: SPF, RFC 7208.
//!
//! The DNS comes in through [`SpfDns`], so that there is no runtime here. Two things of the document are left out:
//! explanations (`exp`), which nobody reads here, and the mechanism `ptr`, which it says must not be published (§5.5): it
//! never matches, and costs its lookup.

mod evaluate;
mod expand;
mod record;

use std::net::IpAddr;

pub use self::{
    evaluate::{MAX_LOOKUPS, MAX_VOID, check},
    record::{Record, RecordError},
};
use crate::message::{address::Mailbox, domain::Domain};

/// The questions that an evaluation asks, one after the other. No records is an empty answer.
pub trait SpfDns: Sync {
    /// TXT records, each with its strings joined.
    fn txt(&self, name: &str) -> impl Future<Output = Result<Vec<String>, DnsFailure>> + Send;
    /// A records for an IPv4 host, AAAA records for another.
    fn addresses(&self, name: &str, family: Family) -> impl Future<Output = Result<Vec<IpAddr>, DnsFailure>> + Send;
    /// Exchanges of MX records, by preference.
    fn mx(&self, name: &str) -> impl Future<Output = Result<Vec<String>, DnsFailure>> + Send;
}

/// No answer, or one that says to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsFailure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Who delivers, and what it said.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub host: IpAddr,
    /// Of EHLO, as it was said.
    pub helo: String,
    /// `None` for the null return path, for which EHLO's name stands (RFC 7208 §2.4).
    pub return_path: Option<Mailbox>,
}

/// An evaluation's result and the domain it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub result: SpfResult,
    /// `None` where nobody's name was usable.
    pub domain: Option<Domain>,
}

/// RFC 7208 §2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfResult {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

impl SpfResult {
    /// The word of Authentication-Results (RFC 8601 §2.7.2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}
