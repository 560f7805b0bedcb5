//! [`Resolver`] on recursive resolvers, over UDP and TCP (RFC 1035), with DNSSEC validated here (RFC 4035).
//!
//! Nothing is cached, so a record that was missing a second ago is found when it is there. Whoever wants fewer
//! questions on the wire has a recursor for that, and its operator decides for how long it believes a denial.

#[doc(hidden)]
pub mod offline;
mod recursor;
mod resolv_conf;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use authority::{model::DnssecStatus, ports::BoxFuture};
use domain::{
    base::{
        Message, Name, ParsedRecord, RelativeName, Rtype, UnknownRecordData,
        iana::{Class, Rcode},
        name::ToName,
        wire::ParseError,
    },
    dnssec::validator::{
        anchor::TrustAnchors,
        context::{ValidationContext, ValidationState},
    },
    rdata::{A, Aaaa, Cname, Dname, Srv, Txt},
};

use self::recursor::{Outcome, Query, Recursor};
use crate::{
    excerpt,
    resolver::{Addresses, Answer, DnsFailure, Reason, Resolver, ServiceHost},
};

pub use resolv_conf::{resolver, system_resolvers};

/// One question to one resolver, for programs that look around: the answer is the question's, and nothing says that it is
/// authentic. `patience` is for each way of asking.
pub async fn ask(
    resolver: SocketAddr,
    name: &str,
    record_type: Rtype,
    patience: Duration,
) -> Result<Message<Vec<u8>>, DnsFailure> {
    let name: Name<Vec<u8>> = name.parse().map_err(|_| DnsFailure::NotAName)?;
    let query = Query::new(&name, record_type, false)?;
    let answers = Recursor::new(resolver, patience).ask(&[query]).await;
    answers.into_iter().next().unwrap_or(Err(DnsFailure::Timeout))
}

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
            Some(ValidationContext::new(anchors, *recursor))
        };
        self.recursors.iter().map(validator).collect()
    }

    /// One question about each type, put together to one recursor after the other until each has its answer.
    async fn ask<const N: usize>(&self, name: &str, types: [Rtype; N], validators: &Validators) -> [Reply; N] {
        let mut replies = types.map(|_| Reply {
            outcome: Err(DnsFailure::NotAName),
            resolver: String::new(),
        });
        let Ok(name) = Name::<Vec<u8>>::from_str(name) else {
            return replies;
        };
        let mut open: Vec<usize> = (0..N).collect();
        for _ in 0..ROUNDS {
            for (recursor, validator) in self.recursors.iter().zip(validators) {
                let query = |asked: &usize| Query::new(&name, types[*asked], validator.is_some());
                let Ok(queries) = open.iter().map(query).collect::<Result<Vec<_>, _>>() else {
                    return replies;
                };
                let outcomes = recursor.ask(&queries).await;
                for (asked, outcome) in open.iter().zip(outcomes) {
                    let outcome = judge(outcome, validator.as_ref()).await;
                    replies[*asked] = Reply {
                        outcome,
                        resolver: recursor.to_string(),
                    };
                }
                open.retain(|asked| replies[*asked].outcome.as_ref().is_err_and(DnsFailure::is_transient));
                if open.is_empty() {
                    return replies;
                }
            }
            // Only a lost datagram is worth another round; a recursor that answered would answer the same.
            open.retain(|asked| {
                matches!(
                    replies[*asked].outcome,
                    Err(DnsFailure::Timeout | DnsFailure::Transport(_))
                )
            });
        }
        replies
    }

    /// What a reply says, and what is asked for on account of it: aliases that the recursor did not follow itself
    /// (RFC 1034 §5.2.2).
    async fn follow<T: FromRecord>(&self, name: &str, mut reply: Reply, validators: &Validators) -> Answer<T> {
        let mut aliases = Vec::new();
        let mut dnssec = None;
        let records = loop {
            let (message, status) = match reply.outcome {
                Ok(replied) => replied,
                Err(failure) => {
                    dnssec = failure.dnssec().or(dnssec);
                    break Err(failure);
                }
            };
            // A chain is as authentic as its weakest link.
            dnssec = if dnssec == Some(DnssecStatus::Insecure) {
                dnssec
            } else {
                Some(status)
            };
            let known = aliases.len();
            match read::<T>(&message, name, &mut aliases) {
                Ok(records) if records.is_empty() && aliases.len() > known => {}
                read => break read,
            }
            [reply] = self.ask(&aliases[aliases.len() - 1], [T::TYPE], validators).await;
        };
        Answer {
            records,
            aliases,
            dnssec: dnssec.unwrap_or(DnssecStatus::Unchecked),
            resolver: reply.resolver,
        }
    }
}

