//! `http-01` (RFC 8555 §8.3).

mod exchange;
#[doc(hidden)]
pub mod offline;
mod url;

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::{Name, Target},
    model::Observation,
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::{
    exchange::{Body, Response},
    url::{Scheme, Url},
};
use crate::{
    attempt::{Attempt, Failure},
    dial::{Dialled, Network, seconds},
    excerpt, unverified,
};

/// Control shown by a file on the name's web server.
pub struct Http01 {
    way: Arc<Way>,
}

struct Way {
    network: Arc<Network>,
    tls: TlsConnector,
    names_port: bool,
}

impl Http01 {
    pub fn new(network: Arc<Network>) -> Self {
        Self::naming_port(network, false)
    }

    /// One that names the port it dials in place of 80, if `names_port`. A web server for port 80 does not expect that;
    /// the proxies of some test suites go by it.
    pub fn naming_port(network: Arc<Network>, names_port: bool) -> Self {
        let tls = TlsConnector::from(Arc::new(unverified::config(&[b"http/1.1"])));
        Self {
            way: Arc::new(Way {
                names_port: names_port && network.ports.http != 80,
                network,
                tls,
            }),
        }
    }
}

impl ValidationMethod for Http01 {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Not for wildcards (RFC 8555 §8.3 proves a host, not a zone).
    fn offered_for(&self, name: &Name) -> bool {
        match name.target() {
            Target::Host(_) => !name.is_wildcard(),
            Target::Address(_) => true,
            Target::Service { .. } | Target::Mailbox { .. } | Target::None => false,
        }
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let way = self.way.clone();
        Box::pin(async move {
            let mut attempt = way.network.begin(NAME);
            let outcome = way
                .network
                .in_time(ProblemType::Connection, way.prove(&request, &mut attempt))
                .await;
            attempt.conclude(outcome)
        })
    }
}

impl Way {
    /// The path is ours, never the applicant's; after that, redirects are followed as a browser would, with every
    /// hop resolved and judged anew.
    async fn prove(&self, request: &ValidationRequest, attempt: &mut Attempt) -> Result<(), Failure> {
        let expected = request.key_authorization.as_str();
        let host = request.name.target().clone();
        let mut url = Url::of_challenge(host, self.network.ports.http, self.names_port, &request.token);
        for _ in 0..=MAX_REDIRECTS {
            let (response, place) = self.fetch(&url, expected.len() + MARGIN, attempt).await?;
            if !response.is_redirect() {
                return judge(&response, expected, &place);
            }
            url = self.next(&url, &response, &place)?;
        }
        let detail = format!("More than {MAX_REDIRECTS} redirects; the last led to {url}.");
        Err(Failure::lasting(ProblemType::Connection, detail))
    }

    /// The answer, and the place it came from in words.
    async fn fetch(&self, url: &Url, limit: usize, attempt: &mut Attempt) -> Result<(Response, String), Failure> {
        let Dialled {
            stream,
            address,
            place: _place,
        } = self
            .network
            .dial(&url.host, url.port, attempt)
            .await
            .map_err(|failure| failure.while_fetching(url))?;
        let place = format!("{url} ({address})");
        let exchanged = match url.scheme {
            Scheme::Http => exchange::get(stream, url, limit).await,
            Scheme::Https => {
                let handshake = self.tls.connect(url.server_name(), stream);
                let stream = match timeout(self.network.timeouts.connect, handshake).await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => return Err(tls_failure(attempt, &place, error.to_string())),
                    Err(_) => {
                        let limit = seconds(self.network.timeouts.connect);
                        let failure = tls_failure(attempt, &place, format!("not finished within {limit}"));
                        return Err(Failure {
                            transient: true,
                            ..failure
                        });
                    }
                };
                exchange::get(stream, url, limit).await
            }
        };
        match exchanged {
            Ok(response) => {
                attempt.saw(Observation::Http {
                    url: url.to_string(),
                    address,
                    status: response.status.as_u16(),
                    location: response
                        .location
                        .as_deref()
                        .map(|location| excerpt::plain(location, url::SHOWN)),
                    body_start: excerpt::plain(response.body.start(), SHOWN),
                });
                Ok((response, place))
            }
            Err(broken) => {
                attempt.saw(Observation::Failed {
                    what: format!("HTTP exchange with {address}: {broken}"),
                });
                let detail = format!("Fetching {place}: {broken}.");
                Err(Failure {
                    transient: broken.is_transient(),
                    ..Failure::lasting(ProblemType::Connection, detail)
                })
            }
        }
    }

    fn next(&self, url: &Url, response: &Response, place: &str) -> Result<Url, Failure> {
        let status = response.status.as_u16();
        let Some(location) = &response.location else {
            let detail = format!("Status {status} without a Location at {place}.");
            return Err(Failure::lasting(ProblemType::Unauthorized, detail));
        };
        let refused = |why: String| -> Failure {
            let shown = excerpt::quoted(location, url::SHOWN);
            let detail = format!("The redirect from {place} to {shown} is not followed: {why}.");
            Failure::lasting(ProblemType::Connection, detail)
        };
        let next = url.follow(location).map_err(|refusal| refused(refusal.to_string()))?;
        if !self.network.ports.allows_redirect_to(next.port) {
            return Err(refused(format!("port {} is neither 80 nor 443", next.port)));
        }
        Ok(next)
    }
}

impl Failure {
    fn while_fetching(mut self, url: &Url) -> Self {
        self.detail = format!("Fetching {url}: {}", self.detail);
        self
    }
}

fn tls_failure(attempt: &mut Attempt, place: &str, error: String) -> Failure {
    let detail = format!("TLS handshake for {place}: {error}.");
    attempt.saw(Observation::Failed { what: detail.clone() });
    Failure::lasting(ProblemType::Tls, detail)
}

fn judge(response: &Response, expected: &str, place: &str) -> Result<(), Failure> {
    let refused = |detail: String| Err(Failure::lasting(ProblemType::Unauthorized, detail));
    if response.status != http::StatusCode::OK {
        return refused(format!(
            "Status {} instead of 200 at {place}; the answer begins {}.",
            response.status.as_u16(),
            excerpt::quoted(response.body.start(), SHOWN)
        ));
    }
    if let Some(coding) = &response.coding {
        return refused(format!(
            "The answer at {place} is encoded as {}, though only \"identity\" was accepted.",
            excerpt::quoted(coding, 32)
        ));
    }
    match &response.body {
        // "ignore whitespace characters at the end" (RFC 8555 §8.3)
        Body::Whole(body) if body.trim_ascii_end() == expected.as_bytes() => Ok(()),
        Body::Whole(body) if body.is_empty() => {
            refused(format!("The answer at {place} is empty; it should be {expected}."))
        }
        body => refused(format!(
            "The answer at {place} is {}, not the key authorization {expected}.",
            excerpt::quoted(body.start(), SHOWN)
        )),
    }
}

const NAME: &str = "http-01";
/// As many as curl's and Go's defaults leave room for in practice; every one costs a resolution and a connection.
const MAX_REDIRECTS: usize = 10;
/// What a body may have beyond the key authorization: line ends and blanks that an editor leaves behind. More would
/// only serve to make us read.
const MARGIN: usize = 128;
/// How much of a body is shown. A key authorization has 87 characters with a token of ours.
const SHOWN: usize = 128;

#[cfg(test)]
mod tests;
