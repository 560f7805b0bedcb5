//! An answer before it has its common headers.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

/// What a resource answers. The front adds nonce, index link, CORS and caching.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub content_type: Option<&'static str>,
    pub body: Bytes,
    pub location: Option<String>,
    /// `(URL, relation)`.
    pub links: Vec<(String, &'static str)>,
    /// Always seconds: some clients die of a date.
    pub retry_after: Option<u32>,
    /// Seconds for which a cache may keep it; `None`: not at all.
    pub max_age: Option<u32>,
    pub allow: Option<&'static str>,
    /// The answer to a browser that asks what it may send.
    pub preflight: bool,
}

impl Reply {
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: None,
            body: Bytes::new(),
            location: None,
            links: Vec::new(),
            retry_after: None,
            max_age: None,
            allow: None,
            preflight: false,
        }
    }

    pub fn preflight() -> Self {
        Self {
            preflight: true,
            ..Self::empty(StatusCode::NO_CONTENT)
        }
    }

    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("invariant: the vocabulary's objects are JSON");
        Self::of(status, "application/json", body)
    }

    pub fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            content_type: Some(content_type),
            body: body.into(),
            ..Self::empty(status)
        }
    }

    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub fn link(mut self, url: String, relation: &'static str) -> Self {
        self.links.push((url, relation));
        self
    }

    pub fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }
}
