//! The table `accounts`.

use std::borrow::Cow;

use authority::{
    model::{Account, AccountId, AccountState},
    ports::StoreError,
};
use jiff::Timestamp;
use jose::Jwk;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Place, Text, json};

/// A row as it is read.
pub(crate) struct AccountRow<'a> {
    pub id: i64,
    pub directory: &'a str,
    pub thumbprint: &'a [u8],
    pub state: &'a str,
    pub version: i64,
    pub data: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Data<'a> {
    key: Cow<'a, Jwk>,
    contact: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agreed_terms: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_binding: Option<Cow<'a, Value>>,
    created: Timestamp,
}

impl AccountRow<'_> {
    pub fn data(account: &Account) -> String {
        json(&Data {
            key: Cow::Borrowed(&account.key),
            contact: Cow::Borrowed(&account.contact),
            agreed_terms: account.agreed_terms.as_deref().map(Cow::Borrowed),
            external_binding: account.external_binding.as_ref().map(Cow::Borrowed),
            created: account.created,
        })
    }

    pub fn state(state: AccountState) -> &'static str {
        match state {
            AccountState::Active => "active",
            AccountState::Deactivated => "deactivated",
            AccountState::Revoked => "revoked",
        }
    }

    pub fn read(&self) -> Result<Account, StoreError> {
        let place = Place {
            table: "accounts",
            row: self.id,
        };
        let data: Data = place.data(self.data)?;
        if data.key.thumbprint().as_bytes() != self.thumbprint {
            return Err(place.corrupt("thumbprint", "it is not that of the key in data"));
        }
        Ok(Account {
            id: AccountId(self.id.cast_unsigned()),
            directory: self.directory.to_owned(),
            key: data.key.into_owned(),
            contact: data.contact.into_owned(),
            agreed_terms: data.agreed_terms.map(Cow::into_owned),
            external_binding: data.external_binding.map(Cow::into_owned),
            state: match self.state {
                "active" => AccountState::Active,
                "deactivated" => AccountState::Deactivated,
                "revoked" => AccountState::Revoked,
                other => return Err(place.corrupt("state", format_args!("{other:?} is no state of an account"))),
            },
            created: data.created,
            version: place.version(self.version)?,
        })
    }
}
