//! finalize (RFC 8555 §7.4).

use std::sync::Arc;

use acme::Finalize;
use authority::model::{Account, OrderId};
use http::StatusCode;

use super::order;
use crate::{Front, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: OrderId) -> Result<Reply, Rejection> {
    let request: Finalize = signed.read()?;
    let csr = request.csr.as_deref().map(jose::base64url::decode).transpose();
    let csr = csr.map_err(|error| Rejection::Payload(format!("\"csr\" is not base64url without padding: {error}")))?;
    let authority = &front.authority;
    let facts = authority
        .finalize_with(&signed.signer, id, csr, request.members)
        .await?;
    Ok(order::show(front, &facts, StatusCode::OK))
}
