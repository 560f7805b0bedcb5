//! The table `authorizations`.

use std::borrow::Cow;

use acme::Identifier;
use authority::{
    model::{AccountId, Authorization, AuthorizationId, AuthorizationState, Challenge},
    ports::StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Place, json};

/// A row as it is read.
pub(crate) struct AuthorizationRow<'a> {
    pub id: i64,
    pub account: i64,
    /// `type:value`.
    pub identifier: &'a str,
    pub state: &'a str,
    pub version: i64,
    pub expires: i64,
    /// Both are there exactly while the state is `processing`, and are then the truth: a claim moves the lease and
    /// leaves `data` alone.
    pub due: Option<i64>,
    pub lease: Option<i64>,
    pub data: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Data<'a> {
    wildcard: bool,
    #[serde(default, skip_serializing_if = "is_empty")]
    members: Cow<'a, Map<String, Value>>,
    challenges: Cow<'a, [Challenge]>,
    standing: Cow<'a, AuthorizationState>,
}

fn is_empty(members: &Map<String, Value>) -> bool {
    members.is_empty()
}

impl AuthorizationRow<'_> {
    pub fn data(authorization: &Authorization) -> String {
        json(&Data {
            wildcard: authorization.wildcard,
            members: Cow::Borrowed(&authorization.members),
            challenges: Cow::Borrowed(&authorization.challenges),
            standing: Cow::Borrowed(&authorization.state),
        })
    }

    pub fn identifier(identifier: &Identifier) -> String {
        identifier.to_string()
    }

    pub fn state(state: &AuthorizationState) -> &'static str {
        match state {
            AuthorizationState::Pending => "pending",
            AuthorizationState::Processing { .. } => "processing",
            AuthorizationState::Valid { .. } => "valid",
            AuthorizationState::Invalid { .. } => "invalid",
            AuthorizationState::Deactivated { .. } => "deactivated",
            AuthorizationState::Revoked { .. } => "revoked",
        }
    }

    /// The columns `due` and `lease`.
    pub fn times(state: &AuthorizationState) -> (Option<i64>, Option<i64>) {
        match state {
            AuthorizationState::Processing { due, lease, .. } => {
                (Some(due.as_millisecond()), Some(lease.as_millisecond()))
            }
            _ => (None, None),
        }
    }

    pub fn read(&self) -> Result<Authorization, StoreError> {
        let place = Place {
            table: "authorizations",
            row: self.id,
        };
        let data: Data = place.data(self.data)?;
        let mut state = data.standing.into_owned();
        if Self::state(&state) != self.state {
            return Err(place.corrupt(
                "state",
                format_args!("{:?}, but data says {}", self.state, Self::state(&state)),
            ));
        }
        match (&mut state, self.due, self.lease) {
            (AuthorizationState::Processing { due, lease, .. }, Some(due_column), Some(lease_column)) => {
                *due = place.time("due", due_column)?;
                *lease = place.time("lease", lease_column)?;
            }
            (AuthorizationState::Processing { .. }, _, _) => {
                return Err(place.corrupt("due", "a validation is processing and has no due time or no lease"));
            }
            (_, None, None) => {}
            _ => return Err(place.corrupt("due", format_args!("there is one, though the state is {}", self.state))),
        }
        let (kind, value) = self
            .identifier
            .split_once(':')
            .ok_or_else(|| place.corrupt("identifier", format_args!("{:?} has no type", self.identifier)))?;
        Ok(Authorization {
            id: AuthorizationId(self.id.cast_unsigned()),
            account: AccountId(self.account.cast_unsigned()),
            identifier: Identifier::new(kind, value),
            wildcard: data.wildcard,
            members: data.members.into_owned(),
            challenges: data.challenges.into_owned(),
            expires: place.time("expires", self.expires)?,
            state,
            version: place.version(self.version)?,
        })
    }
}
