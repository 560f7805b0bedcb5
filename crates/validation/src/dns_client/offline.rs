//! A message as a lookup reads it, for whoever has its octets and no network.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use domain::base::{Message, Name, Rtype};

use super::{CaaData, FromRecord, Query, judge, read};
use crate::resolver::{DnsFailure, ServiceHost};

/// What one message says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    pub records: Result<Vec<T>, DnsFailure>,
    /// The names an alias led to, in sequence.
    pub aliases: Vec<String>,
}

pub async fn v4(message: &[u8], name: &str) -> Said<Ipv4Addr> {
    said(message, name).await
}

pub async fn v6(message: &[u8], name: &str) -> Said<Ipv6Addr> {
    said(message, name).await
}

pub async fn txt(message: &[u8], name: &str) -> Said<Vec<u8>> {
    said(message, name).await
}

pub async fn srv(message: &[u8], name: &str) -> Said<ServiceHost> {
    said(message, name).await
}

pub async fn caa(message: &[u8], name: &str) -> Said<Vec<u8>> {
    let Said { records, aliases } = said::<CaaData>(message, name).await;
    Said {
        records: records.map(|records| records.into_iter().map(|CaaData(data)| data).collect()),
        aliases,
    }
}

/// Whether it would be taken for the answer to a question about the name, were it not for the question's number.
pub fn is_answer(message: &[u8], name: &str) -> bool {
    let Ok(query) = Name::from_str(name)
        .map_err(|_| DnsFailure::NotAName)
        .and_then(|name| Query::new(&name, Rtype::TXT, false))
    else {
        return false;
    };
    let message = match message {
        [_, _, rest @ ..] => [query.number().as_slice(), rest].concat(),
        short => short.to_vec(),
    };
    Message::from_octets(message).is_ok_and(|message| query.is_answered_by(&message))
}

async fn said<T: FromRecord>(message: &[u8], name: &str) -> Said<T> {
    let mut aliases = Vec::new();
    let outcome = Message::from_octets(message.to_vec()).map_err(|_| DnsFailure::Malformed);
    let records = match judge(outcome, None).await {
        Ok((message, _)) => read(&message, name, &mut aliases),
        Err(failure) => Err(failure),
    };
    Said { records, aliases }
}
