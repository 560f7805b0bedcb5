//! The API as a test server offers it: at whatever host the client knows, with refusals and hints on demand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use acme::{Problem, ProblemType};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, uri::Authority};
use http_body_util::Full;
use hyper::body::Incoming;
use server::{AsyncHandler, Front, Nonces};

use super::{dice, environment::Behaviour, file::RetryAfter};

/// Stands before the product's front.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    front: Arc<Front>,
    nonces: Arc<Nonces>,
    /// For the hosts that clients have used. Inside a container the server's own address is nobody's way to it.
    by_host: Mutex<HashMap<String, Fronts>>,
    nonce_reject: u8,
    authorization_reuse: u8,
    retry_after: RetryAfter,
}

/// The front at one host.
#[derive(Clone)]
struct Fronts {
    /// Looks for authorizations that a new order may use again.
    remembering: Arc<Front>,
    forgetting: Arc<Front>,
}

impl Api {
    pub fn before(front: Arc<Front>, nonces: Arc<Nonces>, behaviour: &Behaviour, retry_after: RetryAfter) -> Self {
        Self(Arc::new(Shared {
            front,
            nonces,
            by_host: Mutex::default(),
            nonce_reject: behaviour.nonce_reject,
            authorization_reuse: behaviour.authorization_reuse,
            retry_after,
        }))
    }

    fn front_at(&self, host: Option<&str>) -> Arc<Front> {
        let Some(host) = host.filter(|host| host.len() <= LONGEST_HOST && host.parse::<Authority>().is_ok()) else {
            return self.0.front.clone();
        };
        let mut by_host = self.0.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if by_host.len() >= MOST_HOSTS && !by_host.contains_key(host) {
            by_host.clear();
        }
        let fronts = by_host.entry(host.to_owned()).or_insert_with(|| self.fronts_at(host));
        match dice::percent(self.0.authorization_reuse) {
            true => fronts.remembering.clone(),
            false => fronts.forgetting.clone(),
        }
    }

    fn fronts_at(&self, host: &str) -> Fronts {
        let url = format!("https://{host}");
        let front = &self.0.front;
        let remembering = front.authority().clone();
        let forgetting = remembering.under(authority::Policy {
            reuse_authorizations: Duration::ZERO,
            ..remembering.policy().clone()
        });
        Fronts {
            remembering: Arc::new(front.at(&url, remembering)),
            forgetting: Arc::new(front.at(&url, forgetting)),
        }
    }

    /// A good nonce, refused all the same: clients must send the request again (RFC 8555 §6.5).
    fn refuse_nonce(&self) -> Response<Full<Bytes>> {
        let detail = "this nonce is refused as a test, whatever it is; use the one in Replay-Nonce";
        let mut problem = Problem::new(ProblemType::BadNonce, detail);
        problem.status = Some(400);
        let body = serde_json::to_vec(&problem).expect("invariant: a problem document is JSON");
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(acme::PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(nonce) = HeaderValue::try_from(self.0.nonces.issue()) {
            headers.insert("replay-nonce", nonce);
        }
        response
    }
}

impl AsyncHandler for Api {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let front = self.front_at(named.or(request.uri().authority().map(Authority::as_str)));
        if request.method() == Method::POST && dice::percent(self.0.nonce_reject) {
            return self.refuse_nonce();
        }
        let path = request.uri().path().to_owned();
        hint(&path, self.0.retry_after, front.handle(request).await)
    }
}

/// What the configuration says instead of what the server would have said.
fn hint(path: &str, configured: RetryAfter, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let seconds = match path.split('/').nth(2) {
        Some("order") => configured.order,
        Some("authorization" | "challenge") => configured.authz,
        _ => 0,
    };
    if seconds > 0 && response.headers().contains_key(header::RETRY_AFTER) {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

const LONGEST_HOST: usize = 300;
const MOST_HOSTS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_changed_where_there_is_one_and_never_added() {
        let configured = RetryAfter { authz: 3, order: 5 };
        let hinted = |path: &str, said: Option<u32>| {
            let mut response = Response::new(Full::default());
            if let Some(said) = said {
                response.headers_mut().insert(header::RETRY_AFTER, said.into());
            }
            let response = hint(path, configured, response);
            let hint = response.headers().get(header::RETRY_AFTER)?;
            Some(hint.to_str().unwrap().to_owned())
        };
        assert_eq!(hinted("/acme/order/x", Some(1)).as_deref(), Some("5"));
        assert_eq!(hinted("/acme/order/x/finalize", Some(1)).as_deref(), Some("5"));
        assert_eq!(hinted("/acme/authorization/x", Some(1)).as_deref(), Some("3"));
        assert_eq!(hinted("/acme/challenge/x", Some(1)).as_deref(), Some("3"));
        assert_eq!(hinted("/acme/new-order", Some(1)).as_deref(), Some("1"));
        assert_eq!(hinted("/acme/order/x", None), None);
    }
}
