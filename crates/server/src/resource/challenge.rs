//! Challenges (RFC 8555 §7.5.1, §8).

use std::sync::Arc;

use authority::model::{Account, Authorization, AuthorizationState, ChallengeId};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: ChallengeId) -> Result<Reply, Rejection> {
    let authorization = if signed.is_read() {
        front.authority.authorization(&signed.signer, id.authorization).await?
    } else {
        // An object; its members mean nothing to the base methods, and old clients send some (8555-7.5.1-2).
        let payload: Map<String, Value> = signed.read()?;
        front.authority.respond_with(&signed.signer, id, payload).await?
    };
    let object = object(front, &authorization, id.index).ok_or(Rejection::NoSuchResource)?;
    let reply =
        Reply::json(StatusCode::OK, &object).link(front.links.url(Resource::Authorization(id.authorization)), "up");
    Ok(reply.retry_after(retry_after(front, &authorization)))
}

/// One challenge as it stands on the wire.
pub fn object(front: &Front, authorization: &Authorization, index: u8) -> Option<acme::Challenge> {
    let challenge = authorization.challenges.get(usize::from(index))?;
    let (status, validated, error) = authorization.challenge_status(index)?;
    let (token, members) = front.authority.challenge_members(authorization, challenge);
    Some(acme::Challenge {
        kind: challenge.method.clone(),
        url: front.links.url(Resource::Challenge(ChallengeId {
            authorization: authorization.id,
            index,
        })),
        status,
        validated: validated.and_then(|at| jiff::Timestamp::from_second(at.as_second()).ok()),
        error: error.cloned(),
        token,
        members,
    })
}

/// Until the next attempt (RFC 8555 §8.2), at least a second.
fn retry_after(front: &Front, authorization: &Authorization) -> Option<u32> {
    match &authorization.state {
        AuthorizationState::Processing { due, error, .. } => {
            let seconds = due.as_second() - front.authority.now().as_second();
            // Without a failure so far it is a code that is waited for, and that may come back at any moment.
            let longest = if error.is_none() { LOOK_AGAIN } else { 3600 };
            Some(seconds.clamp(1, longest) as u32)
        }
        _ => None,
    }
}

/// Seconds.
const LOOK_AGAIN: i64 = 5;
