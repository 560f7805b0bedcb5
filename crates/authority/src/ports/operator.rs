//! The moment "operator": what an operator may ask for beside what the base has.

use serde_json::{Map, Value};

use super::BoxFuture;
use crate::{Authority, Failure, model::AccountId};

/// An operation of an extension, asked over the operator's API by its name.
pub trait OperatorOperation: Send + Sync {
    /// As in the path of the request, for example `incident/list`.
    fn name(&self) -> &'static str;

    /// Does it, in the directory that this authority is.
    fn answer<'a>(
        &'a self,
        authority: &'a Authority,
        request: OperatorRequest,
    ) -> BoxFuture<'a, Result<Value, Failure>>;
}

/// What the operator said.
#[derive(Clone, Debug, Default)]
pub struct OperatorRequest {
    pub members: Map<String, Value>,
    /// The account that the member `account` names by its URL.
    pub account: Option<AccountId>,
}
