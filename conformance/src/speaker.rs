//! HTTP as it is: any method, any header, any body, and everything that was answered is remembered.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    answer::Answer,
    fail,
    test::{Outcome, Verdict},
};

/// Speaks to one server, with as many connections as tests need at once.
pub struct Speaker {
    tls: TlsConnector,
    idle: Mutex<HashMap<String, Vec<SendRequest<Full<Bytes>>>>>,
    heard: Mutex<Vec<Heard>>,
    /// Requests in a row that were not answered.
    unanswered: AtomicU32,
}

/// What remains of an answer, for the tests that judge all of them.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: Method,
    pub answer: Answer,
}

impl Speaker {
    /// Trusts what is in the file.
    pub fn new(ca_bundle: &Path) -> Outcome<Self> {
        let pem = std::fs::read_to_string(ca_bundle)
            .map_err(|error| Verdict::Failed(format!("{}: {error}", ca_bundle.display())))?;
        let mut roots = RootCertStore::empty();
        let certificates = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
        for certificate in certificates {
            let text = certificate.split("-----END").next().unwrap_or_default();
            let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text)?;
            roots.add(der.into())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            idle: Mutex::default(),
            heard: Mutex::default(),
            unanswered: AtomicU32::new(0),
        })
    }

    /// Sends a request whose URI is absolute. `Host` and `User-Agent` are added unless they are there.
    pub async fn send(&self, request: Request<Bytes>) -> Outcome<Answer> {
        let url = request.uri().to_string();
        if self.is_dead() {
            fail!("{url}: the server had stopped answering");
        }
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(answer) => {
                self.unanswered.store(0, Ordering::Relaxed);
                answer
            }
            Err(_) => {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                fail!("{url}: no answer in {PATIENCE:?}")
            }
        }
    }

    /// Whether the server has stopped answering; then nothing is sent any more.
    pub fn is_dead(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) >= DEAD
    }

    async fn exchange(&self, request: Request<Bytes>) -> Outcome<Answer> {
        let (mut parts, body) = request.into_parts();
        let url = std::mem::take(&mut parts.uri);
        let method = parts.method.clone();
        let authority = url.authority().map(ToString::to_string).unwrap_or_default();
        parts.uri = Uri::try_from(url.path_and_query().map_or("/", |path| path.as_str()))?;
        if !parts.headers.contains_key(header::HOST) {
            parts.headers.insert(header::HOST, HeaderValue::try_from(&authority)?);
        }
        if !parts.headers.contains_key(header::USER_AGENT) {
            parts
                .headers
                .insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        }
        let request = Request::from_parts(parts, Full::new(body));

        let mut answer = None;
        // One that was idle may have been closed meanwhile; then nothing was sent on it.
        if let Some(mut idle) = self.take_idle(&authority)
            && idle.ready().await.is_ok()
            && let Ok(response) = idle.send_request(request.clone()).await
        {
            answer = Some((idle, response));
        }
        let (connection, response) = match answer {
            Some(answer) => answer,
            None => {
                let mut fresh = self.connect(&url).await?;
                let response = fresh.send_request(request).await;
                (fresh, response.map_err(|error| failed(&url, error))?)
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| failed(&url, error))?.to_bytes();
        lock(&self.idle).entry(authority).or_default().push(connection);
        let answer = Answer {
            url: url.to_string(),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        lock(&self.heard).push(Heard {
            method,
            answer: answer.clone(),
        });
        Ok(answer)
    }

    fn take_idle(&self, authority: &str) -> Option<SendRequest<Full<Bytes>>> {
        lock(&self.idle).get_mut(authority)?.pop()
    }

    async fn connect(&self, url: &Uri) -> Outcome<SendRequest<Full<Bytes>>> {
        if url.scheme_str() != Some("https") {
            fail!("{url} is not an https URL");
        }
        let stream = self.tls_stream(url).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How a connection ends is seen by whoever waits for its answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn tls_stream(&self, url: &Uri) -> Outcome<TlsStream<TcpStream>> {
        let stream = tcp(url).await?;
        let name = ServerName::try_from(host(url).to_owned())?;
        self.tls
            .connect(name, stream)
            .await
            .map_err(|error| Verdict::Failed(format!("{url}: TLS: {error}")))
    }

    /// Sends these bytes over TLS and gives what comes back until the server is silent or closes.
    pub async fn send_raw(&self, url: &str, bytes: &[u8]) -> Outcome<Vec<u8>> {
        let mut stream = self.tls_stream(&url.parse()?).await?;
        talk(&mut stream, bytes).await
    }

    /// The same without TLS.
    pub async fn send_plain(&self, url: &str, bytes: &[u8]) -> Outcome<Vec<u8>> {
        let mut stream = tcp(&url.parse()?).await?;
        talk(&mut stream, bytes).await
    }

    /// Every answer so far.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.heard).clone()
    }
}

async fn talk<S: tokio::io::AsyncRead + AsyncWriteExt + Unpin>(stream: &mut S, bytes: &[u8]) -> Outcome<Vec<u8>> {
    // The server may have closed before everything was written; what it said before is read all the same.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(more)) = timeout(SILENCE, tokio::io::AsyncReadExt::read(stream, &mut buffer)).await {
        if more == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..more]);
    }
    Ok(seen)
}

async fn tcp(url: &Uri) -> Outcome<TcpStream> {
    let port = url.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host(url), port)).await;
    let stream = stream.map_err(|error| Verdict::Failed(format!("{url}: {error}")))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn host(url: &Uri) -> &str {
    url.host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']')
}

fn failed(url: &Uri, error: hyper::Error) -> Verdict {
    Verdict::Failed(format!("{url}: the connection broke: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 8555 §6.1
const AGENT: &str = concat!("vidimus-conformance/", env!("CARGO_PKG_VERSION"));
const PATIENCE: Duration = Duration::from_secs(20);
const DEAD: u32 = 3;
const SILENCE: Duration = Duration::from_secs(2);
