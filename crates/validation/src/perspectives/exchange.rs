//! One question over HTTP/1.1, one answer, one connection.

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::PATH;

pub(super) struct Answered {
    pub status: u16,
    pub body: Vec<u8>,
}

/// The exchange did not come to an answer.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the exchange broke: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer has more than {0} octets")]
    TooLong(usize),
    #[error("the answer broke off: {0}")]
    Cut(String),
}

/// Reads at most `limit` octets of what comes back.
pub(super) async fn post<S>(stream: S, authority: &str, body: Vec<u8>, limit: usize) -> Result<Answered, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .handshake(TokioIo::new(stream))
        .await?;
    let request = Request::post(PATH)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .expect("invariant: the authority is of a URI that was read");
    let exchange = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Broken::TooLong(limit),
            false => Broken::Cut(error.to_string()),
        })?;
        Ok(Answered {
            status: head.status.as_u16(),
            body: body.to_bytes().to_vec(),
        })
    };
    // Both halves in this task: when it ends or is dropped, so is the connection.
    match select(std::pin::pin!(exchange), std::pin::pin!(connection)).await {
        Either::Left((exchanged, _)) => exchanged,
        Either::Right((_, exchange)) => exchange.await,
    }
}

const MAX_HEADER: usize = 16 * 1024;
