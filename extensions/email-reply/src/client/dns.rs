//! Asking the DNS about a mail domain.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use client::{Clock as _, SystemClock};
use domain::{
    base::{Message, MessageBuilder, Name, Rtype, iana::Rcode},
    rdata::{A, Aaaa, Caa, Mx, Txt},
};
use mail::spf::{DnsFailure, Family};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// No records, also those of a name that does not exist, are an empty answer.
pub trait Dns: Sync {
    /// Each with its strings joined.
    fn txt(&self, name: &str) -> impl Future<Output = Result<Vec<String>, DnsFailure>> + Send;
    /// By preference. The root is the empty name.
    fn mx(&self, name: &str) -> impl Future<Output = Result<Vec<String>, DnsFailure>> + Send;
    fn addresses(&self, name: &str, family: Family) -> impl Future<Output = Result<Vec<IpAddr>, DnsFailure>> + Send;
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
        let query = query(name, record_type).map_err(|_| DnsFailure)?;
        for _ in 0..ATTEMPTS {
            let Ok(Ok(answer)) = timeout(PATIENCE, exchange(self.0, &query)).await else {
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

impl Dns for Recursor {
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

fn query(name: &str, record_type: Rtype) -> io::Result<Vec<u8>> {
    let name: Name<Vec<u8>> = name.parse().map_err(io::Error::other)?;
    let mut builder = MessageBuilder::new_vec();
    let identifier = (SystemClock.jitter() * f64::from(u16::MAX)) as u16;
    builder.header_mut().set_id(identifier);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((name, record_type)).map_err(io::Error::other)?;
    Ok(builder.finish())
}

/// By TCP when the answer does not fit into a datagram.
async fn exchange(resolver: SocketAddr, query: &[u8]) -> io::Result<Message<Vec<u8>>> {
    let answer = by_udp(resolver, query).await?;
    match answer.header().tc() {
        true => by_tcp(resolver, query).await,
        false => Ok(answer),
    }
}

async fn by_udp(resolver: SocketAddr, query: &[u8]) -> io::Result<Message<Vec<u8>>> {
    let local: SocketAddr = match resolver {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0; 16], 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut datagram = vec![0; 4096];
    loop {
        let length = socket.recv(&mut datagram).await?;
        if let Some(message) = answer_to(query, &datagram[..length]) {
            return Ok(message);
        }
    }
}

async fn by_tcp(resolver: SocketAddr, query: &[u8]) -> io::Result<Message<Vec<u8>>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    answer_to(query, &answer).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn answer_to(query: &[u8], octets: &[u8]) -> Option<Message<Vec<u8>>> {
    let message = Message::from_octets(octets.to_vec()).ok()?;
    (message.header().qr() && octets.get(..2) == query.get(..2)).then_some(message)
}

/// RFC 8659 §4.1.
const CRITICAL: u8 = 0x80;
const ATTEMPTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(4);
const MOST_RECORDS: usize = 64;
