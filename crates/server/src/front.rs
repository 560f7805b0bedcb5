//! The front: a request in, an answer with everything every answer has.

use std::{sync::Arc, time::Duration};

use acme::Meta;
use authority::{Authority, Refusal, model::AccountId};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;

use crate::{
    Links, Nonces, OpenResource, Page, Peers, Proxies, Resource, Waiting,
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
    pub(crate) peers: Option<Arc<Peers>>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) options: Options,
}

#[derive(Clone)]
pub struct Options {
    pub meta: Meta,
    /// Whether newAuthz is offered (RFC 8555 §7.4.1).
    pub pre_authorization: bool,
    pub proxies: Proxies,
    /// What extensions serve to anybody.
    pub open: Vec<Arc<dyn OpenResource>>,
    /// What stands outside of every directory, for people.
    pub pages: Vec<Page>,
    /// How long a read of something that is being worked on may wait for it.
    pub hold: Duration,
    pub orders_per_page: usize,
}

impl Front {
    pub fn new(
        authority: Authority,
        links: Links,
        nonces: Arc<Nonces>,
        peers: Option<Arc<Peers>>,
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

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The same server for the same authority, perhaps under other rules, as it is reached by another URL: for a test
    /// server, which does not know its own.
    pub fn at(&self, external_url: &str, authority: Authority) -> Self {
        Self {
            authority,
            links: self.links.at(external_url),
            nonces: self.nonces.clone(),
            peers: self.peers.clone(),
            waiting: self.waiting.clone(),
            options: self.options.clone(),
        }
    }

    pub(crate) fn has_page(&self, path: &str) -> bool {
        self.options.pages.iter().any(|page| page.path == path)
    }

    pub async fn handle<B: Body<Data = Bytes>>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let resource = self
            .links
            .read_path(parts.uri.path())
            .filter(|_| parts.uri.query().is_none());
        let reply = match resource {
            None => self.dispatch_open(&parts).await,
            Some(resource) => self.dispatch(resource, &parts, body).await,
        };
        let reply = reply.unwrap_or_else(|rejection| self.refuse(rejection, &parts.method));
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
        if let Resource::Terms(_) | Resource::Unpause(..) = resource {
            return match parts.method {
                Method::GET | Method::HEAD | Method::POST => resource::page(self, resource, &parts.method).await,
                _ => Err(Rejection::Method {
                    allowed: "GET, HEAD, POST",
                }),
            };
        }
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
            Resource::NewAccount => {
                let from = self.options.proxies.client(parts);
                resource::new_account::post(self, signed.by_key()?, from).await
            }
            Resource::RevokeCert => resource::revoke_cert::post(self, signed).await,
            _ => {
                let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
                resource::post(self, resource, signed.by_account()?, accept.unwrap_or_default()).await
            }
        }
    }

    /// What an extension serves to anybody.
    async fn dispatch_open(&self, parts: &http::request::Parts) -> Result<Reply, Rejection> {
        if let Some(page) = self.options.pages.iter().find(|page| page.path == parts.uri.path()) {
            return match parts.method {
                Method::GET | Method::HEAD => {
                    Ok(Reply::of(StatusCode::OK, "text/html; charset=utf-8", page.body.clone()))
                }
                _ => Err(Rejection::Method { allowed: "GET, HEAD" }),
            };
        }
        let (segment, rest) = self
            .links
            .read_open(parts.uri.path())
            .ok_or(Rejection::NoSuchResource)?;
        let mut open = self.options.open.iter();
        let open = open
            .find(|open| open.segment() == segment)
            .ok_or(Rejection::NoSuchResource)?;
        match parts.method {
            Method::OPTIONS => return Ok(Reply::preflight()),
            Method::GET | Method::HEAD => {}
            _ => return Err(Rejection::Method { allowed: "GET, HEAD" }),
        }
        let found = open.get(&self.authority, rest).await?;
        let mut reply = Reply::of(StatusCode::OK, found.content_type, found.body).retry_after(found.retry_after);
        reply.max_age = found.max_age;
        Ok(reply)
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
        match reply.max_age {
            Some(seconds) => set(header::CACHE_CONTROL, format!("public, max-age={seconds}")),
            None => set(header::CACHE_CONTROL, "no-store".to_owned()),
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

    fn refuse(&self, rejection: Rejection, method: &Method) -> Reply {
        let allow = match &rejection {
            Rejection::Method { allowed } => Some(*allowed),
            _ => None,
        };
        let (mut terms, mut location, mut instance, mut help, mut wait) = (None, None, None, None, None);
        if let Rejection::Authority(authority::Failure::Refused(refusal)) = &rejection {
            match refusal {
                Refusal::TermsOfService(url) => terms = Some(url.clone()),
                Refusal::TermsChanged { terms: url, account } => {
                    terms = Some(url.clone());
                    instance = Some(self.links.url(Resource::Terms(*account)));
                }
                Refusal::RateLimited { until, help: page, .. } => {
                    let seconds = until.as_second() + 1 - self.authority.now().as_second();
                    wait = Some(seconds.clamp(1, i64::from(u32::MAX)) as u32);
                    help = page.clone();
                }
                Refusal::Paused { account, .. } => {
                    let today = resource::unpause::today(self) as u32;
                    instance = Some(self.links.url(Resource::Unpause(*account, today)));
                }
                Refusal::KeyInUse(account) => location = Some(self.account_url(*account)),
                _ => {}
            }
        }
        let mut problem = rejection.document();
        problem.instance = instance.or(problem.instance);
        tracing::debug!(%method, %problem, "refused");
        let status = problem.status.and_then(|status| StatusCode::from_u16(status).ok());
        let body = serde_json::to_vec(&problem).expect("invariant: a problem document is JSON");
        let mut reply = Reply::of(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            acme::PROBLEM_JSON,
            body,
        );
        reply.allow = allow;
        reply.location = location;
        reply.retry_after = wait;
        for (url, relation) in [(terms, "terms-of-service"), (help, "help")] {
            if let Some(url) = url {
                reply = reply.link(url, relation);
            }
        }
        reply
    }

    /// The account that a URL of this directory names.
    pub fn account_of_url(&self, url: &str) -> Option<AccountId> {
        match self.links.read_url(url) {
            Some(Resource::Account(id)) => Some(id),
            _ => None,
        }
    }

    pub fn account_url(&self, id: AccountId) -> String {
        self.links.url(Resource::Account(id))
    }
}

const REPLAY_NONCE: header::HeaderName = header::HeaderName::from_static("replay-nonce");
