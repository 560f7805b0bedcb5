//! Signed requests that may be wrong in any way (RFC 8555 §6.2).

use aws_lc_rs::hmac;
use jose::{SigningKey, base64url};
use serde_json::{Map, Value, json};

/// A message before it is signed.
#[derive(Clone, Debug)]
pub struct Message {
    pub header: Map<String, Value>,
    pub payload: Vec<u8>,
}

impl Message {
    /// A right one, to be made wrong.
    pub fn new(key: &SigningKey, kid: Option<&str>, nonce: &str, url: &str, payload: &[u8]) -> Self {
        let mut header = Map::new();
        header.insert("alg".into(), key.algorithm().as_str().into());
        match kid {
            Some(kid) => header.insert("kid".into(), kid.into()),
            None => header.insert("jwk".into(), jwk(key)),
        };
        header.insert("nonce".into(), nonce.into());
        header.insert("url".into(), url.into());
        Self {
            header,
            payload: payload.to_vec(),
        }
    }

    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.header.insert(member.to_owned(), value.into());
        self
    }

    pub fn without(mut self, member: &str) -> Self {
        self.header.remove(member);
        self
    }

    pub fn sign(&self, key: &SigningKey) -> Flattened {
        sign_text(&Value::Object(self.header.clone()).to_string(), &self.payload, key)
    }

    /// Authenticates it with a shared key, whatever `alg` says (RFC 8555 §7.3.4).
    pub fn mac(&self, algorithm: hmac::Algorithm, key: &[u8]) -> Flattened {
        let protected = base64url::encode(Value::Object(self.header.clone()).to_string());
        let payload = base64url::encode(&self.payload);
        let key = hmac::Key::new(algorithm, key);
        let signature = base64url::encode(hmac::sign(&key, format!("{protected}.{payload}").as_bytes()));
        Flattened {
            protected,
            payload,
            signature,
        }
    }
}

/// A message in the flattened serialization, its members as text.
#[derive(Clone, Debug)]
pub struct Flattened {
    pub protected: String,
    pub payload: String,
    pub signature: String,
}

impl Flattened {
    pub fn json(&self) -> Value {
        json!({ "protected": self.protected, "payload": self.payload, "signature": self.signature })
    }

    pub fn body(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }
}

/// Signs a header exactly as it is written.
pub fn sign_text(header: &str, payload: &[u8], key: &SigningKey) -> Flattened {
    sign_encoded(base64url::encode(header), base64url::encode(payload), key)
}

/// Signs two texts that need not be base64url.
pub fn sign_encoded(protected: String, payload: String, key: &SigningKey) -> Flattened {
    let signature = base64url::encode(key.sign(format!("{protected}.{payload}").as_bytes()));
    Flattened {
        protected,
        payload,
        signature,
    }
}

pub fn jwk(key: &SigningKey) -> Value {
    serde_json::to_value(key.jwk()).expect("invariant: a key is JSON")
}
