//! Asking the DNS, as a trait: what is asked, what comes back, and how it fails.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use authority::{
    model::{DnssecStatus, Observation},
    ports::BoxFuture,
};

use crate::excerpt;

/// A view of the DNS. Every call looks anew: nothing is remembered between attempts (RFC 8555 §8.4, §11.2).
pub trait Resolver: Send + Sync {
    /// A and AAAA, asked at the same time.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses>;

    /// TXT, the strings of one record joined.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>>;

    /// CAA, each record's data as it came: flags, tag length, tag, value (RFC 8659 §4.1).
    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>>;

    /// SRV (RFC 2782).
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>>;
}

/// Where a service of a domain runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHost {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Without the trailing dot; empty where the domain says that it has no such service.
    pub host: String,
}

impl fmt::Display for ServiceHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            priority,
            weight,
            port,
            host,
        } = self;
        write!(
            f,
            "{priority} {weight} {port} {}.",
            excerpt::plain(host.as_bytes(), MAX_NAME)
        )
    }
}

#[derive(Clone, Debug)]
pub struct Addresses {
    pub v4: Answer<Ipv4Addr>,
    pub v6: Answer<Ipv6Addr>,
}

/// What came of one question.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// Empty means that the name exists and has no such record, or only an alias that leads to none.
    pub records: Result<Vec<T>, DnsFailure>,
    /// The names a CNAME led to, in sequence.
    pub aliases: Vec<String>,
    pub dnssec: DnssecStatus,
    /// Who answered last.
    pub resolver: String,
}

/// Why there is no answer. Only an authentic denial and an answer are answers; everything else is not knowing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsFailure {
    #[error("NXDOMAIN: the name does not exist")]
    NxDomain,
    #[error("SERVFAIL: the resolver could not get an answer from the name's servers")]
    ServFail,
    #[error("the resolver answered {0}")]
    Refused(String),
    /// Of a server that is not the name's and asks nobody else.
    #[error("a referral to other servers in place of an answer; name a recursive resolver")]
    Referral,
    #[error("no answer in time")]
    Timeout,
    #[error("no exchange with the resolver: {0}")]
    Transport(String),
    #[error("the answer could not be read")]
    Malformed,
    #[error("DNSSEC: the answer is not authentic{0}")]
    Bogus(Reason),
    #[error("DNSSEC: no trust anchor covers the answer")]
    Indeterminate,
    #[error("more than {0} aliases in sequence")]
    TooManyAliases(usize),
    #[error("it is not a name the DNS can hold")]
    NotAName,
}

impl DnsFailure {
    /// Whether asking again later can help without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::ServFail | Self::Refused(_) | Self::Referral | Self::Timeout | Self::Transport(_) | Self::Malformed
        )
    }

    /// What it says of the answer's authenticity.
    pub fn dnssec(&self) -> Option<DnssecStatus> {
        match self {
            Self::Bogus(_) => Some(DnssecStatus::Bogus),
            Self::Indeterminate => Some(DnssecStatus::Indeterminate),
            _ => None,
        }
    }

    /// Whether somebody may be forging answers. Then nothing else that was answered counts either.
    pub fn is_forgery(&self) -> bool {
        self.dnssec().is_some()
    }
}

/// What the validator said beyond "bogus", if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(pub Option<String>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl<T> Answer<T> {
    /// As evidence; `show` gives a record's presentation form.
    pub fn observation(&self, name: &str, record_type: &str, show: impl Fn(&T) -> String) -> Observation {
        let records = self.records.as_deref().unwrap_or_default();
        let aliases = self
            .aliases
            .iter()
            .map(|alias| format!("CNAME {}", excerpt::plain(alias.as_bytes(), MAX_NAME)));
        let shown = records.iter().take(MAX_RECORDS).map(show);
        let rest = records
            .len()
            .checked_sub(MAX_RECORDS + 1)
            .map(|rest| format!("… and {} more", rest + 1));
        Observation::Resolved {
            name: name.to_owned(),
            record_type: record_type.to_owned(),
            resolver: self.resolver.clone(),
            dnssec: self.dnssec,
            answers: aliases.chain(shown).chain(rest).collect(),
            error: self.records.as_ref().err().map(ToString::to_string),
        }
    }
}

/// Evidence is kept for years, and an answer may have thousands of records: what it takes to see what happened.
pub(crate) const MAX_RECORDS: usize = 16;
/// RFC 1035 §2.3.4: 255 octets on the wire, four characters each at most.
const MAX_NAME: usize = 1024;
