//! One look at a mail service, from outside: its greeting, what it can do, and the certificate it shows.
//!
//! Says nothing but constant words, and reads no more than it needs.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::kind::drafted;
use crate::{
    service::{Protocol, Service, TlsMode},
    value::in_drafted_capabilities,
};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Look {
    pub address: SocketAddr,
    /// The greeting's text, all lines.
    pub greeting: String,
    /// As they were last said: after the handshake, if there was one.
    pub capabilities: Vec<String>,
    pub tls: Option<TlsSeen>,
}

/// What a handshake showed.
#[derive(Clone, Debug)]
pub struct TlsSeen {
    pub version: String,
    /// The leaf first, in DER. Not judged here.
    pub chain: Vec<Vec<u8>>,
}

impl Look {
    /// Whether a word stands among those of the greeting.
    pub fn greets_with(&self, word: &str) -> bool {
        self.greeting.split_ascii_whitespace().any(|said| said == word)
    }

    /// Whether a capability of the draft's, given as a word, is listed under TLS.
    pub fn lists(&self, protocol: Protocol, word: &str) -> bool {
        let listed = drafted(word).map(|digest| in_drafted_capabilities(protocol, digest));
        let is_it = |line: &String| match protocol {
            Protocol::Imap => line
                .split_ascii_whitespace()
                .any(|atom| Some(atom) == listed.as_deref()),
            _ => Some(line.as_str()) == listed.as_deref(),
        };
        self.tls.is_some() && self.capabilities.iter().any(is_it)
    }
}

/// Why nothing, or not all, was seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("{address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("{address} broke off: {source}")]
    Io { address: SocketAddr, source: io::Error },
    #[error("{0} said nothing for {limit} s", limit = STEP.as_secs())]
    Silent(SocketAddr),
    #[error("{address} does not speak {protocol:?}: {said:?}")]
    NotSpoken {
        address: SocketAddr,
        protocol: Protocol,
        said: String,
    },
    #[error("{0} says more than can be read")]
    TooMuch(SocketAddr),
    /// RFC 3207 §4.2 and CVE-2011-0411: what was said before the handshake must not count after it.
    #[error("{0} has said something between STARTTLS and the handshake")]
    Pipelined(SocketAddr),
    #[error("{address}: the TLS handshake failed: {source}")]
    Handshake { address: SocketAddr, source: io::Error },
}

/// Looks at the service at an address. `name` is what the handshake asks for.
pub async fn look(address: SocketAddr, service: Service, name: &str) -> Result<Look, LookError> {
    let tcp = match tokio::time::timeout(STEP, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|source| LookError::Connect { address, source })?,
        Err(_) => return Err(LookError::Silent(address)),
    };
    let mut seen = Look {
        address,
        greeting: String::new(),
        capabilities: Vec::new(),
        tls: None,
    };
    let protocol = service.protocol();
    let mut session = match service.tls_mode() {
        TlsMode::Implicit => {
            let (stream, tls) = handshake(Box::new(tcp), address, name).await?;
            seen.tls = Some(tls);
            Session::new(stream, address, protocol)
        }
        TlsMode::StartTls => Session::new(Box::new(tcp), address, protocol),
    };
    seen.greeting = session.greeting().await?;
    seen.capabilities = match protocol {
        // Sieve greets with its capabilities (RFC 5804 §1.7).
        Protocol::Sieve => seen.greeting.lines().map(str::to_owned).collect(),
        _ => session.capabilities().await?,
    };
    if service.tls_mode() == TlsMode::StartTls && offers_tls(protocol, &seen.capabilities) {
        session.start_tls().await?;
        let (stream, tls) = handshake(session.into_inner()?, address, name).await?;
        seen.tls = Some(tls);
        session = Session::new(stream, address, protocol);
        seen.capabilities = match protocol {
            Protocol::Sieve => session.greeting().await?.lines().map(str::to_owned).collect(),
            _ => session.capabilities().await?,
        };
    }
    // Out of politeness: what it says to that matters to nobody.
    let _ = session.send(parting(protocol)).await;
    Ok(seen)
}

fn offers_tls(protocol: Protocol, capabilities: &[String]) -> bool {
    let word = match protocol {
        Protocol::Pop3 => "STLS",
        Protocol::Sieve => "\"STARTTLS\"",
        _ => "STARTTLS",
    };
    capabilities
        .iter()
        .flat_map(|line| line.split_ascii_whitespace())
        .any(|said| said.eq_ignore_ascii_case(word))
}

fn parting(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "z LOGOUT",
        Protocol::Sieve => "LOGOUT",
        _ => "QUIT",
    }
}

/// Either side of a handshake.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Session {
    stream: Box<dyn Stream>,
    address: SocketAddr,
    protocol: Protocol,
    buffer: Vec<u8>,
    total: usize,
}

