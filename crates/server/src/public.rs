//! What relying parties fetch without TLS: issuer certificates (RFC 5280 §4.2.2.1).

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::listener::AsyncHandler;

/// Files by path, each with its media type.
#[derive(Clone, Default)]
pub struct PublicFiles {
    files: Arc<HashMap<String, (&'static str, Bytes)>>,
}

impl PublicFiles {
    pub fn new(files: impl IntoIterator<Item = (String, (&'static str, Bytes))>) -> Self {
        Self {
            files: Arc::new(files.into_iter().collect()),
        }
    }
}

impl AsyncHandler for PublicFiles {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        match self.files.get(request.uri().path()) {
            Some((content_type, bytes)) => {
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                *response.body_mut() = Full::new(bytes.clone());
            }
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    }
}
