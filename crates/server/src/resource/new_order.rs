//! newOrder (RFC 8555 §7.4).

use std::sync::Arc;

use acme::NewOrder;
use authority::model::Account;
use http::StatusCode;

use super::order;
use crate::{Front, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>) -> Result<Reply, Rejection> {
    let request: NewOrder = signed.read()?;
    let facts = front.authority.new_order(&signed.signer, request).await?;
    Ok(order::show(front, &facts, StatusCode::CREATED))
}
