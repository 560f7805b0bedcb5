//! Scripting over HTTP: the paths and bodies of pebble-challtestsrv's management interface.
//!
//! Every request is a POST of a JSON object. A success has an empty body, except for the histories.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::net::TcpListener;

use super::script::Script;
use crate::dns::control::{self as dns, refusal};

pub async fn serve(listener: TcpListener, script: Arc<Script>) {
    let dns = dns::routes().with_state(script.zone.clone());
    let routes = routes().with_state(script).merge(dns);
    // It ends with the task: an error of the listener cannot be told to anybody here.
    let _ = axum::serve(listener, routes).await;
}

fn routes() -> Router<Arc<Script>> {
    Router::new()
        .route(
            "/add-http01",
            told(|script, Content { token, content }| {
                script.add_http01(named("token", &token)?, &content);
                Ok(())
            }),
        )
        .route(
            "/del-http01",
            told(|script, Token { token }| {
                script.del_http01(named("token", &token)?);
                Ok(())
            }),
        )
        .route(
            "/add-redirect",
            told(|script, Redirect { path, target_url }| {
                script.add_redirect(named("path", &path)?, named("targetURL", &target_url)?);
                Ok(())
            }),
        )
        .route(
            "/del-redirect",
            told(|script, Path { path }| {
                script.del_redirect(named("path", &path)?);
                Ok(())
            }),
        )
        .route(
            "/add-tlsalpn01",
            told(|script, Proof { host, content }| {
                let added = script.add_tlsalpn01(named("host", &host)?, &content);
                added.map_err(|error| error.to_string())
            }),
        )
        .route(
            "/del-tlsalpn01",
            told(|script, Host { host }| {
                let removed = script.del_tlsalpn01(named("host", &host)?);
                removed.map_err(|error| error.to_string())
            }),
        )
        .route("/clear-request-history", told(clear))
        .route(
            "/http-request-history",
            asked(|script, host| script.http_requests.of(host)),
        )
        .route(
            "/tlsalpn01-request-history",
            asked(|script, host| script.tls_alpn_requests.of(host)),
        )
}

fn told<T: DeserializeOwned + 'static>(follow: fn(&Script, T) -> Result<(), String>) -> MethodRouter<Arc<Script>> {
    post(move |State(script): State<Arc<Script>>, body: Bytes| async move {
        let request = serde_json::from_slice(&body).map_err(refusal)?;
        follow(&script, request).map_err(refusal)
    })
}

fn asked<Event: Serialize + 'static>(recall: fn(&Script, &str) -> Vec<Event>) -> MethodRouter<Arc<Script>> {
    post(move |State(script): State<Arc<Script>>, body: Bytes| async move {
        let Host { host } = serde_json::from_slice(&body).map_err(refusal)?;
        let events = serde_json::to_vec(&recall(&script, &host)).map_err(refusal)?;
        Ok::<Response, (StatusCode, String)>(([(CONTENT_TYPE, "application/json")], events).into_response())
    })
}

fn clear(script: &Script, Clear { host, kind }: Clear) -> Result<(), String> {
    let host = named("host", &host)?;
    match kind.as_str() {
        "http" => script.http_requests.clear(host),
        "dns" => script.zone.clear_history(host).map_err(|error| error.to_string())?,
        "tlsalpn" => script.tls_alpn_requests.clear(host),
        other => return Err(format!("the type is {other:?}; it is \"http\", \"dns\" or \"tlsalpn\"")),
    }
    Ok(())
}

/// Refuses the empty text, which is nobody's name: a mistake in a script shows where it was made.
fn named<'a>(member: &str, value: &'a str) -> Result<&'a str, String> {
    match value {
        "" => Err(format!("{member:?} is empty")),
        value => Ok(value),
    }
}

#[derive(Deserialize)]
struct Content {
    token: String,
    content: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Redirect {
    path: String,
    #[serde(rename = "targetURL")]
    target_url: String,
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

#[derive(Deserialize)]
struct Proof {
    host: String,
    content: String,
}

#[derive(Deserialize)]
struct Host {
    host: String,
}

#[derive(Deserialize)]
struct Clear {
    host: String,
    #[serde(rename = "type")]
    kind: String,
}
