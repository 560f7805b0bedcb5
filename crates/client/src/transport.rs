//! HTTPS to one server: who we say we are, how long we wait, how much we read (RFC 8555 §6.1).

use std::{error::Error as StdError, fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, LINK, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use crate::{
    printable::printable,
    trust::{Trust, TrustError},
};

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    pub trust: Trust,
    /// For tests alone: RFC 8555 §6.1 demands HTTPS.
    pub allow_http: bool,
    pub connect_timeout: Duration,
    /// For one request, from the first byte out to the last one in.
    pub request_timeout: Duration,
    /// The largest answer that is read.
    pub largest_body: usize,
    /// In what language problem documents are liked (RFC 8555 §6.1).
    pub accept_language: String,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            trust: Trust::Platform,
            allow_http: false,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            largest_body: LARGEST_BODY,
            accept_language: accept_language(std::env::var("LANG").unwrap_or_default().as_str()),
        }
    }
}

/// Sends requests, one connection pool for all. It follows no redirects and knows no proxy.
#[derive(Clone)]
pub struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    settings: TransportSettings,
    accept_language: HeaderValue,
}

impl Transport {
    pub fn new(settings: TransportSettings) -> Result<Self, TrustError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(settings.trust.client_config()?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        let accept_language =
            HeaderValue::from_str(&settings.accept_language).unwrap_or(HeaderValue::from_static("en"));
        Ok(Self {
            client,
            settings,
            accept_language,
        })
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        accept: &str,
        body: Option<String>,
    ) -> Result<Answer, TransportError> {
        let uri: Uri = url.parse().map_err(|_| TransportError::new(url, Fault::NotUrl))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if self.settings.allow_http => {}
            _ => return Err(TransportError::new(url, Fault::NotHttps)),
        }
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(USER_AGENT, HeaderValue::from_static(SOFTWARE))
            .header(ACCEPT_LANGUAGE, self.accept_language.clone())
            .header(ACCEPT, accept);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(acme::JOSE_JSON));
        }
        let request = request
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|_| TransportError::new(url, Fault::NotUrl))?;
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| Fault::connection(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, self.settings.largest_body)
                .collect()
                .await
                .map_err(|error| {
                    if error.is::<LengthLimitError>() {
                        Fault::TooLarge
                    } else {
                        Fault::Lost(error.to_string())
                    }
                })?;
            Ok(Answer {
                url: url.to_owned(),
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(self.settings.request_timeout, exchange).await {
            Ok(answer) => answer.map_err(|fault| TransportError::new(url, fault)),
            Err(_) => Err(TransportError::new(url, Fault::TimedOut(self.settings.request_timeout))),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A complete answer of any status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The URL of what was made, word for word as the server gave it.
    pub(crate) fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        absolute(location, &self.url)
    }

    /// The targets of the links with this relation (RFC 8288 §3).
    pub(crate) fn links(&self, relation: &str) -> Vec<String> {
        let values = self
            .headers
            .get_all(LINK)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| links(value, relation))
            .filter_map(|target| absolute(&target, &self.url))
            .collect()
    }
}

/// Nearly all servers write absolute URLs; one that starts at the root is completed, others are ignored.
fn absolute(target: &str, base: &str) -> Option<String> {
    let base: Uri = base.parse().ok()?;
    match target {
        _ if target.contains("://") => Some(target.to_owned()),
        _ if target.starts_with('/') && !target.starts_with("//") => {
            Some(format!("{}://{}{target}", base.scheme_str()?, base.authority()?))
        }
        _ => None,
    }
}

fn links(header: &str, relation: &str) -> Vec<String> {
    let mut found = Vec::new();
    for link in header.split('<').skip(1) {
        let Some((target, parameters)) = link.split_once('>') else {
            continue;
        };
        let is_wanted = parameters.split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else {
                return false;
            };
            let relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel")
                && relations.into_iter().any(|one| one.eq_ignore_ascii_case(relation))
        });
        if is_wanted {
            found.push(target.to_owned());
        }
    }
    found
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {}: {fault}", printable(url))]
pub struct TransportError {
    url: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("it is not a URL")]
    NotUrl,
    #[error("it does not begin with https://")]
    NotHttps,
    #[error("{0}")]
    Tls(String),
    #[error("{0}")]
    Lost(String),
    #[error("it answered with more than is read of any answer")]
    TooLarge,
    #[error("nothing complete within {} s", .0.as_secs())]
    TimedOut(Duration),
}

