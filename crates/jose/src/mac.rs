//! A message authenticated by a shared key (RFC 7515 §7.2.2, RFC 7518 §3.2): the inner JWS of RFC 8555 §7.3.4.
//!
//! A type of its own, so that no request can ever be verified with a MAC.

use std::str;

use aws_lc_rs::hmac;

use crate::{
    JwsError, MAX_BODY, base64url,
    json::{self},
    jws::{decode, string},
};

/// A message that was read, and not verified. Its payload cannot be had without [`MacJws::verify`].
#[derive(Clone, Debug)]
pub struct MacJws {
    algorithm: hmac::Algorithm,
    /// Names the shared key.
    pub kid: String,
    pub url: String,
    payload: Vec<u8>,
    signing_input: String,
    tag: Vec<u8>,
}

impl MacJws {
    /// Reads a message in the flattened serialization, with a MAC, a `kid`, a `url` and no `nonce`.
    pub fn parse(body: &[u8]) -> Result<Self, MacJwsError> {
        if body.len() > MAX_BODY {
            return Err(JwsError::TooLarge.into());
        }
        let body = str::from_utf8(body).map_err(|_| JwsError::NotJson)?;
        let [protected, payload, signature, header, signatures] =
            json::members(body, &["protected", "payload", "signature", "header", "signatures"])
                .map_err(JwsError::in_body)?;
        if signatures.is_some() {
            return Err(JwsError::NotFlattened(crate::Serialization::General).into());
        }
        if header.is_some() {
            return Err(JwsError::UnprotectedHeader.into());
        }
        let protected = string("protected", protected)?;
        let payload = string("payload", payload)?;
        let signature = string("signature", signature)?;
        let header = String::from_utf8(decode("protected", &protected)?).map_err(|_| JwsError::HeaderNotJson)?;
        let [alg, crit, b64, jwk, kid, nonce, url] =
            json::members(&header, &["alg", "crit", "b64", "jwk", "kid", "nonce", "url"])
                .map_err(JwsError::in_header)?;
        let alg = string("alg", alg)?;
        let algorithm = match &*alg {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            other => return Err(MacJwsError::NotAMac(json::excerpt(other))),
        };
        if crit.is_some() {
            return Err(JwsError::Crit.into());
        }
        if b64.is_some() {
            return Err(JwsError::B64.into());
        }
        if nonce.is_some() {
            return Err(MacJwsError::Nonce);
        }
        if jwk.is_some() {
            return Err(MacJwsError::Jwk);
        }
        Ok(Self {
            algorithm,
            kid: string("kid", kid)?.into_owned(),
            url: string("url", url)?.into_owned(),
            payload: decode("payload", &payload)?,
            tag: decode("signature", &signature)?,
            signing_input: [&*protected, &*payload].join("."),
        })
    }

    /// The payload, if the holder of the key wrote it. Compares in constant time.
    pub fn verify(&self, key: &[u8]) -> Result<&[u8], MacJwsError> {
        let key = hmac::Key::new(self.algorithm, key);
        hmac::verify(&key, self.signing_input.as_bytes(), &self.tag).map_err(|_| MacJwsError::Mac)?;
        Ok(&self.payload)
    }
}

/// A message as [`MacJws`] reads it, HS256.
pub fn mac_flattened(key: &[u8], kid: &str, url: &str, payload: &[u8]) -> serde_json::Value {
    let protected = serde_json::json!({"alg": "HS256", "kid": kid, "url": url}).to_string();
    let (protected, payload) = (base64url::encode(protected), base64url::encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{protected}.{payload}").as_bytes());
    serde_json::json!({"protected": protected, "payload": payload, "signature": base64url::encode(tag)})
}

/// Why a message with a MAC is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacJwsError {
    #[error("{0}")]
    Jws(#[from] JwsError),
    #[error("\"alg\" is {0:?}; it must be a MAC: HS256, HS384 or HS512")]
    NotAMac(String),
    #[error("the protected header has a \"nonce\", which belongs in the outer one only")]
    Nonce,
    #[error("the protected header has a \"jwk\"; a shared key is named by \"kid\"")]
    Jwk,
    #[error("the MAC is not one of this key over what was received")]
    Mac,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://ca.test/new-account";

    fn with_header(header: &serde_json::Value) -> Vec<u8> {
        let protected = base64url::encode(header.to_string());
        json!({"protected": protected, "payload": "e30", "signature": "AA"})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn what_is_made_verifies_with_its_key_and_no_other() {
        let message = mac_flattened(b"secret", "kid-1", URL, b"{}");
        let read = MacJws::parse(message.to_string().as_bytes()).unwrap();
        assert_eq!((read.kid.as_str(), read.url.as_str()), ("kid-1", URL));
        assert_eq!(read.verify(b"secret"), Ok(&b"{}"[..]));
        assert_eq!(read.verify(b"Secret"), Err(MacJwsError::Mac));
    }

    // 8555-7.3.4-2
    #[test]
    fn a_signature_a_nonce_and_a_jwk_have_no_place_in_it() {
        let cases = [
            (
                json!({"alg": "ES256", "kid": "k", "url": URL}),
                MacJwsError::NotAMac("ES256".into()),
            ),
            (
                json!({"alg": "none", "kid": "k", "url": URL}),
                MacJwsError::NotAMac("none".into()),
            ),
            (
                json!({"alg": "HS256", "kid": "k", "url": URL, "nonce": "AA"}),
                MacJwsError::Nonce,
            ),
            (
                json!({"alg": "HS256", "kid": "k", "url": URL, "jwk": {}}),
                MacJwsError::Jwk,
            ),
            (
                json!({"alg": "HS256", "url": URL}),
                JwsError::MissingMember("kid").into(),
            ),
            (
                json!({"alg": "HS256", "kid": "k"}),
                JwsError::MissingMember("url").into(),
            ),
            (
                json!({"alg": "HS256", "kid": "k", "url": URL, "crit": ["x"]}),
                JwsError::Crit.into(),
            ),
        ];
        for (header, error) in cases {
            assert_eq!(MacJws::parse(&with_header(&header)).unwrap_err(), error, "{header}");
        }
        assert_eq!(
            MacJws::parse(br#"{"protected":"e30","payload":"","signature":"","header":{}}"#).unwrap_err(),
            JwsError::UnprotectedHeader.into()
        );
    }
}
