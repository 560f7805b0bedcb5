//! Both ends of the operator's API: the desk within the server, and asking it.

use std::{net::SocketAddr, path::Path};

use admin::Desk;
use authority::ports::BoxFuture;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use server::OperatorApi;

use crate::{files, world};

/// In the server's state folder.
pub const TOKEN_FILE: &str = "admin.token";

/// The desk, as the admin listener asks it.
pub struct OperatorDesk(pub Desk);

impl OperatorApi for OperatorDesk {
    fn answer<'a>(
        &'a self,
        operation: &'a str,
        token: Option<&'a str>,
        body: &'a [u8],
    ) -> BoxFuture<'a, (u16, Vec<u8>)> {
        Box::pin(async move {
            let (status, answer) = match self.0.answer(operation, token, body).await {
                Ok(answer) => (200, answer),
                Err(error) => (error.status(), json!({ "error": error.to_string() })),
            };
            tracing::info!(operation, status, "the operator asked");
            (status, answer.to_string().into_bytes())
        })
    }
}

/// The token of this server, made at its first start.
pub fn token(state: &Path) -> Result<String, String> {
    let file = state.join(TOKEN_FILE);
    if !file.exists() {
        let fresh = jose::base64url::encode(world::random_array::<32>());
        files::write_secret(&file, &format!("{fresh}\n"))?;
    }
    Ok(files::read(&file)?.trim().to_owned())
}

pub(super) async fn ask(at: SocketAddr, operation: &str, token: &str, request: &Value) -> Result<Value, String> {
    let unreachable = |error: &dyn std::fmt::Display| {
        format!("the admin listener {at} does not answer ({error}); is the server running with this configuration?")
    };
    let stream = tokio::net::TcpStream::connect(at)
        .await
        .map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    tokio::spawn(connection);
    let request = http::Request::post(format!("/api/{operation}"))
        .header(http::header::HOST, at.to_string())
        .header(http::header::AUTHORIZATION, format!("Bearer {token}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(request.to_string())))
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| unreachable(&error))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| unreachable(&error))?;
    let answer: Value = serde_json::from_slice(&body.to_bytes()).map_err(|error| unreachable(&error))?;
    if status.is_success() {
        return Ok(answer);
    }
    Err(answer["error"]
        .as_str()
        .unwrap_or("refused without a reason")
        .to_owned())
}
