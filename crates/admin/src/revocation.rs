//! Revocation by the operator.

use acme::RevocationReason;
use authority::operations::Chosen;
use jiff::Timestamp;
use pkix::certificate::Serial;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{AdminError, Served, account};

/// Exactly one way to say which certificates.
#[derive(Deserialize)]
pub(crate) struct Revoke {
    /// Hexadecimal.
    serial: Option<String>,
    /// SHA-256 of SubjectPublicKeyInfo, hexadecimal.
    key: Option<String>,
    /// An account's URL.
    account: Option<String>,
    /// Issued at or after, and before.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    reason: Option<u64>,
    /// Only say which they are.
    #[serde(default)]
    dry_run: bool,
}

pub(crate) async fn revoke(served: &Served, asked: Revoke) -> Result<Value, AdminError> {
    let malformed = |why: &str| AdminError::Malformed(why.to_owned());
    let chosen = match (&asked.serial, &asked.key, &asked.account, asked.from, asked.to) {
        (Some(serial), None, None, None, None) => Chosen::Serial(read_serial(serial)?),
        (None, Some(key), None, None, None) => {
            let octets = hexadecimal(key)?;
            Chosen::Key(
                octets
                    .try_into()
                    .map_err(|_| malformed("\"key\" is not 64 hexadecimal digits"))?,
            )
        }
        (None, None, Some(url), None, None) => Chosen::Account(account::find(served, url)?),
        (None, None, None, Some(from), Some(to)) if from < to => Chosen::Issued { from, to },
        _ => {
            return Err(malformed(
                "say which certificates in exactly one way: \"serial\", \"key\", \"account\", or \"from\" and a later \"to\"",
            ));
        }
    };
    let reason =
        match asked.reason {
            None | Some(0) => None,
            Some(code) => Some(RevocationReason::from_code(code).ok_or_else(|| {
                malformed("\"reason\" is none of 1 (keyCompromise), 3, 4, 5 and 9 (privilegeWithdrawn)")
            })?),
        };
    let found = served.authority.revoke_chosen(&chosen, reason, asked.dry_run).await?;
    let serials: Vec<_> = found.iter().map(ToString::to_string).collect();
    Ok(json!({ "serials": serials, "revoked": !asked.dry_run }))
}

fn read_serial(text: &str) -> Result<Serial, AdminError> {
    Serial::from_hex(&text.replace(':', "")).map_err(|error| AdminError::Malformed(format!("\"serial\": {error}")))
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, AdminError> {
    pkix::hex::decode(text).ok_or_else(|| {
        let seen: String = text.chars().take(80).collect();
        AdminError::Malformed(format!("{seen:?} is not hexadecimal"))
    })
}
