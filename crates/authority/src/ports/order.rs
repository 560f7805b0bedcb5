//! The moment "object field": a member of newOrder that an extension reads, and what the order shows of it.

use jiff::Timestamp;
use serde_json::Value;

use super::{BoxFuture, Issuance, Store};
use crate::{
    Failure,
    identifier::Name,
    model::{Account, OrderId, RecordChange},
};

/// One member of newOrder. Members that nobody has registered are ignored and not shown (RFC 8555 §7.3).
pub trait OrderMember: Send + Sync {
    /// The member's name in JSON.
    fn name(&self) -> &'static str;

    /// Looks at what was sent, `None` when the member is absent. May be called again for the same request, when
    /// something that it was decided from has changed.
    fn admit<'a>(&'a self, value: Option<&'a Value>, asked: &'a Asked<'a>) -> BoxFuture<'a, Result<Taken, Failure>>;
}

/// The order that is asked for.
pub struct Asked<'a> {
    /// The number it will have.
    pub id: OrderId,
    pub account: &'a Account,
    pub names: &'a [Name],
    /// The profile of orders that choose none.
    pub default_profile: &'a str,
    pub store: &'a dyn Store,
    pub issuance: &'a dyn Issuance,
    pub now: Timestamp,
}

/// What becomes of a member.
#[derive(Default)]
pub struct Taken {
    /// The member as the order shows it; `None` when the order does not show it.
    pub shown: Option<Value>,
    /// The profile it chooses.
    pub profile: Option<String>,
    pub csr: Option<FirstCsr>,
    /// Committed with the order, or the order is not made.
    pub records: Vec<RecordChange>,
    /// It replaces what no order has replaced before: that much is never limited (INCIDENTS T29).
    pub first_renewal: bool,
}

/// A CSR that came with the order. Its names, key and signature are looked at before the order is made.
pub struct FirstCsr {
    pub der: Vec<u8>,
    /// Whether it is the one to issue from: finalize takes this one and no other. Otherwise it counts for its names
    /// only, and finalize needs one of its own.
    pub binding: bool,
}
