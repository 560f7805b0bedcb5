//! The listeners: TLS with HTTP/1.1 and HTTP/2 for the API, plain HTTP for what must be plain.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

/// A bound port with its protocol.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// The certificate chain of the API, leaf first, and its key in PKCS#8, or in the older forms of RSA and elliptic keys.
pub struct TlsIdentity {
    pub chain: Vec<Vec<u8>>,
    pub key: Vec<u8>,
}

impl Listener {
    pub async fn https(address: SocketAddr, identity: TlsIdentity) -> io::Result<Self> {
        let chain = identity.chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::try_from(identity.key)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_owned()))?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::tls(address, config).await
    }

    /// TLS as the caller has it, with client certificates for example.
    pub async fn tls(address: SocketAddr, config: ServerConfig) -> io::Result<Self> {
        Ok(Self {
            tcp: bind(address).await?,
            tls: Some(TlsAcceptor::from(Arc::new(config))),
        })
    }

    pub async fn http(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            tcp: bind(address).await?,
            tls: None,
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop` turns true, then lets what has begun finish, within a bound.
    pub async fn serve<H>(self, handle: H, mut stop: watch::Receiver<bool>)
    where
        H: AsyncHandler + Clone + Send + Sync + 'static,
    {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or a connection that was gone before it was taken: neither ends the server.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // With every place taken, newcomers wait in the listening queue until somebody leaves.
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place.ok(),
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let _ = stream.set_nodelay(true);
            let (handle, watcher, tls) = (handle.clone(), graceful.watcher(), self.tls.clone());
            tokio::spawn(async move {
                let _place = place;
                if let Some(acceptor) = tls {
                    match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            converse(stream, from, http2, handle, watcher).await;
                        }
                        Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                        Err(_) => tracing::debug!("no TLS handshake in time"),
                    }
                } else {
                    converse::<TcpStream, H>(stream, from, false, handle, watcher).await;
                }
            });
        }
        drop(self.tcp);
        let _ = tokio::time::timeout(DRAIN_LIMIT, graceful.shutdown()).await;
    }
}

/// A request in, an answer out; never an error.
pub trait AsyncHandler {
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

impl AsyncHandler for Arc<crate::Front> {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        crate::Front::handle(self, request).await
    }
}

async fn converse<S, H>(
    stream: S,
    from: SocketAddr,
    http2: bool,
    handle: H,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: AsyncHandler + Clone + Send + Sync + 'static,
{
    // What ALPN chose, so that the time limits begin with the first byte awaited and not with a guess at the protocol.
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(16 * 1024)
        .max_concurrent_streams(100)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(crate::ConnectedFrom(from));
        let handle = handle.clone();
        async move { Ok::<_, std::convert::Infallible>(handle.handle(request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let life = if http2 { HTTP2_LIFE } else { Duration::MAX };
    match tokio::time::timeout(life, watcher.watch(connection)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(_) => tracing::debug!("a connection was ended after its time"),
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{address} cannot be listened on: {error}")))
}

/// Each costs some 50 kB with its TLS state: 200 MB at the worst.
const MOST_CONNECTIONS: usize = 4096;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Also how long an idle connection is kept.
const HEADER_LIMIT: Duration = Duration::from_secs(90);
/// HTTP/2 has no idle limit of its own; a client that still needs us opens another connection.
const HTTP2_LIFE: Duration = Duration::from_secs(30 * 60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use hyper::client::conn::{http1, http2};

    use super::*;

    /// Panics at one path, and answers at every other.
    #[derive(Clone)]
    struct Brittle;

    impl AsyncHandler for Brittle {
        async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
            assert_ne!(request.uri().path(), "/panic", "on purpose");
            Response::new(Full::default())
        }
    }

    fn get(path: &str) -> Request<Empty<Bytes>> {
        let uri = format!("http://ca.test{path}");
        Request::get(uri).body(Empty::new()).unwrap()
    }

    async fn connect(address: SocketAddr) -> http1::SendRequest<Empty<Bytes>> {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    // T32
    #[tokio::test]
    async fn t32_a_panic_ends_its_own_connection_and_no_other() {
        let listener = Listener::http(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.address().unwrap();
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(listener.serve(Brittle, stopped));
        let mut earlier = connect(address).await;
        for _ in 0..3 {
            assert!(connect(address).await.send_request(get("/panic")).await.is_err());
        }
        assert!(earlier.send_request(get("/")).await.is_ok());
        assert!(connect(address).await.send_request(get("/")).await.is_ok());
    }

    // T32
    #[tokio::test]
    async fn t32_a_panic_ends_its_own_stream_of_an_http2_connection() {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let graceful = GracefulShutdown::new();
        let from = ([127, 0, 0, 1], 1).into();
        tokio::spawn(converse(theirs, from, true, Brittle, graceful.watcher()));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(ours))
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            assert!(sender.send_request(get("/panic")).await.is_err());
            assert!(sender.send_request(get("/")).await.is_ok());
        }
    }
}
