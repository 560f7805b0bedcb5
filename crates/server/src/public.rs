//! What relying parties fetch without TLS: issuer certificates (RFC 5280 §4.2.2.1), CRLs (§4.2.1.13), and answers about
//! single certificates (RFC 6960 appendix A).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use authority::{Authority, Failure, operations::OcspAnswer};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use jiff::{Timestamp, tz::TimeZone};
use pkix::hex;
use pkix::ocsp::LONGEST_REQUEST;

use crate::listener::AsyncHandler;

/// `/issuer/NAME.cer`, `/crl/NAME/SHARD.crl` and `/ocsp/NAME`.
#[derive(Clone)]
pub struct Public {
    authority: Authority,
    /// Issuer certificates by path.
    certificates: Arc<HashMap<String, Bytes>>,
    /// The newest lists that were asked for, by issuer and shard.
    lists: Arc<Mutex<HashMap<(String, u32), Arc<List>>>>,
}

struct List {
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    der: Bytes,
}

impl Public {
    /// `certificates`: name and DER of each issuer.
    pub fn new(authority: Authority, certificates: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let by_path = certificates
            .into_iter()
            .map(|(name, der)| (format!("/issuer/{name}.cer"), der));
        Self {
            authority,
            certificates: Arc::new(by_path.collect()),
            lists: Arc::default(),
        }
    }

    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if let Some(question) = path.strip_prefix("/ocsp/") {
            return self.ocsp(question, &parts, body).await;
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return refuse_method("GET, HEAD");
        }
        if let Some(der) = self.certificates.get(path) {
            return document("application/pkix-cert", der.clone());
        }
        match path.strip_prefix("/crl/").and_then(read_shard) {
            Some((issuer, shard)) => self.crl(issuer, shard, &parts.headers).await,
            None => empty(StatusCode::NOT_FOUND),
        }
    }

    async fn crl(&self, issuer: &str, shard: u32, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let list = match self.newest(issuer, shard).await {
            Ok(Some(list)) => list,
            Ok(None) => return empty(StatusCode::NOT_FOUND),
            Err(failure) => {
                tracing::warn!(%failure, "a CRL was not served");
                return empty(StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        let cached = Caching {
            tag: list.number.to_string(),
            since: list.this_update,
            until: list.next_update,
            now: self.authority.now(),
        };
        let mut response = if cached.is_known(headers) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            document("application/pkix-crl", list.der.clone())
        };
        cached.write(response.headers_mut());
        response
    }

    /// From memory while it is the newest: a list has megabytes, and its number a few octets.
    async fn newest(&self, issuer: &str, shard: u32) -> Result<Option<Arc<List>>, Failure> {
        let Some(number) = self.authority.crl_number(issuer, shard).await? else {
            return Ok(None);
        };
        let key = (issuer.to_owned(), shard);
        let known = self.lists().get(&key).cloned();
        if let Some(known) = known.filter(|known| known.number == number) {
            return Ok(Some(known));
        }
        let Some(published) = self.authority.crl(issuer, shard).await? else {
            return Ok(None);
        };
        let list = Arc::new(List {
            number: published.number,
            this_update: published.this_update,
            next_update: published.next_update,
            der: published.der.into(),
        });
        self.lists().insert(key, list.clone());
        Ok(Some(list))
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, HashMap<(String, u32), Arc<List>>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `question`: the issuer's name, and with GET the request (RFC 6960 A.1).
    async fn ocsp<B>(&self, question: &str, parts: &Parts, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (issuer, in_path) = question.split_once('/').unwrap_or((question, ""));
        let request = match parts.method {
            // What cannot be decoded is answered like every other malformed request.
            Method::GET | Method::HEAD => read_path(in_path).unwrap_or_default(),
            Method::POST if in_path.trim_matches('/').is_empty() => match read_body(body).await {
                Ok(request) => request,
                Err(status) => return empty(status),
            },
            Method::POST => return empty(StatusCode::NOT_FOUND),
            _ => return refuse_method("GET, HEAD, POST"),
        };
        let Some(OcspAnswer { der, validity }) = self.authority.ocsp(issuer, &request).await else {
            return empty(StatusCode::NOT_FOUND);
        };
        let tag = hex::encode(digest(&SHA256, &der).as_ref());
        let mut response = document("application/ocsp-response", der.into());
        match validity {
            Some((since, until)) => Caching {
                tag,
                since,
                until,
                now: self.authority.now(),
            }
            .write(response.headers_mut()),
            None => drop(
                response
                    .headers_mut()
                    .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ),
        }
        response
    }
}

impl AsyncHandler for Public {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.answer(request).await
    }
}

/// What caches may do with a signed statement (RFC 5019 §6.2, and the same for CRLs).
struct Caching {
    tag: String,
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
}

impl Caching {
    fn write(&self, headers: &mut HeaderMap) {
        let left = self.until.as_second().saturating_sub(self.now.as_second()).max(0);
        let age = left.min(LONGEST_CACHED.as_secs().cast_signed());
        set(
            headers,
            header::CACHE_CONTROL,
            format!("max-age={age}, public, no-transform, must-revalidate"),
        );
        set(headers, header::ETAG, format!("\"{}\"", self.tag));
        set(headers, header::LAST_MODIFIED, http_date(self.since));
        set(headers, header::EXPIRES, http_date(self.until));
    }

    /// RFC 9110 §13.1.2, §13.1.3: with a tag the date does not count.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        match text(header::IF_NONE_MATCH) {
            Some(tags) => tags
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"))
                .any(|tag| tag == "*" || tag.trim_matches('"') == self.tag),
            // Whoever sends the date got it from us.
            None => text(header::IF_MODIFIED_SINCE) == Some(&http_date(self.since)),
        }
    }
}

