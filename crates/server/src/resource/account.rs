//! Accounts (RFC 8555 §7.1.2, §7.3.2, §7.3.6).

use std::sync::Arc;

use acme::{AccountStatus, AccountUpdate};
use authority::model::{Account, AccountId, AccountState, OrderId};
use http::StatusCode;

use crate::{Front, Resource, gate::Signed, problem::Rejection, reply::Reply};

pub async fn post(front: &Front, signed: Signed<Arc<Account>>, id: AccountId) -> Result<Reply, Rejection> {
    if signed.signer.id != id {
        return Err(Rejection::NotYours);
    }
    if signed.is_read() {
        return Ok(show(front, &signed.signer, StatusCode::OK));
    }
    let update: AccountUpdate = signed.read()?;
    let account = front.authority.update_account(signed.signer, update).await?;
    Ok(show(front, &account, StatusCode::OK))
}

pub fn show(front: &Front, account: &Account, status: StatusCode) -> Reply {
    Reply::json(
        status,
        &acme::Account {
            status: match account.state {
                AccountState::Active => AccountStatus::Valid,
                AccountState::Deactivated => AccountStatus::Deactivated,
                AccountState::Revoked => AccountStatus::Revoked,
            },
            contact: account.contact.clone(),
            terms_of_service_agreed: account.agreed_terms.is_some().then_some(true),
            external_account_binding: account.external_binding.clone(),
            orders: Some(front.links.url(Resource::Orders(account.id, OrderId(0)))),
        },
    )
}
