//! Authorizations (RFC 8555 §7.1.4, §7.5, §7.5.2).

use std::sync::Arc;

use authority::{
    model::{Account, Authorization, AuthorizationId, AuthorizationState, Observation},
    ports::Subject,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::challenge;
use crate::{Front, gate::Signed, problem::Rejection, reply::Reply};

/// The one thing that can be done to an authorization; other members are ignored.
#[derive(Deserialize)]
struct Update {
    status: Option<String>,
}

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: AuthorizationId) -> Result<Reply, Rejection> {
    if signed.is_read() {
        let read = || front.authority.authorization(&signed.signer, id);
        let working_on =
            |authorization: &Arc<Authorization>| is_running(front, authorization).then_some(Subject::Authorization(id));
        let authorization = front.waiting.read_settled(front.options.hold, read, working_on).await?;
        return Ok(show(front, &authorization, StatusCode::OK));
    }
    let update: Update = signed.read()?;
    if update.status.as_deref() != Some("deactivated") {
        // Found first, so that only its owner learns that it exists.
        front.authority.authorization(&signed.signer, id).await?;
        let detail = "an authorization is read with the empty string, or given up with {\"status\": \"deactivated\"}";
        return Err(Rejection::Payload(detail.into()));
    }
    Ok(show(
        front,
        &*front.authority.deactivate_authorization(&signed.signer, id).await?,
        StatusCode::OK,
    ))
}

/// Whether a validation runs right now, and is not merely due for another try later.
pub fn is_running(front: &Front, authorization: &Authorization) -> bool {
    matches!(authorization.state, AuthorizationState::Processing { lease, .. } if lease > front.authority.now())
}

/// What an extension gave it, and the proofs of a code that came back: how sure anybody can be of a mailbox.
fn members(authorization: &Authorization) -> Map<String, Value> {
    let mut members = authorization.members.clone();
    let observed = authorization
        .evidence()
        .iter()
        .flat_map(|evidence| &evidence.observations);
    let proofs = observed.filter(|seen| matches!(seen, Observation::Received { .. } | Observation::Sent { .. }));
    let proofs: Vec<Value> = proofs.filter_map(|proof| serde_json::to_value(proof).ok()).collect();
    if !proofs.is_empty() {
        members.insert("evidence".to_owned(), proofs.into());
    }
    members
}

pub fn show(front: &Front, authorization: &Authorization, status: StatusCode) -> Reply {
    let now = front.authority.now();
    let challenges = authorization.shown_challenges();
    let object = acme::Authorization {
        identifier: authorization.identifier.clone(),
        status: authorization.status(now),
        expires: Some(authorization.expires),
        challenges: challenges
            .filter_map(|index| challenge::object(front, authorization, index))
            .collect(),
        wildcard: authorization.wildcard,
        members: members(authorization),
    };
    let busy = matches!(authorization.state, AuthorizationState::Processing { .. });
    Reply::json(status, &object).retry_after(busy.then_some(1))
}
