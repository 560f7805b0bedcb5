//! newAccount (RFC 8555 §7.3).

use std::net::IpAddr;

use acme::NewAccount;
use authority::operations::Arrival;
use http::StatusCode;
use jose::Jwk;

use super::account;
use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Jwk>, from: Option<IpAddr>) -> Result<Reply, Rejection> {
    let request: NewAccount = signed.read()?;
    let url = front.links.url(Resource::NewAccount);
    let (account, created) = front
        .authority
        .new_account(signed.signer, Arrival { url: &url, from }, request)
        .await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(account::show(front, &account, status).at(front.account_url(account.id)))
}
