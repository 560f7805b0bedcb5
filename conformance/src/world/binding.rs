//! Binding accounts to keys that the operator handed out (RFC 8555 §7.3.4).

use aws_lc_rs::hmac;
use jose::SigningKey;
use serde_json::{Map, Value};

use super::{World, missing};
use crate::{
    message::{self, Message},
    test::Outcome,
};

/// A MAC key with its name.
#[derive(Clone)]
pub struct ExternalKey {
    pub kid: String,
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ExternalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExternalKey({:?})", self.kid)
    }
}

impl World {
    /// Whether the directory demands a binding.
    pub fn requires_binding(&self) -> bool {
        self.directory["meta"]["externalAccountRequired"] == true
    }

    pub fn external_key(&self) -> Outcome<&ExternalKey> {
        let key = self.options.external_key.as_ref();
        key.ok_or_else(|| missing("--eab-kid with --eab-key"))
    }

    /// The binding of an account key before it is authenticated, to be made wrong.
    pub fn binding_message(&self, key: &SigningKey) -> Outcome<Message> {
        let mut header = Map::new();
        header.insert("alg".into(), "HS256".into());
        header.insert("kid".into(), self.external_key()?.kid.clone().into());
        header.insert("url".into(), self.resource("newAccount")?.into());
        Ok(Message {
            header,
            payload: message::jwk(key).to_string().into_bytes(),
        })
    }

    /// A right binding.
    pub fn binding(&self, key: &SigningKey) -> Outcome<Value> {
        let message = self.binding_message(key)?;
        Ok(message.mac(hmac::HMAC_SHA256, &self.external_key()?.key).json())
    }

    /// The request with a binding where an account needs one.
    pub(super) fn bound(&self, key: &SigningKey, mut request: Value) -> Outcome<Value> {
        if self.requires_binding() && request["onlyReturnExisting"] != true && request.is_object() {
            request["externalAccountBinding"] = self.binding(key)?;
        }
        Ok(request)
    }
}
