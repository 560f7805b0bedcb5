//! The front: a request in, an answer with everything every answer has.

use std::{sync::Arc, time::Duration};

use acme::Meta;
use authority::{Authority, model::AccountId};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;

use crate::{
    Links, Nonces, Peers, Resource, Waiting,
    gate::{self, Keys},
    nonce::NonceError,
    problem::Rejection,
    reply::Reply,
    resource,
};

/// One directory, served. Shared by all connections.
pub struct Front {
    pub(crate) authority: Authority,
    pub(crate) links: Links,
    pub(crate) nonces: Arc<Nonces>,
    pub(crate) peers: Option<Peers>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) options: Options,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub meta: Meta,
    /// How long a read of something that is being worked on may wait for it.
    pub hold: Duration,
    pub orders_per_page: usize,
}

impl Front {
    pub fn new(
        authority: Authority,
        links: Links,
        nonces: Arc<Nonces>,
        peers: Option<Peers>,
        waiting: Arc<Waiting>,
        options: Options,
    ) -> Self {
        Self {
            authority,
            links,
            nonces,
            peers,
            waiting,
            options,
        }
    }

    pub async fn handle<B: Body<Data = Bytes>>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let resource = self
            .links
            .read_path(parts.uri.path())
            .filter(|_| parts.uri.query().is_none());
        let reply = match resource {
            None => Err(Rejection::NoSuchResource),
            Some(resource) => self.dispatch(resource, &parts, body).await,
        };
        let reply = reply.unwrap_or_else(|rejection| refuse(rejection, &parts.method));
        tracing::debug!(
            resource = resource.map_or("none", |resource| resource.name()),
            method = %parts.method,
            status = reply.status.as_u16(),
            "answered"
        );
        let with_nonce = parts.method == Method::POST || resource == Some(Resource::NewNonce);
        self.finish(reply, resource, with_nonce)
    }

    async fn dispatch<B: Body<Data = Bytes>>(
        &self,
        resource: Resource,
        parts: &http::request::Parts,
        body: B,
    ) -> Result<Reply, Rejection> {
        let readable = matches!(resource, Resource::Directory | Resource::NewNonce);
        match parts.method {
            Method::OPTIONS => return Ok(Reply::preflight()),
            Method::GET | Method::HEAD if readable => return Ok(resource::read(self, resource, &parts.method)),
            Method::POST => {}
            _ if readable => {
                return Err(Rejection::Method {
                    allowed: "GET, HEAD, POST",
                });
            }
            _ => return Err(Rejection::Method { allowed: "POST" }),
        }
        let keys = match resource {
            Resource::NewAccount => Keys::Jwk,
            Resource::RevokeCert => Keys::Either,
            _ => Keys::Account,
        };
        gate::check_content_type(&parts.headers)?;
        let body = gate::read_body(body).await?;
        let signed = self.admit(resource, keys, body).await?;
        match resource {
            Resource::NewAccount => resource::new_account::post(self, signed.by_key()?).await,
            Resource::RevokeCert => resource::revoke_cert::post(self, signed).await,
            _ => resource::post(self, resource, signed.by_account()?).await,
        }
    }

    /// What every answer has (RFC 8555 §6.1, §6.5.1, §7.1).
    fn finish(&self, reply: Reply, resource: Option<Resource>, with_nonce: bool) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(reply.body));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        let mut set = |name, value: String| match HeaderValue::try_from(value) {
            Ok(value) => drop(headers.append(name, value)),
            Err(_) => tracing::error!(%name, "a header value of ours is not one"),
        };
        if let Some(content_type) = reply.content_type {
            set(header::CONTENT_TYPE, content_type.to_owned());
        }
        if let Some(location) = reply.location {
            set(header::LOCATION, location);
        }
        if let Some(seconds) = reply.retry_after {
            set(header::RETRY_AFTER, seconds.to_string());
        }
        if reply.preflight {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST".to_owned());
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type".to_owned());
        }
        if let Some(allow) = reply.allow {
            set(header::ALLOW, allow.to_owned());
        }
        for (url, relation) in reply.links {
            set(header::LINK, format!("<{url}>;rel=\"{relation}\""));
        }
        if resource != Some(Resource::Directory) {
            set(
                header::LINK,
                format!("<{}>;rel=\"index\"", self.links.url(Resource::Directory)),
            );
        }
        if with_nonce {
            set(REPLAY_NONCE, self.nonces.issue());
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Link, Location, Replay-Nonce, Retry-After"),
        );
        response
    }

    pub(crate) async fn take_nonce(&self, nonce: &str) -> Result<(), NonceError> {
        match (self.nonces.take(nonce), &self.peers) {
            (Err(NonceError::Elsewhere), Some(peers)) => match self.nonces.process_of(nonce) {
                Some(process) => peers.take(process, nonce).await,
                None => Err(NonceError::Unknown),
            },
            (decided, _) => decided,
        }
    }

    pub(crate) fn account_url(&self, id: AccountId) -> String {
        self.links.url(Resource::Account(id))
    }
}

fn refuse(rejection: Rejection, method: &Method) -> Reply {
    let allow = match &rejection {
        Rejection::Method { allowed } => Some(*allowed),
        _ => None,
    };
    let terms = match &rejection {
        Rejection::Authority(authority::Failure::Refused(authority::Refusal::TermsOfService(url))) => Some(url.clone()),
        _ => None,
    };
    let problem = rejection.document();
    tracing::debug!(%method, %problem, "refused");
    let status = problem.status.and_then(|status| StatusCode::from_u16(status).ok());
    let body = serde_json::to_vec(&problem).expect("invariant: a problem document is JSON");
    let mut reply = Reply::of(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        acme::PROBLEM_JSON,
        body,
    );
    reply.allow = allow;
    if let Some(terms) = terms {
        reply = reply.link(terms, "terms-of-service");
    }
    reply
}

const REPLAY_NONCE: header::HeaderName = header::HeaderName::from_static("replay-nonce");
