//! One question to one recursive resolver: UDP, and TCP when the answer did not fit (RFC 7766).

use std::{fmt, net::SocketAddr, pin::Pin, time::Duration};

use domain::{
    base::{Message, MessageBuilder, Name, Rtype},
    net::client::{
        dgram::{self, QueryErrorKind},
        protocol::UdpConnect,
        request::{ComposeRequest, Error, GetResponse, RequestMessage, SendRequest},
    },
};
use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::resolver::DnsFailure;

/// A recursive resolver. Every question leaves from a port of its own with an identifier of its own (RFC 5452).
#[derive(Clone, Debug)]
pub(super) struct Recursor {
    address: SocketAddr,
    udp: dgram::Connection<UdpConnect>,
    timeout: Duration,
}

impl Recursor {
    pub fn new(address: SocketAddr, timeout: Duration) -> Self {
        let mut config = dgram::Config::new();
        config.set_read_timeout(timeout);
        // Who asks again, and whom, is decided a level above.
        config.set_max_retries(0);
        config.set_max_parallel(MAX_PARALLEL);
        let udp = dgram::Connection::with_config(UdpConnect::new(address), config);
        Self { address, udp, timeout }
    }

    /// With `validating`, asks for signatures (DO), and for bogus data instead of a bare SERVFAIL (CD, RFC 4035 §3.2.2).
    pub async fn ask(
        &self,
        name: &Name<Vec<u8>>,
        record_type: Rtype,
        validating: bool,
    ) -> Result<Message<Vec<u8>>, DnsFailure> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_rd(true);
        builder.header_mut().set_cd(validating);
        let mut builder = builder.question();
        builder.push((name, record_type)).map_err(|_| DnsFailure::NotAName)?;
        let mut request = RequestMessage::new(builder).map_err(|_| DnsFailure::NotAName)?;
        if validating {
            request.set_dnssec_ok(true);
        }
        let reply = self.exchange(request).await.map_err(|error| failure(&error))?;
        Message::from_octets(reply.as_slice().to_vec()).map_err(|_| DnsFailure::Malformed)
    }

    async fn exchange(&self, request: RequestMessage<Vec<u8>>) -> Result<Message<Bytes>, Error> {
        let reply = self.udp.send_request(request.clone()).get_response().await?;
        if !reply.header().tc() {
            return Ok(reply);
        }
        timeout(self.timeout, over_tcp(self.address, request))
            .await
            .map_err(|_| Error::StreamReadTimeout)?
    }
}

async fn over_tcp(address: SocketAddr, mut request: RequestMessage<Vec<u8>>) -> Result<Message<Bytes>, Error> {
    request.header_mut().set_random_id();
    let message = request.to_vec()?;
    let length = u16::try_from(message.len()).map_err(|_| Error::StreamLongMessage)?;
    let write_error = |error| Error::StreamWriteError(std::sync::Arc::new(error));
    let read_error = |error| Error::StreamReadError(std::sync::Arc::new(error));
    let mut stream = TcpStream::connect(address).await.map_err(write_error)?;
    stream
        .write_all(&[&length.to_be_bytes(), message.as_slice()].concat())
        .await
        .map_err(write_error)?;
    let length = stream.read_u16().await.map_err(read_error)?;
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await.map_err(read_error)?;
    let reply = Message::from_octets(Bytes::from(reply)).map_err(|_| Error::ShortMessage)?;
    match request.is_answer(reply.for_slice()) {
        true => Ok(reply),
        false => Err(Error::WrongReplyForQuery),
    }
}

fn failure(error: &Error) -> DnsFailure {
    match error {
        Error::Dgram(error) if matches!(error.kind(), QueryErrorKind::Timeout) => DnsFailure::Timeout,
        Error::StreamReadTimeout => DnsFailure::Timeout,
        Error::MessageParseError | Error::ShortMessage | Error::WrongReplyForQuery => DnsFailure::Malformed,
        other => DnsFailure::Transport(other.to_string()),
    }
}

impl fmt::Display for Recursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The way by which the validator asks for keys and delegations.
impl SendRequest<RequestMessage<Vec<u8>>> for Recursor {
    fn send_request(&self, request: RequestMessage<Vec<u8>>) -> Box<dyn GetResponse + Send + Sync> {
        let recursor = self.clone();
        Box::new(Asked(Box::pin(async move { recursor.exchange(request).await })))
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

/// Sockets open at once towards one resolver; validations beyond wait.
const MAX_PARALLEL: usize = 500;
