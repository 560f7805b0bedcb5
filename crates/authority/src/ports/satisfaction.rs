//! The moment "satisfaction": which authorization counts for which name, and which ones an order needs.

use acme::{Identifier, Problem};
use serde_json::{Map, Value};

use crate::{identifier::Name, model::Authorization};

/// A document's rule by which an authorization counts for names other than its own. Where there is none, every name has
/// an authorization for itself (RFC 8555 §7.1.3 leaves that to the server).
pub trait Satisfaction: Send + Sync {
    /// newOrder: how a name may be authorized, by what stands in the request beside its type and value. `Err` is a
    /// subproblem about it.
    fn ways(&self, name: &Name, members: &Map<String, Value>) -> Result<Ways, Problem>;

    /// newAuthz: an authorization for more than the name, if one is asked for and given.
    fn ahead(&self, name: &Name, members: &Map<String, Value>) -> Result<Option<Wider>, Problem>;

    /// Whether an authorization counts for a name that is not its own. Asked again at finalize.
    fn covers(&self, authorization: &Authorization, name: &Name) -> bool;
}

/// How a name may be authorized, beside by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Whose authorizations may count for it, if they cover it; the most welcome first.
    pub others: Vec<Identifier>,
    /// What is made where none counts; `None`: one for the name itself.
    pub wider: Option<Wider>,
}

/// An authorization that counts for more than one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wider {
    /// As an order names it. Whatever cannot prove this is not offered.
    pub identifier: Identifier,
    /// What it shows beside the members of RFC 8555 §7.1.4.
    pub members: Map<String, Value>,
}
