//! Binding to an account elsewhere (RFC 8555 §7.3.4).

use jose::Jwk;
use serde_json::Value;
use zeroize::Zeroizing;

/// What a CA gave out for one account: a key id and a MAC key.
#[derive(Clone)]
pub struct ExternalAccount {
    key_id: String,
    mac_key: Zeroizing<Vec<u8>>,
}

impl ExternalAccount {
    /// The MAC key comes as base64url of the raw bytes; many CAs hand it out padded or with line ends, which is
    /// forgiven here, for it is not on the wire.
    pub fn new(key_id: impl Into<String>, mac_key: &str) -> Result<Self, &'static str> {
        let text = mac_key.trim().trim_end_matches('=');
        match jose::base64url::decode(text) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self {
                key_id: key_id.into(),
                mac_key: Zeroizing::new(bytes),
            }),
            _ => Err("the MAC key of the external account is not base64url"),
        }
    }

    /// The inner JWS over the account's public key: HS256, no nonce, the URL of newAccount.
    pub(crate) fn bind(&self, account_key: &Jwk, new_account: &str) -> Value {
        let payload = serde_json::to_vec(account_key).expect("invariant: a public key is a map of strings");
        jose::mac_flattened(&self.mac_key, &self.key_id, new_account, &payload)
    }
}

/// The MAC key stays out of logs.
impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use jose::{Algorithm, SigningKey};
    use serde_json::json;

    use super::*;

    // 8555-7.3.4-7
    #[test]
    fn the_mac_is_made_with_the_decoded_key_over_the_account_key() {
        let external = ExternalAccount::new(
            "kid-1",
            "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n",
        )
        .unwrap();
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let bound = external.bind(key.jwk(), "https://ca.test/new-account");
        let text = |member: &str| bound[member].as_str().unwrap().to_owned();

        let raw = jose::base64url::decode("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W").unwrap();
        let verification = hmac::Key::new(hmac::HMAC_SHA256, &raw);
        let signed = format!("{}.{}", text("protected"), text("payload"));
        let tag = jose::base64url::decode(&text("signature")).unwrap();
        hmac::verify(&verification, signed.as_bytes(), &tag).unwrap();

        let protected: Value = serde_json::from_slice(&jose::base64url::decode(&text("protected")).unwrap()).unwrap();
        assert_eq!(
            protected,
            json!({"alg": "HS256", "kid": "kid-1", "url": "https://ca.test/new-account"})
        );
        let payload = jose::base64url::decode(&text("payload")).unwrap();
        assert_eq!(Jwk::parse(std::str::from_utf8(&payload).unwrap()).unwrap(), *key.jwk());
    }

    #[test]
    fn a_mac_key_that_is_not_base64url_is_refused() {
        assert!(ExternalAccount::new("k", "not base64").is_err());
        assert!(ExternalAccount::new("k", "").is_err());
    }
}
