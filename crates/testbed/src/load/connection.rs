//! One HTTPS connection, kept: no pool, no redirects, no proxies.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

/// Where a server is, resolved once.
pub struct Endpoint {
    /// `https://host:port`, which every URL of the server begins with.
    origin: String,
    addr: SocketAddr,
    name: ServerName<'static>,
    host: HeaderValue,
    connector: TlsConnector,
}

impl Endpoint {
    /// From the directory's URL.
    pub async fn resolve(directory: &str, config: Arc<ClientConfig>) -> io::Result<Self> {
        let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{directory}: {why}"));
        let uri: Uri = directory.parse().map_err(|_| bad("not a URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(bad("not an https URL"));
        }
        let authority = uri.authority().ok_or_else(|| bad("no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(443);
        let mut addrs = tokio::net::lookup_host((host, port)).await?;
        Ok(Self {
            origin: format!("https://{authority}"),
            addr: addrs.next().ok_or_else(|| bad("no address"))?,
            name: ServerName::try_from(host.to_owned()).map_err(|_| bad("no server name"))?,
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| bad("no host"))?,
            connector: config.into(),
        })
    }

    /// What stands in the request line for a URL of this server.
    fn path<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix(&self.origin).filter(|path| path.starts_with('/'))
    }

    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let connected = timeout(PATIENCE, async {
            let tcp = TcpStream::connect(self.addr).await?;
            tcp.set_nodelay(true)?;
            let tls = self.connector.connect(self.name.clone(), tcp).await?;
            http1::handshake(TokioIo::new(tls)).await.map_err(io::Error::other)
        });
        let (sender, connection) = connected.await??;
        let driver = tokio::spawn(async move {
            // Its end is seen by the next request.
            let _ = connection.await;
        });
        Ok(Connection { sender, driver })
    }
}

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

/// A response, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// Nothing within [`PATIENCE`]: the server hangs.
    Timeout,
    Broken(String),
}

impl Connection {
    pub(super) async fn request(
        &mut self,
        endpoint: &Endpoint,
        method: Method,
        url: &str,
        body: Option<String>,
    ) -> Result<Answer, NoAnswer> {
        let path = endpoint
            .path(url)
            .ok_or_else(|| NoAnswer::Broken(format!("{url} is elsewhere")))?;
        let mut request = Request::new(Full::new(Bytes::from(body.unwrap_or_default())));
        *request.uri_mut() = path
            .parse()
            .map_err(|_| NoAnswer::Broken(format!("{url} is not a URL")))?;
        if method == Method::POST {
            request.headers_mut().insert(header::CONTENT_TYPE, JOSE_JSON);
        }
        *request.method_mut() = method;
        request.headers_mut().insert(header::HOST, endpoint.host.clone());
        // RFC 8555 §6.1: clients must send one.
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.collect().await?.to_bytes(),
            })
        };
        match timeout(PATIENCE, exchange).await {
            Ok(answer) => answer.map_err(|error: hyper::Error| NoAnswer::Broken(error.to_string())),
            Err(_) => Err(NoAnswer::Timeout),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A request without an answer for this long counts as a hang.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const JOSE_JSON: HeaderValue = HeaderValue::from_static(acme::JOSE_JSON);
const USER_AGENT: HeaderValue = HeaderValue::from_static("vidimus-load/0.1");
