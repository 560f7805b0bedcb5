//! The operator's listener: is it alive, is it ready, how is it doing.

use std::sync::Arc;

use authority::{model::AccountId, ports::Store};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::listener::AsyncHandler;

/// Answers `/healthz` (the process), `/readyz` (database and signer), `/metrics` (Prometheus text).
#[derive(Clone)]
pub struct Admin {
    store: Arc<dyn Store>,
    signer_ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Admin {
    pub fn new(
        store: Arc<dyn Store>,
        signer_ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            signer_ready: Arc::new(signer_ready),
            metrics: Arc::new(metrics),
        }
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
