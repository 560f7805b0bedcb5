//! newAccount (RFC 8555 §7.3).

use acme::NewAccount;
use http::StatusCode;
use jose::Jwk;

use super::account;
use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Jwk>) -> Result<Reply, Rejection> {
    let request: NewAccount = signed.read()?;
    let (account, created) = front
        .authority
        .new_account(signed.signer, &front.links.url(Resource::NewAccount), request)
        .await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(account::show(front, &account, status).at(front.account_url(account.id)))
}