impl Session {
    fn new(stream: Box<dyn Stream>, address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            stream,
            address,
            protocol,
            buffer: Vec::new(),
            total: 0,
        }
    }

    async fn greeting(&mut self) -> Result<String, LookError> {
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => Ok(self.reply("220").await?.join("\n")),
            Protocol::Sieve => Ok(self.until(|line| starts_with(line, "OK")).await?.join("\n")),
            Protocol::Imap => self.line_with(&["* OK", "* PREAUTH"]).await,
            Protocol::Pop3 => self.line_with(&["+OK"]).await,
        }
    }

    async fn capabilities(&mut self) -> Result<Vec<String>, LookError> {
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => {
                let hello = if self.protocol == Protocol::Lmtp {
                    "LHLO"
                } else {
                    "EHLO"
                };
                self.send(&format!("{hello} {OUR_NAME}")).await?;
                // The first line may echo what we said (RFC 5321 §4.1.1.1).
                Ok(self.reply("250").await?.split_off(1))
            }
            Protocol::Imap => {
                self.send("a CAPABILITY").await?;
                let lines = self.until(|line| starts_with(line, "a ")).await?;
                let spoken = lines
                    .iter()
                    .filter_map(|line| line.strip_prefix("* CAPABILITY ").map(str::to_owned));
                Ok(spoken.collect())
            }
            Protocol::Pop3 => {
                self.send("CAPA").await?;
                // RFC 2449 §5: optional, so a no is an answer.
                let first = self.line().await?;
                match starts_with(&first, "+OK") {
                    true => self.until(|line| line == ".").await,
                    false => Ok(Vec::new()),
                }
            }
            Protocol::Sieve => Ok(Vec::new()),
        }
    }

    async fn start_tls(&mut self) -> Result<(), LookError> {
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => {
                self.send("STARTTLS").await?;
                self.reply("220").await.map(drop)
            }
            Protocol::Imap => {
                self.send("b STARTTLS").await?;
                self.line_with(&["b OK"]).await.map(drop)
            }
            Protocol::Pop3 => {
                self.send("STLS").await?;
                self.line_with(&["+OK"]).await.map(drop)
            }
            Protocol::Sieve => {
                self.send("STARTTLS").await?;
                self.line_with(&["OK"]).await.map(drop)
            }
        }
    }

    /// A reply of SMTP, without its codes (RFC 5321 §4.2).
    async fn reply(&mut self, code: &str) -> Result<Vec<String>, LookError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let text = line.get(4..).unwrap_or_default().to_owned();
            if !line.starts_with(code) {
                return Err(self.not_spoken(line));
            }
            lines.push(text);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(lines);
            }
        }
    }

    async fn until(&mut self, is_last: impl Fn(&str) -> bool) -> Result<Vec<String>, LookError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let is_last = is_last(&line);
            // What ends it is no capability, but where the greeting is all there is it may hold words.
            if !is_last {
                lines.push(line);
            } else {
                return Ok(lines);
            }
        }
    }

    async fn line_with(&mut self, beginnings: &[&str]) -> Result<String, LookError> {
        let line = self.line().await?;
        match beginnings.iter().any(|beginning| starts_with(&line, beginning)) {
            true => Ok(line),
            false => Err(self.not_spoken(line)),
        }
    }

    fn not_spoken(&self, said: String) -> LookError {
        LookError::NotSpoken {
            address: self.address,
            protocol: self.protocol,
            said: said.chars().take(120).collect(),
        }
    }

    async fn line(&mut self) -> Result<String, LookError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.buffer.len() > LONGEST_LINE || self.total > MOST {
                return Err(LookError::TooMuch(self.address));
            }
            let mut chunk = [0; 4096];
            let read = tokio::time::timeout(STEP, self.stream.read(&mut chunk)).await;
            let read = read.map_err(|_| LookError::Silent(self.address))?;
            let address = self.address;
            match read.map_err(|source| LookError::Io { address, source })? {
                0 => {
                    let source = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(LookError::Io { address, source });
                }
                read => {
                    self.total += read;
                    self.buffer.extend_from_slice(&chunk[..read]);
                }
            }
        }
    }

    async fn send(&mut self, line: &str) -> Result<(), LookError> {
        let address = self.address;
        let text = format!("{line}\r\n");
        let sent = tokio::time::timeout(STEP, self.stream.write_all(text.as_bytes())).await;
        sent.map_err(|_| LookError::Silent(address))?
            .map_err(|source| LookError::Io { address, source })
    }

    fn into_inner(self) -> Result<Box<dyn Stream>, LookError> {
        match self.buffer.is_empty() {
            true => Ok(self.stream),
            false => Err(LookError::Pipelined(self.address)),
        }
    }
}

fn starts_with(line: &str, beginning: &str) -> bool {
    line.get(..beginning.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

async fn handshake(
    stream: Box<dyn Stream>,
    address: SocketAddr,
    name: &str,
) -> Result<(Box<dyn Stream>, TlsSeen), LookError> {
    let failed = |source| LookError::Handshake { address, source };
    let name = ServerName::try_from(name.to_owned()).map_err(|error| failed(io::Error::other(error)))?;
    let config = looking().map_err(|error| failed(io::Error::other(error)))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let connected = tokio::time::timeout(STEP, connecting).await;
    let connected = connected.map_err(|_| LookError::Silent(address))?.map_err(failed)?;
    let (_, connection) = connected.get_ref();
    let seen = TlsSeen {
        version: connection
            .protocol_version()
            .and_then(|version| version.as_str())
            .unwrap_or("TLS")
            .replace("TLSv1_", "TLS 1."),
        chain: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect(),
    };
    Ok((Box::new(connected), seen))
}

/// For looking only: any certificate will do, as long as the server has its key.
fn looking() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(config)
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

const STEP: Duration = Duration::from_secs(10);
const LONGEST_LINE: usize = 8 * 1024;
const MOST: usize = 64 * 1024;
/// RFC 5321 §4.1.3 wants a name or an address; a look has neither, and this one is nobody's (RFC 2606 §2).
const OUR_NAME: &str = "vidimus.invalid";
