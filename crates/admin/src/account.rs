//! Accounts as the operator sees them.

use authority::model::{Account, AccountId, AccountState};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{AdminError, Served};

#[derive(Deserialize)]
pub(crate) struct Named {
    /// The account's URL.
    account: String,
}

/// The account that a URL names.
pub(crate) fn find(served: &Served, url: &str) -> Result<AccountId, AdminError> {
    (served.account_of)(url)
        .ok_or_else(|| AdminError::Malformed("\"account\" is not the URL of an account here".to_owned()))
}

pub(crate) async fn show(served: &Served, asked: Named) -> Result<Value, AdminError> {
    let account = served.authority.account(find(served, &asked.account)?).await?;
    Ok(object(served, &account))
}

/// For ever: its key opens nothing any more. Its certificates stay.
pub(crate) async fn revoke(served: &Served, asked: Named) -> Result<Value, AdminError> {
    let account = served.authority.revoke_account(find(served, &asked.account)?).await?;
    Ok(object(served, &account))
}

fn object(served: &Served, account: &Account) -> Value {
    json!({
        "account": (served.account_url)(account.id),
        "status": match account.state {
            AccountState::Active => "valid",
            AccountState::Deactivated => "deactivated",
            AccountState::Revoked => "revoked",
        },
        "contact": account.contact,
        "created": account.created,
        "thumbprint": account.key.thumbprint().to_string(),
        "agreed_terms": account.agreed_terms,
        "external_account": account.external_binding.is_some(),
    })
}
