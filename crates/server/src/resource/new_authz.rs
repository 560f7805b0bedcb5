//! newAuthz (RFC 8555 §7.4.1).

use std::sync::Arc;

use acme::NewAuthorization;
use authority::model::Account;
use http::StatusCode;

use super::authorization;
use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>) -> Result<Reply, Rejection> {
    if !front.options.pre_authorization {
        return Err(Rejection::NoSuchResource);
    }
    let request: NewAuthorization = signed.read()?;
    let authorization = front
        .authority
        .new_authorization(&signed.signer, &request.identifier)
        .await?;
    let url = front.links.url(Resource::Authorization(authorization.id));
    Ok(authorization::show(front, &authorization, StatusCode::CREATED).at(url))
}