impl Fault {
    /// The innermost cause is the one that says something, and a certificate that is not trusted stays so.
    fn connection(error: &(dyn StdError + 'static)) -> Self {
        let mut innermost = error;
        let mut tls = None;
        loop {
            tls = tls.or(innermost.downcast_ref::<rustls::Error>());
            // An io::Error hides what it wraps from `source`, and says it itself.
            let wrapped = innermost
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref);
            innermost = match (wrapped, innermost.source()) {
                (Some(wrapped), _) => wrapped,
                (None, Some(source)) => source,
                (None, None) => break,
            };
        }
        match tls {
            Some(tls @ rustls::Error::InvalidCertificate(_)) => Self::Tls(tls.to_string()),
            _ => Self::Lost(innermost.to_string()),
        }
    }
}

impl TransportError {
    fn new(url: &str, fault: Fault) -> Self {
        Self {
            url: url.to_owned(),
            fault,
        }
    }

    pub fn is_transient(&self) -> bool {
        matches!(self.fault, Fault::Lost(_) | Fault::TimedOut(_))
    }

    pub(crate) fn next_step(&self) -> Option<String> {
        let step = match self.fault {
            Fault::NotUrl | Fault::NotHttps => "Give the https:// URL of the CA's directory as --server.",
            Fault::Tls(_) => "If this is a private CA, give its root certificate as --ca-bundle FILE.",
            Fault::Lost(_) | Fault::TimedOut(_) => "Check that the server runs and can be reached, then try again.",
            Fault::TooLarge => return None,
        };
        Some(step.to_owned())
    }
}

/// `de_DE.UTF-8` becomes `de-DE, de;q=0.9, en;q=0.5`.
fn accept_language(locale: &str) -> String {
    let tag = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let language = tag.split('-').next().unwrap_or_default();
    let is_language =
        (2..=3).contains(&language.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match (is_language, language) {
        (false, _) | (true, "en") => "en".to_owned(),
        (true, _) if tag == language => format!("{language}, en;q=0.5"),
        (true, _) => format!("{tag}, {language};q=0.9, en;q=0.5"),
    }
}

/// RFC 8555 §6.1 wants the software named, and its HTTP library too.
const SOFTWARE: &str = concat!("vidimus/", env!("CARGO_PKG_VERSION"), " hyper/1");
/// A chain of ten large certificates has 30 kB, a page of order URLs as much again.
const LARGEST_BODY: usize = 1 << 20;
/// Less than what servers and middle boxes allow, so that a connection is not closed while it is being used again.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_relation() {
        let header = r#"<https://ca.test/dir>;rel="index", </a,b>; title="x"; rel="up alternate",<https://ca.test/2>;REL=alternate"#;
        assert_eq!(links(header, "alternate"), ["/a,b", "https://ca.test/2"]);
        assert_eq!(links(header, "index"), ["https://ca.test/dir"]);
        assert!(links("garbage; rel=index", "index").is_empty());
    }

    #[test]
    fn a_target_is_taken_word_for_word_or_completed_from_the_root() {
        let base = "https://ca.test:14000/x/y?z";
        assert_eq!(
            absolute("https://ca.test/%7Ea?b=%20&c", base).unwrap(),
            "https://ca.test/%7Ea?b=%20&c"
        );
        assert_eq!(absolute("/order/1", base).unwrap(), "https://ca.test:14000/order/1");
        assert_eq!(absolute("order/1", base), None);
        assert_eq!(absolute("//evil.test/1", base), None);
    }

    // 8555-6.1-3
    #[test]
    fn the_locale_becomes_a_language_range() {
        assert_eq!(accept_language("de_AT.UTF-8"), "de-AT, de;q=0.9, en;q=0.5");
        assert_eq!(accept_language("fr"), "fr, en;q=0.5");
        for locale in ["", "C", "C.UTF-8", "POSIX", "en_GB.UTF-8", "x\r\ny: z"] {
            assert_eq!(accept_language(locale), "en");
        }
    }
}
