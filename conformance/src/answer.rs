//! What a server said, and what can be demanded of it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{ensure, fail, test::Outcome};

#[derive(Clone, Debug)]
pub struct Answer {
    pub url: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn nonce(&self) -> Option<&str> {
        self.header("replay-nonce")
    }

    /// The targets of a relation (RFC 8288), as far as ACME servers write them: `<url>;rel="relation"`.
    pub fn links(&self, relation: &str) -> Vec<String> {
        let values = self
            .headers
            .get_all("link")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let links = values.flat_map(|value| value.split(", <"));
        links
            .filter(|link| link.contains(&format!("rel=\"{relation}\"")) || link.ends_with(&format!("rel={relation}")))
            .filter_map(|link| Some(link.trim_start_matches('<').split_once('>')?.0.to_owned()))
            .collect()
    }

    pub fn content_type(&self) -> &str {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    pub fn json(&self) -> Outcome<Value> {
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(error) => fail!("{}: the body is not JSON ({error}): {}", self.url, self.excerpt()),
        }
    }

    /// Demands a status.
    pub fn expect(self, status: u16) -> Outcome<Self> {
        ensure!(
            self.status == status,
            "{}: {}, not {status}: {}",
            self.url,
            self.status,
            self.excerpt()
        );
        Ok(self)
    }

    pub fn location(&self) -> Outcome<String> {
        match self.header("location") {
            Some(url) => Ok(url.to_owned()),
            None => fail!("{}: {} without Location", self.url, self.status),
        }
    }

    /// Demands a refusal of one of these types (names in the namespace of RFC 8555, `[]` for any) as a problem document
    /// that a person can read, and gives that document.
    pub fn refused(&self, kinds: &[&str]) -> Outcome<Value> {
        ensure!(
            (400..500).contains(&self.status),
            "{}: {} where a refusal was due: {}",
            self.url,
            self.status,
            self.excerpt()
        );
        let problem = self.problem()?;
        let kind = problem["type"].as_str().unwrap_or_default();
        ensure!(
            kinds.is_empty() || kinds.iter().any(|wanted| kind.strip_prefix(NAMESPACE) == Some(wanted)),
            "{}: the problem is {} {kind:?}, not {}: {}",
            self.url,
            self.status,
            kinds.join(" or "),
            self.excerpt()
        );
        Ok(problem)
    }

    /// As `refused`, with the status.
    pub fn refused_with(&self, status: u16, kinds: &[&str]) -> Outcome<Value> {
        let problem = self.refused(kinds)?;
        ensure!(
            self.status == status,
            "{}: refused with status {}, not {status}: {}",
            self.url,
            self.status,
            self.excerpt()
        );
        Ok(problem)
    }

    /// Demands a well-formed problem document (RFC 9457, RFC 8555 §6.7).
    pub fn problem(&self) -> Outcome<Value> {
        ensure!(
            self.content_type() == acme::PROBLEM_JSON,
            "{}: {} with content type {:?}, not {}",
            self.url,
            self.status,
            self.content_type(),
            acme::PROBLEM_JSON
        );
        let problem = self.json()?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(!detail.is_empty(), "{}: a problem without detail: {problem}", self.url);
        ensure!(
            problem["type"].is_string(),
            "{}: a problem without type: {problem}",
            self.url
        );
        if let Some(status) = problem.get("status") {
            ensure!(
                *status == self.status,
                "{}: the problem's status is {status}, that of the answer {}",
                self.url,
                self.status
            );
        }
        Ok(problem)
    }

    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }

    /// The problem's type without its namespace.
    pub fn kind(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = problem["type"].as_str().unwrap_or_default();
        kind.strip_prefix(NAMESPACE).unwrap_or(kind).to_owned()
    }

    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

pub const NAMESPACE: &str = "urn:ietf:params:acme:error:";
