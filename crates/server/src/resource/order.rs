//! Orders (RFC 8555 §7.1.3).

use std::sync::Arc;

use acme::OrderStatus;
use authority::{
    model::{Account, AuthorizationState, OrderFacts, OrderId},
    ports::Subject,
};
use http::StatusCode;
use jiff::Timestamp;

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: OrderId) -> Result<Reply, Rejection> {
    signed.require_read()?;
    let read = || front.authority.order(&signed.signer, id);
    let working_on = |facts: &OrderFacts| working_on(front, facts);
    let facts = front.waiting.read_settled(front.options.hold, read, working_on).await?;
    Ok(show(front, &facts, StatusCode::OK))
}

/// What an order waits for on this server: its issuance, or a validation that runs.
fn working_on(front: &Front, facts: &OrderFacts) -> Option<Subject> {
    match facts.status(front.authority.now()) {
        OrderStatus::Processing => Some(Subject::Order(facts.order.id)),
        OrderStatus::Pending => {
            let running = facts
                .authorizations
                .iter()
                .find(|a| super::authorization::is_running(front, a))?;
            Some(Subject::Authorization(running.id))
        }
        _ => None,
    }
}

/// The order with its own URL in Location, which some clients look for on every answer about it.
pub fn show(front: &Front, facts: &OrderFacts, status: StatusCode) -> Reply {
    let now = front.authority.now();
    let order = &facts.order;
    let order_status = facts.status(now);
    let certificate = (order_status == OrderStatus::Valid)
        .then_some(facts.certificate.as_ref())
        .flatten();
    let validating = facts
        .authorizations
        .iter()
        .any(|a| matches!(a.state, AuthorizationState::Processing { .. }));
    let retry_after = match order_status {
        OrderStatus::Processing => Some(
            facts
                .certificate
                .as_ref()
                .map_or(1, |record| patience(record.planned, now)),
        ),
        OrderStatus::Pending if validating => Some(1),
        _ => None,
    };
    let object = acme::Order {
        status: order_status,
        expires: Some(order.expires),
        identifiers: order.identifiers.clone(),
        not_before: order.not_before,
        not_after: order.not_after,
        error: facts.error(now),
        authorizations: order
            .authorizations
            .iter()
            .map(|id| front.links.url(Resource::Authorization(*id)))
            .collect(),
        finalize: front.links.url(Resource::Finalize(order.id)),
        certificate: certificate.map(|record| front.links.url(Resource::Certificate(record.id))),
        members: order.members.clone(),
    };
    Reply::json(status, &object)
        .at(front.links.url(Resource::Order(order.id)))
        .retry_after(retry_after)
}

/// Seconds until it is worth asking again: an issuer that has taken days will hardly answer within the next second.
fn patience(planned: Timestamp, now: Timestamp) -> u32 {
    let waited = now.duration_since(planned).as_secs() / 4;
    u32::try_from(waited.clamp(1, LONGEST_PAUSE)).unwrap_or(1)
}

const LONGEST_PAUSE: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_issuer_is_asked_for_less_and_less_often() {
        let planned = Timestamp::UNIX_EPOCH;
        let after = |seconds| patience(planned, Timestamp::from_second(seconds).unwrap());
        assert_eq!([0, 3, 40, 86_400, -5].map(after), [1, 1, 10, 600, 1]);
    }
}