/// `ISSUER/SHARD.crl`.
fn read_shard(path: &str) -> Option<(&str, u32)> {
    let (issuer, file) = path.split_once('/')?;
    let shard = file.strip_suffix(".crl")?;
    // One name for one list: caches and limits go by it.
    let number: u32 = shard.parse().ok()?;
    (number.to_string() == shard).then_some((issuer, number))
}

/// RFC 6960 A.1: the URL-encoding of the base64 encoding. Some encode nothing, some leave out the padding.
fn read_path(path: &str) -> Option<Vec<u8>> {
    if path.len() > 4 * LONGEST_REQUEST {
        return None;
    }
    let mut text = String::with_capacity(path.len());
    let mut rest = path.trim_start_matches('/').chars();
    while let Some(character) = rest.next() {
        let decoded = match character {
            '%' => {
                let digits: String = rest.by_ref().take(2).collect();
                char::from(*hex::decode(&digits)?.first()?)
            }
            other => other,
        };
        match decoded {
            '+' => text.push('-'),
            '/' => text.push('_'),
            '=' => {}
            other => text.push(other),
        }
    }
    jose::base64url::decode(&text).ok()
}

async fn read_body<B>(body: B) -> Result<Vec<u8>, StatusCode>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, LONGEST_REQUEST).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn document(content_type: &'static str, bytes: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(bytes));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn refuse_method(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    match HeaderValue::try_from(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => tracing::error!(%name, "a header value of ours is not one"),
    }
}

/// RFC 9110 §5.6.7.
fn http_date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// So long a cache may go on showing what was true: a revocation is seen everywhere after this, and not only when the
/// list would have ended.
const LONGEST_CACHED: Duration = Duration::from_secs(60 * 60);
/// As long as for the API.
const BODY_TIME: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_path() {
        assert_eq!(read_shard("issuing/0.crl"), Some(("issuing", 0)));
        assert_eq!(read_shard("issuing/4294967295.crl"), Some(("issuing", u32::MAX)));
        for other in [
            "issuing.crl",
            "issuing/.crl",
            "issuing/00.crl",
            "issuing/+1.crl",
            "issuing/-1.crl",
            "issuing/4294967296.crl",
            "issuing/0.crl/",
            "issuing/0",
        ] {
            assert_eq!(read_shard(other), None, "{other}");
        }
    }

    // 6960-1: RFC 6960 A.1
    #[test]
    fn a_question_in_a_path_is_decoded_as_clients_encode_it() {
        let octets = vec![0xfb, 0xef, 0xff, 0x00];
        for path in ["++//AA==", "%2b%2B%2F%2fAA%3D%3D", "++//AA", "/++//AA=="] {
            assert_eq!(read_path(path), Some(octets.clone()), "{path}");
        }
        for path in ["%", "%2", "%zz", "a b", "é", &"A".repeat(5 * LONGEST_REQUEST)] {
            assert_eq!(read_path(path), None);
        }
    }

    #[test]
    fn dates_are_written_as_http_has_them() {
        let time = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_cache_keeps_a_statement_for_an_hour_at_most_and_never_beyond_its_end() {
        let time = |text: &str| -> Timestamp { text.parse().unwrap() };
        let caching = |now: &str| {
            let caching = Caching {
                tag: "7".into(),
                since: time("2026-03-01T00:00:00Z"),
                until: time("2026-03-08T00:00:00Z"),
                now: time(now),
            };
            let mut headers = HeaderMap::new();
            caching.write(&mut headers);
            headers[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(caching("2026-03-01T00:00:00Z").starts_with("max-age=3600,"));
        assert!(caching("2026-03-07T23:59:50Z").starts_with("max-age=10,"));
        assert!(caching("2026-03-09T00:00:00Z").starts_with("max-age=0,"));
    }

    #[test]
    fn whoever_has_the_newest_list_is_told_so() {
        let caching = Caching {
            tag: "7".into(),
            since: "2026-03-01T00:00:00Z".parse().unwrap(),
            until: "2026-03-08T00:00:00Z".parse().unwrap(),
            now: "2026-03-02T00:00:00Z".parse().unwrap(),
        };
        let known = |fields: &[(HeaderName, &str)]| {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().unwrap()));
            caching.is_known(&fields.collect())
        };
        let date = "Sun, 01 Mar 2026 00:00:00 GMT";
        assert!(known(&[(header::IF_NONE_MATCH, "\"6\", W/\"7\"")]));
        assert!(known(&[(header::IF_MODIFIED_SINCE, date)]));
        assert!(!known(&[
            (header::IF_NONE_MATCH, "\"6\""),
            (header::IF_MODIFIED_SINCE, date)
        ]));
        assert!(!known(&[]));
    }
}
