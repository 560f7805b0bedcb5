//! The table `orders`.

use std::borrow::Cow;

use acme::{Identifier, Problem};
use authority::{
    model::{AccountId, AuthorizationId, Order, OrderId},
    ports::StoreError,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Place, Text, json};

/// A row as it is read.
pub(crate) struct OrderRow<'a> {
    pub id: i64,
    pub account: i64,
    pub expires: i64,
    pub version: i64,
    /// The problem document of an issuance that failed.
    pub failure: Option<&'a str>,
    pub data: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Data<'a> {
    identifiers: Cow<'a, [Identifier]>,
    authorizations: Cow<'a, [AuthorizationId]>,
    profile: Text<'a>,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_empty")]
    members: Cow<'a, Map<String, Value>>,
    /// base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    csr: Option<Text<'a>>,
}

impl OrderRow<'_> {
    pub fn data(order: &Order) -> String {
        json(&Data {
            identifiers: Cow::Borrowed(&order.identifiers),
            authorizations: Cow::Borrowed(&order.authorizations),
            profile: Cow::Borrowed(&order.profile),
            created: order.created,
            not_before: order.not_before,
            not_after: order.not_after,
            members: Cow::Borrowed(&order.members),
            csr: order.csr.as_ref().map(|csr| jose::base64url::encode(csr).into()),
        })
    }

    pub fn failure(problem: &Problem) -> String {
        json(problem)
    }

    pub fn read(&self) -> Result<Order, StoreError> {
        let place = Place {
            table: "orders",
            row: self.id,
        };
        let data: Data = place.data(self.data)?;
        let failure = match self.failure {
            None => None,
            Some(failure) => Some(serde_json::from_str(failure).map_err(|error| place.corrupt("failure", error))?),
        };
        Ok(Order {
            id: OrderId(self.id.cast_unsigned()),
            account: AccountId(self.account.cast_unsigned()),
            identifiers: data.identifiers.into_owned(),
            authorizations: data.authorizations.into_owned(),
            profile: data.profile.into_owned(),
            created: data.created,
            not_before: data.not_before,
            not_after: data.not_after,
            members: data.members.into_owned(),
            csr: match data.csr {
                None => None,
                Some(csr) => Some(jose::base64url::decode(&csr).map_err(|error| place.corrupt("data", error))?),
            },
            expires: place.time("expires", self.expires)?,
            failure,
            version: place.version(self.version)?,
        })
    }
}

fn is_empty(members: &Map<String, Value>) -> bool {
    members.is_empty()
}

/// An order that names an authorization which is not there.
pub(crate) fn without_authorization(order: OrderId, authorization: AuthorizationId) -> StoreError {
    Place {
        table: "orders",
        row: order.0.cast_signed(),
    }
    .corrupt("data", format_args!("authorization {authorization} does not exist"))
}
