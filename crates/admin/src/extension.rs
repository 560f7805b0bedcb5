//! Operations that extensions have registered.

use authority::ports::OperatorRequest;
use serde_json::{Map, Value};

use crate::{AdminError, Served, account};

pub(crate) async fn answer(
    served: &Served,
    operation: &str,
    mut members: Map<String, Value>,
) -> Result<Value, AdminError> {
    let Some(operation) = served.authority.operation(operation) else {
        return Err(AdminError::Operation(operation.chars().take(80).collect()));
    };
    members.remove("directory");
    let account = match members.remove("account") {
        None => None,
        Some(url) => Some(account::find(served, url.as_str().unwrap_or_default())?),
    };
    let request = OperatorRequest { members, account };
    Ok(operation.answer(&served.authority, request).await?)
}
