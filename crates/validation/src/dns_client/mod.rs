//! [`Resolver`] on recursive resolvers, over UDP and TCP (RFC 1035), with DNSSEC validated here (RFC 4035).
//!
//! Nothing is cached, so a record that was missing a second ago is found when it is there. Whoever wants fewer
//! questions on the wire has a recursor for that, and its operator decides for how long it believes a denial.

mod recursor;
mod resolv_conf;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use authority::{model::DnssecStatus, ports::BoxFuture};
use domain::{
    base::{Message, Name, ParsedRecord, Rtype, iana::Rcode, name::ToName, wire::ParseError},
    dnssec::validator::{
        anchor::TrustAnchors,
        context::{ValidationContext, ValidationState},
    },
    rdata::{A, Aaaa, Cname, Txt},
};

use self::recursor::Recursor;
use crate::{
    excerpt,
    resolver::{Addresses, Answer, DnsFailure, Reason, Resolver},
};

pub use resolv_conf::system_resolvers;

/// Asks recursors, the first first.
pub struct DnsClient {
    recursors: Vec<Recursor>,
    /// DS and DNSKEY records in zone file format; was parsed once.
    anchors: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum DnsSettingsError {
    #[error("no DNS resolver is configured, and none was found in /etc/resolv.conf")]
    NoResolver,
    #[error("the trust anchors are no DS or DNSKEY records in zone file format: {0}")]
    Anchors(String),
}

impl DnsClient {
    pub fn new(
        resolvers: &[SocketAddr],
        anchors: Option<String>,
        query_timeout: Duration,
    ) -> Result<Self, DnsSettingsError> {
        if resolvers.is_empty() {
            return Err(DnsSettingsError::NoResolver);
        }
        if let Some(anchors) = &anchors {
            parse_anchors(anchors)?;
        }
        let recursors = resolvers
            .iter()
            .map(|address| Recursor::new(*address, query_timeout))
            .collect();
        Ok(Self { recursors, anchors })
    }

    /// A fresh one for every lookup: a context that has seen other names takes the second delegation below an empty
    /// non-terminal for a forgery.
    fn validators(&self) -> Validators {
        let validator = |recursor: &Recursor| {
            let anchors = parse_anchors(self.anchors.as_deref()?).expect("invariant: parsed when this was made");
            Some(ValidationContext::new(anchors, recursor.clone()))
        };
        self.recursors.iter().map(validator).collect()
    }

    /// Follows aliases that the recursor did not follow itself (RFC 1034 §5.2.2).
    async fn lookup<T: FromRecord>(&self, name: &str, validators: &Validators) -> Answer<T> {
        let mut answer = Answer {
            records: Err(DnsFailure::NotAName),
            aliases: Vec::new(),
            dnssec: DnssecStatus::Unchecked,
            resolver: self.recursors[0].to_string(),
        };
        let Ok(mut sought) = Name::<Vec<u8>>::from_str(name) else {
            return answer;
        };
        answer.records = loop {
            let reply = self.ask(&sought, T::TYPE, validators).await;
            answer.resolver = reply.resolver;
            let (message, dnssec) = match reply.outcome {
                Ok(replied) => replied,
                Err(failure) => {
                    if failure.is_forgery() {
                        answer.dnssec = match failure {
                            DnsFailure::Indeterminate => DnssecStatus::Indeterminate,
                            _ => DnssecStatus::Bogus,
                        };
                    }
                    break Err(failure);
                }
            };
            answer.dnssec = match answer.dnssec {
                DnssecStatus::Insecure => DnssecStatus::Insecure,
                _ => dnssec,
            };
            let known = answer.aliases.len();
            match read::<T>(&message, &mut sought, &mut answer.aliases) {
                Err(failure) => break Err(failure),
                Ok(records) if !records.is_empty() || answer.aliases.len() == known => {
                    break Ok(records);
                }
                Ok(_) => {}
            }
        };
        answer
    }