impl Resolver for DnsClient {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses> {
        Box::pin(async move {
            let validators = self.validators();
            let [v4, v6] = self.ask(host, [Rtype::A, Rtype::AAAA], &validators).await;
            let v4 = self.follow::<Ipv4Addr>(host, v4, &validators);
            let v6 = self.follow::<Ipv6Addr>(host, v6, &validators);
            let (v4, v6) = futures_util::join!(v4, v6);
            Addresses { v4, v6 }
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        Box::pin(async move {
            let validators = self.validators();
            let [reply] = self.ask(name, [Rtype::TXT], &validators).await;
            self.follow(name, reply, &validators).await
        })
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        Box::pin(async move {
            let validators = self.validators();
            let [reply] = self.ask(name, [Rtype::CAA], &validators).await;
            let answer = self.follow::<CaaData>(name, reply, &validators).await;
            Answer {
                records: answer
                    .records
                    .map(|records| records.into_iter().map(|CaaData(data)| data).collect()),
                aliases: answer.aliases,
                dnssec: answer.dnssec,
                resolver: answer.resolver,
            }
        })
    }

    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        Box::pin(async move {
            let validators = self.validators();
            let [reply] = self.ask(name, [Rtype::SRV], &validators).await;
            self.follow(name, reply, &validators).await
        })
    }
}

type Validators = Vec<Option<ValidationContext<Recursor>>>;

struct Reply {
    outcome: Result<(Message<Vec<u8>>, DnssecStatus), DnsFailure>,
    resolver: String,
}

/// Whether an answer is one, and whether it is authentic.
async fn judge(
    outcome: Outcome,
    validator: Option<&ValidationContext<Recursor>>,
) -> Result<(Message<Vec<u8>>, DnssecStatus), DnsFailure> {
    let mut message = outcome?;
    match message.header().rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        Rcode::SERVFAIL => return Err(DnsFailure::ServFail),
        other => return Err(DnsFailure::Refused(other.to_string())),
    }
    if is_referral(&message) {
        return Err(DnsFailure::Referral);
    }
    let Some(validator) = validator else {
        return Ok((message, DnssecStatus::Unchecked));
    };
    // In a box, because it is large and rarely needed.
    let validated = Box::pin(validator.validate_msg(&mut message)).await;
    let (state, reason) = validated.map_err(|_| DnsFailure::Malformed)?;
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

/// RFC 2308 §2.2: no answer, name servers and no SOA. It says nothing about whether the record exists, and must not be
/// taken for saying that it does not.
fn is_referral(message: &Message<Vec<u8>>) -> bool {
    let header = message.header();
    if header.rcode() != Rcode::NOERROR || header.aa() || message.header_counts().ancount() > 0 {
        return false;
    }
    let Ok(authority) = message.authority() else {
        return false;
    };
    let types: Vec<_> = authority.flatten().map(|record| record.rtype()).collect();
    types.contains(&Rtype::NS) && !types.contains(&Rtype::SOA)
}

/// The records of a name, or of the last of the aliases that lead away from it, as far as the message knows them.
fn read<T: FromRecord>(
    message: &Message<Vec<u8>>,
    name: &str,
    aliases: &mut Vec<String>,
) -> Result<Vec<T>, DnsFailure> {
    loop {
        let sought = aliases.last().map_or(name, String::as_str);
        let sought = Name::<Vec<u8>>::from_str(sought).map_err(|_| DnsFailure::Malformed)?;
        let mut records = Vec::new();
        let mut alias = None;
        let mut inherited = None;
        for record in message.answer().map_err(|_| DnsFailure::Malformed)? {
            let record = record.map_err(|_| DnsFailure::Malformed)?;
            if record.class() != Class::IN {
                continue;
            }
            if record.rtype() == Rtype::DNAME {
                let record = record.to_record::<Dname<_>>().map_err(|_| DnsFailure::Malformed)?;
                let Some(record) = record else { continue };
                let prefix = match sought.clone().strip_suffix(record.owner()) {
                    Ok(prefix) if !prefix.is_empty() => prefix,
                    _ => continue,
                };
                inherited = Some(below(prefix, record.data().dname())?);
            } else if !record.owner().name_eq(&sought) {
                continue;
            } else if record.rtype() == T::TYPE {
                records.extend(T::read(&record).map_err(|_| DnsFailure::Malformed)?);
            } else if record.rtype() == Rtype::CNAME {
                let record = record.to_record::<Cname<_>>().map_err(|_| DnsFailure::Malformed)?;
                let led: Option<Name<Vec<u8>>> = record.map(|record| record.data().cname().to_name());
                // RFC 2181 §10.1: a name has one canonical name, and which of two would be meant nobody knows.
                if alias.is_some() && alias != led {
                    return Err(DnsFailure::Malformed);
                }
                alias = led;
            }
        }
        // Servers add the CNAME that a DNAME means (RFC 6672 §3.1); one that does not has still said where to look.
        let alias = alias.or(inherited).map(|alias| alias.to_string());
        match alias {
            Some(alias) if records.is_empty() => {
                if aliases.len() == MAX_ALIASES {
                    return Err(DnsFailure::TooManyAliases(MAX_ALIASES));
                }
                aliases.push(alias);
            }
            _ if records.is_empty() && message.header().rcode() == Rcode::NXDOMAIN => return Err(DnsFailure::NxDomain),
            _ => return Ok(records),
        }
    }
}

/// Where a DNAME leads: what stands before its owner, put before its target (RFC 6672 §2.2).
fn below(prefix: RelativeName<Vec<u8>>, target: &impl ToName) -> Result<Name<Vec<u8>>, DnsFailure> {
    let name = prefix.chain(target).map_err(|_| DnsFailure::NotAName)?;
    Ok(name.to_name())
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

/// The data as it came: what it means, and whether it can mean anything, is for whoever decides by it.
struct CaaData(Vec<u8>);

impl FromRecord for CaaData {
    const TYPE: Rtype = Rtype::CAA;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError> {
        let record = record.to_record::<UnknownRecordData<_>>()?;
        Ok(record.map(|record| Self(record.data().data().to_vec())))
    }
}

impl FromRecord for ServiceHost {
    const TYPE: Rtype = Rtype::SRV;

    fn read(record: &ParsedRecord<'_, Vec<u8>>) -> Result<Option<Self>, ParseError> {
        let record = record.to_record::<Srv<_>>()?;
        Ok(record.map(|record| {
            let srv = record.data();
            Self {
                priority: srv.priority(),
                weight: srv.weight(),
                port: srv.port(),
                host: srv
                    .target()
                    .to_string()
                    .to_ascii_lowercase()
                    .trim_end_matches('.')
                    .to_owned(),
            }
        }))
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
