//! Keys of external accounts (RFC 8555 §7.3.4).

use authority::{ExternalKey, Failure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{AdminError, Random, Served};

#[derive(Deserialize)]
pub(crate) struct Add {
    /// Made up if it is not given.
    kid: Option<String>,
    label: Option<String>,
    expires: Option<Timestamp>,
    /// How many accounts it may bind; 1 if it is not given, 0 for any number.
    uses: Option<u32>,
}

/// The one answer that has the key in it.
pub(crate) async fn add(served: &Served, random: &Random, asked: Add) -> Result<Value, AdminError> {
    let (mut name, mut key) = ([0; 12], [0; 32]);
    random(&mut name);
    random(&mut key);
    let kid = asked.kid.unwrap_or_else(|| jose::base64url::encode(name));
    let key = ExternalKey {
        mac_key: jose::base64url::encode(key),
        label: asked.label,
        created: served.authority.now(),
        expires: asked.expires,
        uses: match asked.uses {
            None => Some(1),
            Some(0) => None,
            uses => uses,
        },
        accounts: Vec::new(),
        revoked: false,
    };
    served.authority.add_external_key(&kid, &key).await?;
    Ok(json!({ "kid": kid, "mac_key": key.mac_key }))
}

pub(crate) async fn list(served: &Served) -> Result<Value, AdminError> {
    let now = served.authority.now();
    let keys = served.authority.external_keys().await?;
    let shown: Vec<_> = keys
        .into_iter()
        .map(|(kid, key)| {
            let accounts: Vec<_> = key
                .accounts
                .iter()
                .map(|id| (served.account_url)(authority::model::AccountId(*id)))
                .collect();
            let status = if key.revoked {
                "revoked"
            } else if key.expires.is_some_and(|expires| expires <= now) {
                "expired"
            } else if key.uses.is_some_and(|uses| key.accounts.len() >= uses as usize) {
                "used"
            } else {
                "usable"
            };
            json!({
                "kid": kid, "label": key.label, "status": status, "created": key.created, "expires": key.expires,
                "uses": key.uses, "accounts": accounts,
            })
        })
        .collect();
    Ok(json!({ "keys": shown }))
}

#[derive(Deserialize)]
pub(crate) struct Revoke {
    kid: String,
}

pub(crate) async fn revoke(served: &Served, asked: Revoke) -> Result<Value, AdminError> {
    served
        .authority
        .revoke_external_key(&asked.kid)
        .await
        .map_err(|failure: Failure| AdminError::from(failure))?;
    Ok(json!({ "kid": asked.kid, "status": "revoked" }))
}
