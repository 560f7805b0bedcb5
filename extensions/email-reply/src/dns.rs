//! Asking the DNS about a mail domain.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use domain::{
    base::{Message, Rtype, iana::Rcode},
    rdata::{A, Aaaa, Caa, Mx, Txt},
};
use mail::spf::{DnsFailure, Family, SpfDns};
use validation::dns_client;

/// What SPF asks, and CAA. No records, also those of a name that does not exist, are an empty answer.
pub trait Dns: SpfDns {
    fn caa(&self, name: &str) -> impl Future<Output = Result<Vec<Property>, DnsFailure>> + Send;
}

/// One CAA record (RFC 8659 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub is_critical: bool,
    /// Lower case.
    pub tag: String,
    pub value: Vec<u8>,
}

/// A recursive resolver.
pub struct Recursor(SocketAddr);

impl Recursor {
    pub fn new(address: SocketAddr) -> Self {
        Self(address)
    }

    /// A datagram can be lost: the question is asked again once.
    async fn ask(&self, name: &str, record_type: Rtype) -> Result<Message<Vec<u8>>, DnsFailure> {
        for _ in 0..ATTEMPTS {
            let Ok(answer) = dns_client::ask(self.0, name, record_type, PATIENCE).await else {
                continue;
            };
            return match answer.header().rcode() {
                Rcode::NOERROR | Rcode::NXDOMAIN => Ok(answer),
                _ => Err(DnsFailure),
            };
        }
        Err(DnsFailure)
    }
}

impl SpfDns for Recursor {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        let message = self.ask(name, Rtype::TXT).await?;
        let answer = message.answer().map_err(|_| DnsFailure)?;
        let records = answer.limit_to::<Txt<_>>().flatten().take(MOST_RECORDS);
        Ok(records
            .map(|record| String::from_utf8_lossy(&record.data().text::<Vec<u8>>()).into_owned())
            .collect())
    }

    async fn mx(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        let message = self.ask(name, Rtype::MX).await?;
        let answer = message.answer().map_err(|_| DnsFailure)?;
        let records = answer.limit_to::<Mx<_>>().flatten().take(MOST_RECORDS);
        let mut exchanges: Vec<(u16, String)> = records
            .map(|record| {
                let exchange = record.data().exchange().to_string();
                let exchange = exchange.trim_end_matches('.').to_ascii_lowercase();
                (record.data().preference(), exchange)
            })
            .collect();
        exchanges.sort();
        Ok(exchanges.into_iter().map(|(_, exchange)| exchange).collect())
    }

    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        let record_type = match family {
            Family::V4 => Rtype::A,
            Family::V6 => Rtype::AAAA,
        };
        let message = self.ask(name, record_type).await?;
        let answer = message.answer().map_err(|_| DnsFailure)?;
        let addresses: Vec<IpAddr> = match family {
            Family::V4 => {
                let records = answer.limit_to::<A>().flatten();
                records.map(|record| record.data().addr().into()).collect()
            }
            Family::V6 => {
                let records = answer.limit_to::<Aaaa>().flatten();
                records.map(|record| record.data().addr().into()).collect()
            }
        };
        Ok(addresses)
    }
}

impl Dns for Recursor {
    async fn caa(&self, name: &str) -> Result<Vec<Property>, DnsFailure> {
        let message = self.ask(name, Rtype::CAA).await?;
        let answer = message.answer().map_err(|_| DnsFailure)?;
        let records = answer.limit_to::<Caa<_>>();
        // One that cannot be read may be critical: it must not be passed over.
        records
            .map(|record| {
                let record = record.map_err(|_| DnsFailure)?;
                let caa = record.data();
                Ok(Property {
                    is_critical: caa.flags().bits() & CRITICAL != 0,
                    tag: caa.tag().to_string().to_ascii_lowercase(),
                    value: caa.value().to_vec(),
                })
            })
            .take(MOST_RECORDS)
            .collect()
    }
}

/// RFC 8659 §4.1.
const CRITICAL: u8 = 0x80;
const ATTEMPTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(4);
const MOST_RECORDS: usize = 64;
