use std::fmt::Debug;

use acme::{
    Account, AccountUpdate, Authorization, Challenge, Directory, Finalize, KeyChange, NewAccount, NewAuthorization,
    NewOrder, Order, OrdersList, Problem, RevokeCert,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The objects of RFC 8555, those of a server and those of a client: one that is read is read the same when it is
/// written.
pub fn objects(data: &[u8]) {
    is_written_as_read::<Order>(data);
    is_written_as_read::<Authorization>(data);
    is_written_as_read::<Challenge>(data);
    is_written_as_read::<Directory>(data);
    is_written_as_read::<Problem>(data);
    is_written_as_read::<Account>(data);
    is_written_as_read::<OrdersList>(data);
    is_written_as_read::<NewAccount>(data);
    is_written_as_read::<AccountUpdate>(data);
    is_written_as_read::<KeyChange>(data);
    is_written_as_read::<NewOrder>(data);
    is_written_as_read::<NewAuthorization>(data);
    is_written_as_read::<Finalize>(data);
    is_written_as_read::<RevokeCert>(data);
}

fn is_written_as_read<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &[u8]) {
    let Ok(object) = serde_json::from_slice::<T>(json) else {
        return;
    };
    let written = serde_json::to_value(&object).expect("what was read is written");
    // Members of extensions may hold fractions, which are not read to the last bit.
    if has_fraction(&written) {
        return;
    }
    let text = written.to_string();
    assert_eq!(serde_json::from_str::<T>(&text).ok().as_ref(), Some(&object), "{text}");
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
