//! One request, one answer, one connection.

use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::url::Url;

pub(super) struct Response {
    pub status: StatusCode,
    pub location: Option<Vec<u8>>,
    /// `Content-Encoding`, if it is one that changes the body.
    pub coding: Option<Vec<u8>>,
    pub body: Body,
}

impl Response {
    pub fn is_redirect(&self) -> bool {
        matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308)
    }
}

/// As much of a body as was let in.
pub(super) enum Body {
    Whole(Vec<u8>),
    /// There was more than the limit, or it broke off; this is its beginning.
    Cut(Vec<u8>),
}

impl Body {
    pub fn start(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) | Self::Cut(bytes) => bytes,
        }
    }
}

/// The exchange did not come to an answer.
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
pub(super) struct Broken {
    told: &'static str,
    transient: bool,
}

impl Broken {
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

/// Asks for `url` on a connection to its host, and reads at most `limit` bytes of body.
pub(super) async fn get<S>(stream: S, url: &Url, limit: usize) -> Result<Response, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| Broken::from(&error))?;
    let request = Request::get(url.path())
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        // A body that unfolds would need a limit of its own.
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .expect("invariant: a Url holds a path and an authority that fit a request");
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| Broken::from(&error))?;
        read(response, limit).await
    };
    // Both halves in this task: when it ends or is dropped, so is the connection.
    match futures_util::future::select(std::pin::pin!(exchange), std::pin::pin!(connection)).await {
        futures_util::future::Either::Left((exchanged, _)) => exchanged,
        futures_util::future::Either::Right((_, exchange)) => exchange.await,
    }
}

async fn read(response: http::Response<Incoming>, limit: usize) -> Result<Response, Broken> {
    let (head, mut incoming) = response.into_parts();
    let answer = |body| Response {
        status: head.status,
        location: value(&head.headers, header::LOCATION),
        coding: value(&head.headers, header::CONTENT_ENCODING)
            .filter(|coding| !coding.eq_ignore_ascii_case(b"identity")),
        body,
    };
    let mut bytes = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame.map(|frame| frame.into_data().unwrap_or_default()) {
            Ok(data) if bytes.len() + data.len() <= limit => bytes.extend_from_slice(&data),
            Ok(data) => {
                bytes.extend_from_slice(&data[..limit - bytes.len()]);
                return Ok(answer(Body::Cut(bytes)));
            }
            Err(error) if head.status == StatusCode::OK => return Err(Broken::from(&error)),
            // The status alone has decided already.
            Err(_) => return Ok(answer(Body::Cut(bytes))),
        }
    }
    Ok(answer(Body::Whole(bytes)))
}

fn value(headers: &HeaderMap, name: header::HeaderName) -> Option<Vec<u8>> {
    headers.get(name).map(|value| value.as_bytes().to_vec())
}

impl From<&hyper::Error> for Broken {
    fn from(error: &hyper::Error) -> Self {
        // hyper's own words are for developers, and may change.
        let (told, transient) = match error {
            error if error.is_parse_too_large() => ("the header of the answer is too large", false),
            error if error.is_parse() => ("the answer is not HTTP/1.1", false),
            error if error.is_incomplete_message() => ("the connection ended before the answer did", true),
            _ => ("the connection broke", true),
        };
        Self { told, transient }
    }
}

const USER_AGENT: &str = concat!("Vidimus/", env!("CARGO_PKG_VERSION"), " (ACME validation; RFC 8555)");
/// What common servers send at most (nginx: 4 buffers of 8 KiB towards a client, Apache: 8 KiB a line).
const MAX_HEADER: usize = 16 * 1024;
