//! The operator's API: what `vidimus ca` asks of a running server.
//!
//! In scope: one operation for each thing an operator does, JSON in and out, behind one secret token. Out of scope: HTTP
//! (the server's admin listener carries it) and what an operation means (the `authority` decides).
//!
//! Whoever has the token can do whatever the operator can, short of signing: it lies in a file that only the server's
//! user can read, and goes over loopback or a network that the operator trusts.

mod account;
mod extension;
mod external_account;
mod revocation;

use std::{collections::BTreeMap, sync::Arc};

use authority::{Authority, Failure, model::AccountId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Where the operator's requests are answered.
pub struct Desk {
    token: String,
    directories: BTreeMap<String, Served>,
    random: Random,
}

/// Fills with bytes fit for keys.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A directory as the operator sees it.
pub struct Served {
    pub authority: Authority,
    /// The account that a URL names.
    pub account_of: Arc<dyn Fn(&str) -> Option<AccountId> + Send + Sync>,
    pub account_url: Arc<dyn Fn(AccountId) -> String + Send + Sync>,
}

/// Why a request was not done, with the HTTP status that says so.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("the token is missing or wrong; it stands in the file \"admin.token\" in the server's state folder")]
    Token,
    #[error("there is no operation {0:?}")]
    Operation(String),
    #[error("there is no directory {0:?}")]
    Directory(String),
    #[error("the request: {0}")]
    Malformed(String),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl AdminError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Token => 401,
            Self::Operation(_) | Self::Directory(_) => 404,
            Self::Malformed(_) | Self::Failed(Failure::Refused(_)) => 400,
            Self::Failed(Failure::Unavailable(_)) => 500,
        }
    }
}

/// Which directory a request is about; the only one if it does not say.
#[derive(Deserialize)]
struct Target {
    directory: Option<String>,
}

impl Desk {
    pub fn new(token: String, directories: BTreeMap<String, Served>, random: Random) -> Self {
        Self {
            token,
            directories,
            random,
        }
    }

    /// Does an operation, named by the path below `/api/`.
    pub async fn answer(&self, operation: &str, token: Option<&str>, body: &[u8]) -> Result<Value, AdminError> {
        let sent = token.unwrap_or_default().as_bytes();
        if aws_lc_rs::constant_time::verify_slices_are_equal(sent, self.token.as_bytes()).is_err() {
            return Err(AdminError::Token);
        }
        match operation {
            "eab/add" => external_account::add(self.served(body)?, &self.random, read(body)?).await,
            "eab/list" => external_account::list(self.served(body)?).await,
            "eab/revoke" => external_account::revoke(self.served(body)?, read(body)?).await,
            "revoke" => revocation::revoke(self.served(body)?, read(body)?).await,
            "account/show" => account::show(self.served(body)?, read(body)?).await,
            "account/revoke" => account::revoke(self.served(body)?, read(body)?).await,
            "directories" => Ok(json!({ "directories": self.directories.keys().collect::<Vec<_>>() })),
            other => extension::answer(self.served(body)?, other, read(body)?).await,
        }
    }

    fn served(&self, body: &[u8]) -> Result<&Served, AdminError> {
        let target: Target = read(body)?;
        match target.directory {
            Some(name) => self.directories.get(&name).ok_or(AdminError::Directory(name)),
            None if self.directories.len() == 1 => {
                let only = self.directories.values().next();
                Ok(only.expect("invariant: one was counted"))
            }
            None => Err(AdminError::Malformed(format!(
                "name a \"directory\" (--directory NAME); there are: {}",
                self.directories.keys().cloned().collect::<Vec<_>>().join(", ")
            ))),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    serde_json::from_slice(body).map_err(|error| AdminError::Malformed(error.to_string()))
}
