//! One file for each resource: what it takes, what it asks of the authority, what it answers.

mod account;
mod authorization;
pub mod certificate;
mod challenge;
mod directory;
mod finalize;
mod key_change;
pub mod new_account;
mod new_authz;
mod new_nonce;
mod new_order;
mod order;
mod orders;
pub mod revoke_cert;
mod terms;
pub mod unpause;

use std::sync::Arc;

use authority::model::Account;
use http::Method;

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

/// GET and HEAD, of the two resources that need no signature (RFC 8555 §6.3).
pub fn read(front: &Front, resource: Resource, method: &Method) -> Reply {
    if resource == Resource::NewNonce {
        new_nonce::read(method)
    } else {
        directory::show(front)
    }
}

/// Pages for people, at addresses that were given out one by one.
pub async fn page(front: &Front, resource: Resource, method: &Method) -> Result<Reply, Rejection> {
    match resource {
        Resource::Terms(id) => terms::answer(front, id, method).await,
        Resource::Unpause(id, day) => unpause::answer(front, id, day, method).await,
        _ => Err(Rejection::NoSuchResource),
    }
}

/// POST signed by an account.
pub async fn post(
    front: &Front,
    resource: Resource,
    signed: Signed<Arc<Account>>,
    accept: &str,
) -> Result<Reply, Rejection> {
    match resource {
        Resource::Directory => signed.require_read().map(|()| directory::show(front)),
        Resource::NewNonce => signed.require_read().map(|()| new_nonce::read(&Method::GET)),
        Resource::NewOrder => new_order::post(front, signed).await,
        Resource::Account(id) => account::post(front, signed, id).await,
        Resource::Orders(id, after) => orders::post(front, signed, id, after).await,
        Resource::Order(id) => order::post(front, signed, id).await,
        Resource::Finalize(id) => finalize::post(front, signed, id).await,
        Resource::Authorization(id) => authorization::post(front, signed, id).await,
        Resource::Challenge(id) => challenge::post(front, signed, id).await,
        Resource::Certificate(id) => certificate::post(front, signed, id, 0, accept).await,
        Resource::Alternate(id, which) => certificate::post(front, signed, id, which, accept).await,
        Resource::Issuer(id, which, height) => certificate::issuer(front, signed, id, which, height).await,
        Resource::KeyChange => key_change::post(front, signed).await,
        Resource::NewAuthz => new_authz::post(front, signed).await,
        Resource::NewAccount | Resource::RevokeCert | Resource::Terms(_) | Resource::Unpause(..) => {
            Err(Rejection::NoSuchResource)
        }
    }
}