    /// One question to one recursor after the other, until one knows.
    async fn ask(&self, name: &Name<Vec<u8>>, record_type: Rtype, validators: &Validators) -> Reply {
        let mut last = None;
        for _ in 0..ROUNDS {
            for (recursor, validator) in self.recursors.iter().zip(validators) {
                let outcome = ask_one(recursor, validator.as_ref(), name, record_type).await;
                let resolver = recursor.to_string();
                match outcome {
                    Err(failure) if failure.is_transient() => {
                        last = Some(Reply {
                            outcome: Err(failure),
                            resolver,
                        })
                    }
                    outcome => return Reply { outcome, resolver },
                }
            }
            // Only a lost datagram is worth another round; a recursor that answered would answer the same.
            if !matches!(
                last,
                Some(Reply {
                    outcome: Err(DnsFailure::Timeout | DnsFailure::Transport(_)),
                    ..
                })
            ) {
                break;
            }
        }
        last.expect("invariant: there is at least one recursor and one round")
    }
}

impl Resolver for DnsClient {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses> {
        Box::pin(async move {
            let validators = self.validators();
            let (v4, v6) = futures_util::join!(
                self.lookup::<Ipv4Addr>(host, &validators),
                self.lookup::<Ipv6Addr>(host, &validators)
            );
            Addresses { v4, v6 }
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        Box::pin(async move { self.lookup(name, &self.validators()).await })
    }
}

type Validators = Vec<Option<ValidationContext<Recursor>>>;

struct Reply {
    outcome: Result<(Message<Vec<u8>>, DnssecStatus), DnsFailure>,
    resolver: String,
}

async fn ask_one(
    recursor: &Recursor,
    validator: Option<&ValidationContext<Recursor>>,
    name: &Name<Vec<u8>>,
    record_type: Rtype,
) -> Result<(Message<Vec<u8>>, DnssecStatus), DnsFailure> {
    let mut message = recursor.ask(name, record_type, validator.is_some()).await?;
    let rcode = message.header().rcode();
    match rcode {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        Rcode::SERVFAIL => return Err(DnsFailure::ServFail),
        other => return Err(DnsFailure::Refused(other.to_string())),
    }
    let Some(validator) = validator else {
        return Ok((message, DnssecStatus::Unchecked));
    };
    let (state, reason) = validator
        .validate_msg(&mut message)
        .await
        .map_err(|_| DnsFailure::Malformed)?;
    match state {
        ValidationState::Secure => Ok((message, DnssecStatus::Secure)),
        ValidationState::Insecure => Ok((message, DnssecStatus::Insecure)),
        ValidationState::Bogus => {
            let reason = reason.map(|reason| excerpt::plain(reason.to_string().as_bytes(), 200));
            Err(DnsFailure::Bogus(Reason(reason)))
        }
        ValidationState::Indeterminate => Err(DnsFailure::Indeterminate),
    }
}

/// The records of `sought`, which moves along the aliases that the message holds.
fn read<T: FromRecord>(
    message: &Message<Vec<u8>>,
    sought: &mut Name<Vec<u8>>,
    aliases: &mut Vec<String>,
) -> Result<Vec<T>, DnsFailure> {
    loop {
        let mut records = Vec::new();
        let mut alias = None;
        for record in message.answer().map_err(|_| DnsFailure::Malformed)? {
            let record = record.map_err(|_| DnsFailure::Malformed)?;
            if !record.owner().name_eq(sought) {
                continue;
            }
            if record.rtype() == T::TYPE {
                records.extend(T::read(&record).map_err(|_| DnsFailure::Malformed)?);
            } else if record.rtype() == Rtype::CNAME {
                let record = record.to_record::<Cname<_>>().map_err(|_| DnsFailure::Malformed)?;
                alias = record.map(|record| record.data().cname().to_vec());
            }
        }
        match alias {
            Some(alias) if records.is_empty() => {
                if aliases.len() == MAX_ALIASES {
                    return Err(DnsFailure::TooManyAliases(MAX_ALIASES));
                }
                aliases.push(alias.to_string());
                *sought = alias;
            }
            _ if records.is_empty() && message.header().rcode() == Rcode::NXDOMAIN => {
                return Err(DnsFailure::NxDomain);
            }
            _ => return Ok(records),
        }
    }
}

/// What a record of one type says, in a type of ours.
trait FromRecord: Sized {
    const TYPE: Rtype;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError>;
}

impl FromRecord for Ipv4Addr {
    const TYPE: Rtype = Rtype::A;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError> {
        Ok(record.to_record::<A>()?.map(|record| record.data().addr()))
    }
}

impl FromRecord for Ipv6Addr {
    const TYPE: Rtype = Rtype::AAAA;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError> {
        Ok(record.to_record::<Aaaa>()?.map(|record| record.data().addr()))
    }
}

/// The strings of one record are one value (RFC 8555 §8.4 by way of RFC 7208 §3.3's practice).
impl FromRecord for Vec<u8> {
    const TYPE: Rtype = Rtype::TXT;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError> {
        Ok(record.to_record::<Txt<_>>()?.map(|record| record.data().text()))
    }
}

fn parse_anchors(text: &str) -> Result<TrustAnchors, DnsSettingsError> {
    TrustAnchors::from_u8(text.as_bytes()).map_err(|error| DnsSettingsError::Anchors(error.to_string()))
}

/// A lost datagram should not cost a validation; two in a row mean an outage.
const ROUNDS: usize = 2;
/// What unbound and bind follow is of this order (11 and 16); real chains have two or three.
const MAX_ALIASES: usize = 8;

#[cfg(test)]
mod tests;
