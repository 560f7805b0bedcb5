//! One exchange on a stream that somebody else has, for whoever has the octets of an answer and no network.

use authority::identifier::Target;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    MARGIN,
    exchange::{self, Body},
    url::Url,
};

/// What was read of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// As much of it as was let in.
    pub body: Vec<u8>,
    /// Where it leads; the words of the refusal if it must not be followed.
    pub redirect: Option<Result<Redirect, String>>,
}

/// A URL as it would be asked next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub text: String,
    pub host: Target,
    pub port: u16,
    pub path: String,
    is_https: bool,
    url: Url,
}

impl Redirect {
    fn of(url: Url) -> Self {
        Self {
            text: url.to_string(),
            host: url.host.clone(),
            port: url.port,
            path: url.path().to_owned(),
            is_https: url.scheme == super::url::Scheme::Https,
            url,
        }
    }

    /// A further hop.
    pub fn follow(&self, location: &[u8]) -> Result<Self, String> {
        self.url
            .follow(location)
            .map(Self::of)
            .map_err(|refusal| refusal.to_string())
    }

    /// The name a TLS handshake would begin with.
    pub fn server_name(&self) -> Option<String> {
        self.is_https.then(|| self.url.server_name().to_str().into_owned())
    }
}

/// The first URL of a challenge, as a place to be led away from.
pub fn challenge(host: Target, token: &str) -> Redirect {
    Redirect::of(Url::of_challenge(host, 80, false, token))
}

/// Asks for `from` and reads what comes; `None` if no answer does. `expected` is the length of the key authorization.
pub async fn exchange<S>(stream: S, from: &Redirect, expected: usize) -> Option<Answered>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let response = exchange::get(stream, &from.url, expected + MARGIN).await.ok()?;
    let redirect = response
        .location
        .as_deref()
        .filter(|_| response.is_redirect())
        .map(|location| from.follow(location));
    Some(Answered {
        status: response.status.as_u16(),
        redirect,
        body: match response.body {
            Body::Whole(body) | Body::Cut(body) => body,
        },
    })
}
