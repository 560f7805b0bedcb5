//! A TLS server that answers a server name as a test wants (RFC 8737 §3).

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pkix::key::KeyPair;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{Acceptor, ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::LazyConfigAcceptor;

/// A server that runs until this is dropped.
pub struct TlsResponder {
    pub addr: SocketAddr,
    script: Arc<Script>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Script {
    manners: Mutex<HashMap<String, Arc<Manner>>>,
    hellos: Mutex<Vec<Hello>>,
}

/// How a server name is answered.
pub enum Manner {
    /// With a handshake.
    Handshake {
        chain: Vec<Vec<u8>>,
        key: KeyPair,
        /// What the server supports; nothing means that it knows no ALPN.
        alpn: Option<&'static str>,
    },
    /// With a ServerHello of TLS 1.1.
    Tls11,
    /// With something that is not TLS.
    NotTls,
}

/// A ClientHello that came, and what followed it.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    pub server_name: String,
    pub alpn: Vec<Vec<u8>>,
    /// Versions from the supported_versions extension (RFC 8446 §4.2.1), as numbers: 0x0304 is TLS 1.3.
    pub versions: Vec<u16>,
    /// Application data after the handshake.
    pub said: usize,
    /// Whether the peer closed after the handshake.
    pub closed: bool,
}

impl TlsResponder {
    pub async fn start(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let script = Arc::new(Script::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, script.clone()));
        Ok(Self {
            addr,
            script,
            _tasks: tasks,
        })
    }

    pub fn serve(&self, server_name: &str, manner: Manner) {
        lock(&self.script.manners).insert(server_name.to_owned(), Arc::new(manner));
    }

    pub fn hellos(&self, server_name: &str) -> Vec<Hello> {
        let hellos = lock(&self.script.hellos);
        let about = hellos.iter().filter(|hello| hello.server_name == server_name);
        about.cloned().collect()
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(timeout(PATIENCE, answer(stream, script.clone())))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, script: Arc<Script>) -> io::Result<()> {
    let mut record = vec![0; 16 * 1024];
    let len = peek_record(&stream, &mut record).await?;
    let versions = supported_versions(&record[..len]);
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut &record[..len])?;
    let Ok(Some(accepted)) = acceptor.accept() else {
        return Ok(());
    };
    let mut hello = read(&accepted.client_hello());
    hello.versions = versions;
    let manner = lock(&script.manners).get(&hello.server_name).cloned();
    let index = {
        let mut hellos = lock(&script.hellos);
        hellos.push(hello);
        hellos.len() - 1
    };
    match manner.as_deref() {
        None => Ok(()),
        Some(Manner::NotTls) => stream.write_all(b"SSH-2.0-conformance\r\n").await,
        Some(Manner::Tls11) => {
            stream.write_all(&TLS11_SERVER_HELLO).await?;
            stream.read(&mut record).await.map(|_| ())
        }
        Some(Manner::Handshake { chain, key, alpn }) => {
            let Some(config) = config(chain, key, *alpn) else {
                return Ok(());
            };
            let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
            let mut stream = start.into_stream(Arc::new(config)).await?;
            let mut said = Vec::new();
            let end = stream.read_to_end(&mut said).await;
            if let Some(hello) = lock(&script.hellos).get_mut(index) {
                hello.said = said.len();
                hello.closed = end.is_ok();
            }
            Ok(())
        }
    }
}

/// Waits for the whole first record without taking it.
async fn peek_record(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let len = stream.peek(buffer).await?;
        let complete = len >= 5 && len >= 5 + usize::from(u16::from_be_bytes([buffer[3], buffer[4]]));
        if len == 0 || complete || len == buffer.len() {
            return Ok(len);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn read(hello: &ClientHello<'_>) -> Hello {
    Hello {
        server_name: hello.server_name().unwrap_or_default().to_owned(),
        alpn: hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect(),
        ..Hello::default()
    }
}

/// Finds the extension 43 by its shape; good enough for a hello that a TLS library has read before.
fn supported_versions(record: &[u8]) -> Vec<u16> {
    let at = (0..record.len().saturating_sub(7)).find(|at| {
        let window = &record[*at..];
        let fits = window[4].checked_add(1) == Some(window[3]) && window[4].is_multiple_of(2);
        window[..3] == [0, 43, 0] && fits && window[5] == 3
    });
    let Some(at) = at else { return Vec::new() };
    let len = usize::from(record[at + 4]);
    let list = record.get(at + 5..at + 5 + len).unwrap_or_default();
    list.chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

fn config(chain: &[Vec<u8>], key: &KeyPair, alpn: Option<&str>) -> Option<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_pkcs8_der().to_vec()));
    let key = provider.key_provider.load_private_key(private).ok()?;
    let chain = chain.iter().cloned().map(CertificateDer::from).collect();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Only(Arc::new(CertifiedKey::new(chain, key)))));
    config.alpn_protocols = alpn.into_iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Some(config)
}

/// The one certificate, whoever is asked for.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Record, handshake, version 0x0302, 32 bytes of random, no session, ECDHE-ECDSA-AES128-SHA, no compression.
const TLS11_SERVER_HELLO: [u8; 47] = {
    let mut hello = [7; 47];
    let head = [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    let tail = [0, 0xc0, 0x09, 0];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        hello[43 + at] = tail[at];
        at += 1;
    }
    hello
};
/// Longer than any validator waits.
const PATIENCE: Duration = Duration::from_secs(60);
