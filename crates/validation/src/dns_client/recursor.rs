//! Questions to one recursive resolver: UDP, and TCP when an answer did not fit (RFC 7766).

use std::{fmt, net::SocketAddr, pin::Pin, time::Duration};

use domain::{
    base::{Message, MessageBuilder, Name, Rtype, iana::Rcode},
    net::client::request::{ComposeRequest, Error, GetResponse, RequestMessage, SendRequest},
};
use futures_util::future::join_all;
use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::resolver::DnsFailure;

/// A recursive resolver. What is asked together leaves from one port, which is fresh, and every question has an
/// identifier of its own (RFC 5452).
#[derive(Clone, Copy, Debug)]
pub(super) struct Recursor {
    address: SocketAddr,
    timeout: Duration,
}

pub(super) type Outcome = Result<Message<Vec<u8>>, DnsFailure>;

impl Recursor {
    pub fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self { address, timeout }
    }

    /// One answer for each query, in their sequence.
    pub async fn ask(&self, queries: &[Query]) -> Vec<Outcome> {
        let outcomes = self.over_udp(queries).await;
        if !outcomes.iter().flatten().any(|answer| answer.header().tc()) {
            return outcomes;
        }
        let complete = queries
            .iter()
            .zip(outcomes)
            .map(async |(query, outcome)| match outcome {
                Ok(answer) if answer.header().tc() => match timeout(self.timeout, self.over_tcp(query)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(DnsFailure::Timeout),
                },
                outcome => outcome,
            });
        join_all(complete).await
    }

    async fn over_udp(&self, queries: &[Query]) -> Vec<Outcome> {
        let mut outcomes = vec![Err(DnsFailure::Timeout); queries.len()];
        let exchange = async {
            let local: SocketAddr = match self.address {
                SocketAddr::V4(_) => ([0; 4], 0).into(),
                SocketAddr::V6(_) => ([0; 16], 0).into(),
            };
            let socket = UdpSocket::bind(local).await?;
            socket.connect(self.address).await?;
            for query in queries {
                socket.send(&query.bytes).await?;
            }
            while outcomes.iter().any(Result::is_err) {
                let mut datagram = Vec::with_capacity(MAX_DATAGRAM.into());
                socket.recv_buf(&mut datagram).await?;
                // Anything else on this port is a late answer to somebody before us, or a forgery.
                let Ok(answer) = Message::from_octets(datagram) else {
                    continue;
                };
                if let Some(asked) = queries.iter().position(|query| query.is_answered_by(&answer)) {
                    outcomes[asked] = Ok(answer);
                }
            }
            Ok(())
        };
        let ended: Result<std::io::Result<()>, _> = timeout(self.timeout, exchange).await;
        if let Ok(Err(error)) = ended {
            let failure = DnsFailure::Transport(error.to_string());
            outcomes
                .iter_mut()
                .filter(|outcome| outcome.is_err())
                .for_each(|outcome| *outcome = Err(failure.clone()));
        }
        outcomes
    }

    async fn over_tcp(&self, query: &Query) -> Outcome {
        let broken = |error: std::io::Error| DnsFailure::Transport(error.to_string());
        let length = u16::try_from(query.bytes.len()).map_err(|_| DnsFailure::NotAName)?;
        let mut stream = TcpStream::connect(self.address).await.map_err(broken)?;
        let framed = [&length.to_be_bytes(), query.bytes.as_slice()].concat();
        stream.write_all(&framed).await.map_err(broken)?;
        let mut answer = vec![0; stream.read_u16().await.map_err(broken)?.into()];
        stream.read_exact(&mut answer).await.map_err(broken)?;
        match Message::from_octets(answer) {
            Ok(answer) if query.is_answered_by(&answer) => Ok(answer),
            _ => Err(DnsFailure::Malformed),
        }
    }
}

impl fmt::Display for Recursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// A question on the wire.
pub(super) struct Query {
    bytes: Vec<u8>,
}

impl Query {
    /// With `validating`, asks for signatures (DO), and for bogus data instead of a bare SERVFAIL (CD, RFC 4035 §3.2.2).
    pub fn new(name: &Name<Vec<u8>>, record_type: Rtype, validating: bool) -> Result<Self, DnsFailure> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_random_id();
        builder.header_mut().set_rd(true);
        builder.header_mut().set_cd(validating);
        let mut builder = builder.question();
        builder.push((name, record_type)).map_err(|_| DnsFailure::NotAName)?;
        let mut builder = builder.additional();
        let opt = builder.opt(|opt| {
            opt.set_udp_payload_size(MAX_DATAGRAM);
            opt.set_dnssec_ok(validating);
            Ok(())
        });
        opt.map_err(|_| DnsFailure::NotAName)?;
        Ok(Self {
            bytes: builder.finish(),
        })
    }

    /// The identifier by which an answer is known (RFC 1035 §4.1.1).
    pub(super) fn number(&self) -> [u8; 2] {
        [self.bytes[0], self.bytes[1]]
    }

    pub(super) fn is_answered_by(&self, answer: &Message<Vec<u8>>) -> bool {
        let Ok(query) = Message::from_slice(&self.bytes) else {
            return false;
        };
        let (asked, told) = (query.header(), answer.header());
        if !told.qr() || told.id() != asked.id() {
            return false;
        }
        // Who did not understand the question may leave it out.
        let left_out = told.rcode() != Rcode::NOERROR && answer.header_counts().qdcount() == 0;
        left_out || query.question() == answer.question()
    }
}

/// The way by which the validator asks for keys and delegations.
impl SendRequest<RequestMessage<Vec<u8>>> for Recursor {
    fn send_request(&self, mut request: RequestMessage<Vec<u8>>) -> Box<dyn GetResponse + Send + Sync> {
        let recursor = *self;
        Box::new(Asked(Box::pin(async move {
            request.header_mut().set_random_id();
            request.set_udp_payload_size(MAX_DATAGRAM);
            let query = Query {
                bytes: request.to_vec()?,
            };
            match recursor.ask(&[query]).await.pop() {
                Some(Ok(answer)) => Message::from_octets(answer.into_octets().into()).map_err(|_| Error::ShortMessage),
                Some(Err(DnsFailure::Timeout)) => Err(Error::StreamReadTimeout),
                _ => Err(Error::StreamReceiveError),
            }
        })))
    }
}

struct Asked(Pin<Box<dyn Future<Output = Result<Message<Bytes>, Error>> + Send + Sync>>);

impl GetResponse for Asked {
    fn get_response(&mut self) -> Pin<Box<dyn Future<Output = Result<Message<Bytes>, Error>> + Send + Sync + '_>> {
        Box::pin(self.0.as_mut())
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked")
    }
}

/// What passes any path in one piece (RFC 9715 §3.2).
const MAX_DATAGRAM: u16 = 1232;
