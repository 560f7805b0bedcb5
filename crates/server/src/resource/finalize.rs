//! finalize (RFC 8555 §7.4).

use std::sync::Arc;

use acme::Finalize;
use authority::model::{Account, OrderId};
use http::StatusCode;

use super::order;
use crate::{Front, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: OrderId) -> Result<Reply, Rejection> {
    let request: Finalize = signed.read()?;
    let facts = match request.csr {
        Some(csr) => {
            let csr = jose::base64url::decode(&csr)
                .map_err(|error| Rejection::Payload(format!("\"csr\" is not base64url without padding: {error}")))?;
            front.authority.finalize(&signed.signer, id, &csr).await?
        }
        None => front.authority.finalize_as_ordered(&signed.signer, id).await?,
    };
    Ok(order::show(front, &facts, StatusCode::OK))
}
