//! A remote perspective, as its primary knows it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::Uri;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    exchange::{Answered, Broken, post},
    pins::{Identity, Pins},
    quorum::Region,
    wire::{Answer, Question},
};
use crate::{dial::seconds, excerpt};

pub struct Remote {
    name: String,
    region: Region,
    host: String,
    port: u16,
    /// None on this machine alone.
    tls: Option<(TlsConnector, ServerName<'static>, Pins)>,
}

/// Why a remote cannot be asked as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("url: {0:?} is not https://HOST:PORT")]
    Url(String),
    #[error("url: {0:?} is not encrypted, and leaves this machine; begin it with https://")]
    Plain(String),
    #[error("certificate: it is missing; name the file with the certificate of this perspective")]
    Unpinned,
    #[error("certificate: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why there is no answer that counts. For evidence and the log: it names what a subscriber need not know.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    #[error("no connection: {0}")]
    NotReached(String),
    #[error("no TLS with the certificate on file: {0}")]
    Tls(String),
    #[error("{0}")]
    Broken(#[from] Broken),
    #[error("it refused with status {status}: {text}")]
    Status { status: u16, text: String },
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it is in the name of {0}")]
    Impostor(String),
    #[error("it is not the answer to this question: another nonce")]
    Stale,
    #[error("it tells what others saw")]
    Hearsay,
    #[error("nothing within {}", seconds(*.0))]
    Late(Duration),
}

impl Remote {
    /// `identity` is ours, and `pins` are the certificates it is known by; plain HTTP to this machine needs neither.
    pub fn new(
        name: &str,
        region: Region,
        url: &str,
        identity: Option<&Identity>,
        pins: Option<Pins>,
    ) -> Result<Self, RemoteError> {
        let wrong = || RemoteError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let (port, tls) = match (uri.scheme_str(), identity, pins) {
            (Some("https"), Some(identity), Some(pins)) => {
                let config = Arc::new(identity.asking(pins.clone())?);
                let server = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
                (443, Some((TlsConnector::from(config), server, pins)))
            }
            (Some("https"), _, _) => return Err(RemoteError::Unpinned),
            (Some("http"), _, _) if host.parse().is_ok_and(|address: IpAddr| address.is_loopback()) => (80, None),
            (Some("http"), _, _) => return Err(RemoteError::Plain(url.to_owned())),
            _ => return Err(wrong()),
        };
        Ok(Self {
            name: name.to_owned(),
            region,
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(port),
            tls,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn region(&self) -> Region {
        self.region
    }

    pub(super) fn is_at_the_place_of(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }

    pub(super) fn is_known_as(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (Some((_, _, ours)), Some((_, _, theirs))) => ours.share_one_with(theirs),
            _ => false,
        }
    }

    /// One question on a connection of its own. `Err` is anything but an answer to it, by this perspective.
    pub(super) async fn ask(&self, question: &Question, limit: usize, time_limit: Duration) -> Result<Answer, Silence> {
        let answered = timeout(time_limit, self.exchange(question, limit))
            .await
            .map_err(|_| Silence::Late(time_limit))??;
        if answered.status != 200 {
            return Err(Silence::Status {
                status: answered.status,
                text: excerpt::plain(&answered.body, LONGEST_TEXT),
            });
        }
        let answer: Answer =
            serde_json::from_slice(&answered.body).map_err(|error| Silence::Unreadable(error.to_string()))?;
        if answer.perspective != question.perspective {
            let claimed = excerpt::quoted(answer.perspective.as_bytes(), LONGEST_TEXT);
            return Err(Silence::Impostor(claimed));
        }
        if answer.nonce != question.nonce {
            return Err(Silence::Stale);
        }
        match answer.is_hearsay() {
            true => Err(Silence::Hearsay),
            false => Ok(answer),
        }
    }

    async fn exchange(&self, question: &Question, limit: usize) -> Result<Answered, Silence> {
        let body = serde_json::to_vec(question).map_err(|error| Silence::Unreadable(error.to_string()))?;
        let connected = timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port)));
        let stream = match connected.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Silence::NotReached(error.to_string())),
            Err(_) => return Err(Silence::NotReached(format!("none within {}", seconds(CONNECT)))),
        };
        // One small message each way.
        let _ = stream.set_nodelay(true);
        let authority = match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        };
        match &self.tls {
            None => Ok(post(stream, &authority, body, limit).await?),
            Some((connector, server, _)) => {
                let stream = connector.connect(server.clone(), stream).await;
                let stream = stream.map_err(|error| Silence::Tls(error.to_string()))?;
                Ok(post(stream, &authority, body, limit).await?)
            }
        }
    }
}

/// One SYN that is repeated twice.
const CONNECT: Duration = Duration::from_secs(5);
const LONGEST_TEXT: usize = 300;
