//! The operator's listener: is it alive, is it ready, how is it doing.

use std::sync::Arc;

use authority::{
    model::AccountId,
    ports::{BoxFuture, Store},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;

use crate::listener::AsyncHandler;

/// What the operator's commands ask for: an operation's name, the token that was sent, a body in JSON.
pub trait OperatorApi: Send + Sync {
    /// HTTP status and a body in JSON.
    fn answer<'a>(
        &'a self,
        operation: &'a str,
        token: Option<&'a str>,
        body: &'a [u8],
    ) -> BoxFuture<'a, (u16, Vec<u8>)>;
}

/// Answers `/healthz` (the process), `/readyz` (database and signer), `/metrics` (Prometheus text), and below
/// `/api/` what the operator's commands ask for.
#[derive(Clone)]
pub struct Admin {
    store: Arc<dyn Store>,
    signer_ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    api: Arc<dyn OperatorApi>,
}

impl Admin {
    pub fn new(
        store: Arc<dyn Store>,
        signer_ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
        api: Arc<dyn OperatorApi>,
    ) -> Self {
        Self {
            store,
            signer_ready: Arc::new(signer_ready),
            metrics: Arc::new(metrics),
            api,
        }
    }

    async fn operate(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map(|body| body.to_bytes());
        let (status, body) = match (&parts.method, body) {
            (&Method::POST, Ok(body)) => {
                let sent = parts
                    .headers
                    .get(header::AUTHORIZATION)
                    .and_then(|value| value.to_str().ok());
                let token = sent.and_then(|sent| sent.strip_prefix("Bearer "));
                let operation = parts.uri.path().strip_prefix(API).unwrap_or_default();
                self.api.answer(operation, token, &body).await
            }
            (&Method::POST, Err(_)) => (
                413,
                br#"{"error":"the body cannot be read or has more than 16 MiB"}"#.to_vec(),
            ),
            _ => (405, br#"{"error":"operations are asked for by POST"}"#.to_vec()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }

    async fn ready(&self) -> Result<(), String> {
        // Any look-up that goes to the database; account 0 never exists.
        self.store
            .account(AccountId(0))
            .await
            .map_err(|error| error.to_string())?;
        (self.signer_ready)()
    }
}

impl AsyncHandler for Admin {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path().starts_with(API) {
            return self.operate(request).await;
        }
        let (status, body) = match request.uri().path() {
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.ready().await {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
            },
            "/metrics" => (StatusCode::OK, (self.metrics)()),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz and /metrics\n".to_owned(),
            ),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        response
    }
}

const API: &str = "/api/";
/// A list of a hundred thousand serial numbers fits.
const LARGEST: usize = 16 * 1024 * 1024;
