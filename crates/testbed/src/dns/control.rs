//! Scripting over HTTP: the paths and bodies of pebble-challtestsrv's management interface.
//!
//! Every request is a POST of a JSON object. A success has an empty body, except for `/dns-request-history`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use tokio::net::TcpListener;

use super::zone::{Property, Question, ScriptError, Zone};

pub(super) async fn serve(listener: TcpListener, zone: Arc<Zone>) {
    let clear = script(|zone, Host { host }| zone.clear_history(&host));
    let routes = routes().route("/clear-request-history", clear);
    // It ends with the task: an error of the listener cannot be told to anybody here.
    let _ = axum::serve(listener, routes.with_state(zone)).await;
}

/// Everything about the DNS; its history is cleared by a path that other histories share.
pub(crate) fn routes() -> Router<Arc<Zone>> {
    Router::new()
        .route(
            "/set-default-ipv4",
            script(|zone, to: Default4| {
                zone.set_default_ipv4(to.ip);
                Ok(())
            }),
        )
        .route(
            "/set-default-ipv6",
            script(|zone, to: Default6| {
                zone.set_default_ipv6(to.ip);
                Ok(())
            }),
        )
        .route(
            "/add-a",
            script(|zone, add: Addresses<Ipv4Addr>| zone.add_a(&add.host, &add.addresses)),
        )
        .route("/clear-a", script(|zone, Host { host }| zone.clear_a(&host)))
        .route(
            "/add-aaaa",
            script(|zone, add: Addresses<Ipv6Addr>| zone.add_aaaa(&add.host, &add.addresses)),
        )
        .route("/clear-aaaa", script(|zone, Host { host }| zone.clear_aaaa(&host)))
        .route(
            "/set-txt",
            script(|zone, add: Text| zone.add_txt(&add.host, &add.value)),
        )
        .route("/clear-txt", script(|zone, Host { host }| zone.clear_txt(&host)))
        .route(
            "/add-caa",
            script(|zone, add: Policies| zone.add_caa(&add.host, &add.policies)),
        )
        .route("/clear-caa", script(|zone, Host { host }| zone.clear_caa(&host)))
        .route(
            "/set-cname",
            script(|zone, set: Alias| zone.set_cname(&set.host, &set.target)),
        )
        .route("/clear-cname", script(|zone, Host { host }| zone.clear_cname(&host)))
        .route("/set-servfail", script(|zone, Host { host }| zone.set_servfail(&host)))
        .route(
            "/clear-servfail",
            script(|zone, Host { host }| zone.clear_servfail(&host)),
        )
        .route("/dns-request-history", post(history))
}

fn script<T: DeserializeOwned + 'static>(apply: fn(&Zone, T) -> Result<(), ScriptError>) -> MethodRouter<Arc<Zone>> {
    post(move |State(zone): State<Arc<Zone>>, body: Bytes| async move {
        let request = serde_json::from_slice(&body).map_err(refusal)?;
        apply(&zone, request).map_err(refusal)
    })
}

async fn history(State(zone): State<Arc<Zone>>, body: Bytes) -> Result<Response, (StatusCode, String)> {
    let Host { host } = serde_json::from_slice(&body).map_err(refusal)?;
    let events: Vec<_> = zone
        .history(&host)
        .map_err(refusal)?
        .into_iter()
        .map(Event::from)
        .collect();
    let json = serde_json::to_vec(&events).map_err(refusal)?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

pub(crate) fn refusal(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("{error}\n"))
}

#[derive(Deserialize)]
struct Host {
    host: String,
}

#[derive(Deserialize)]
struct Addresses<T> {
    host: String,
    addresses: Vec<T>,
}

#[derive(Deserialize)]
struct Text {
    host: String,
    value: String,
}

#[derive(Deserialize)]
struct Policies {
    host: String,
    policies: Vec<Property>,
}

#[derive(Deserialize)]
struct Alias {
    host: String,
    target: String,
}

#[derive(Deserialize)]
struct Default4 {
    #[serde(deserialize_with = "empty_is_none")]
    ip: Option<Ipv4Addr>,
}

#[derive(Deserialize)]
struct Default6 {
    #[serde(deserialize_with = "empty_is_none")]
    ip: Option<Ipv6Addr>,
}

/// `""` takes the default away.
fn empty_is_none<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        Ok(None)
    } else {
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

/// A query as challtestsrv writes it: Go's names of the members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    question: EventQuestion,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventQuestion {
    name: String,
    qtype: u16,
    qclass: u16,
}

impl From<Question> for Event {
    fn from(question: Question) -> Self {
        Self {
            question: EventQuestion {
                name: question.name.fmt_with_dot().to_string(),
                qtype: question.rtype.to_int(),
                qclass: question.class.to_int(),
            },
        }
    }
}
