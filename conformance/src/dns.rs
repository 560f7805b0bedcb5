//! Names as the server under test sees them: the HTTP interface that pebble-challtestsrv made common.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{ensure, fail, test::Outcome};

pub struct DnsControl {
    authority: String,
}

impl DnsControl {
    /// `url` is for example `http://127.0.0.1:8055`.
    pub fn new(url: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            authority: authority.to_owned(),
        }
    }

    /// Adds one TXT record.
    pub async fn add_txt(&self, host: &str, value: &str) -> Outcome {
        let host = with_dot(host);
        self.post("/set-txt", json!({ "host": host, "value": value }))
            .await
            .map(drop)
    }

    pub async fn add_a(&self, host: &str, addresses: &[&str]) -> Outcome {
        let script = json!({ "host": with_dot(host), "addresses": addresses });
        self.post("/add-a", script).await.map(drop)
    }

    pub async fn add_aaaa(&self, host: &str, addresses: &[&str]) -> Outcome {
        let script = json!({ "host": with_dot(host), "addresses": addresses });
        self.post("/add-aaaa", script).await.map(drop)
    }

    pub async fn set_cname(&self, host: &str, target: &str) -> Outcome {
        let script = json!({ "host": with_dot(host), "target": with_dot(target) });
        self.post("/set-cname", script).await.map(drop)
    }

    pub async fn set_servfail(&self, host: &str) -> Outcome {
        self.post("/set-servfail", json!({ "host": with_dot(host) }))
            .await
            .map(drop)
    }

    pub async fn clear_servfail(&self, host: &str) -> Outcome {
        self.post("/clear-servfail", json!({ "host": with_dot(host) }))
            .await
            .map(drop)
    }

    pub async fn add_caa(&self, host: &str, tag: &str, value: &str) -> Outcome {
        let script = json!({ "host": with_dot(host), "policies": [{ "tag": tag, "value": value }] });
        self.post("/add-caa", script).await.map(drop)
    }

    pub async fn add_caa_flagged(&self, host: &str, flags: u8, tag: &str, value: &str) -> Outcome {
        let policy = json!({ "flags": flags, "tag": tag, "value": value });
        let script = json!({ "host": with_dot(host), "policies": [policy] });
        self.post("/add-caa", script).await.map(drop)
    }

    pub async fn clear_caa(&self, host: &str) -> Outcome {
        self.post("/clear-caa", json!({ "host": with_dot(host) }))
            .await
            .map(drop)
    }

    /// How often the name was asked for.
    pub async fn queries(&self, host: &str) -> Outcome<usize> {
        let history = self
            .post("/dns-request-history", json!({ "host": with_dot(host) }))
            .await?;
        Ok(history.as_array().map_or(0, Vec::len))
    }

    async fn post(&self, path: &str, script: Value) -> Outcome<Value> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post(path)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(script.to_string())))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        ensure!(status.is_success(), "challtestsrv {path}: {status}");
        if body.is_empty() {
            return Ok(Value::Null);
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(value),
            Err(error) => fail!("challtestsrv {path}: {error}"),
        }
    }
}

/// challtestsrv looks names up as they stand in a query.
fn with_dot(host: &str) -> String {
    format!("{}.", host.trim_end_matches('.'))
}
