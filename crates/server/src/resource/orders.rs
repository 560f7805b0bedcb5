//! The orders list (RFC 8555 §7.1.2.1).

use std::sync::Arc;

use acme::OrdersList;
use authority::model::{Account, AccountId, OrderId};
use http::StatusCode;

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(
    front: &Front,
    signed: Signed<Arc<Account>>,
    id: AccountId,
    after: OrderId,
) -> Result<Reply, Rejection> {
    if signed.signer.id != id {
        return Err(Rejection::NotYours);
    }
    signed.require_read()?;
    let (orders, next) = front
        .authority
        .orders(&signed.signer, after, front.options.orders_per_page)
        .await?;
    let list = OrdersList {
        orders: orders
            .into_iter()
            .map(|order| front.links.url(Resource::Order(order)))
            .collect(),
    };
    let reply = Reply::json(StatusCode::OK, &list);
    Ok(match next {
        Some(last) => reply.link(front.links.url(Resource::Orders(id, last)), "next"),
        None => reply,
    })
}
