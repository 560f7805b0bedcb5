//! Key authorizations (RFC 8555 §8.1).

use aws_lc_rs::digest::{SHA256, digest};
use jose::Thumbprint;

/// `token "." base64url(thumbprint)`: binds a challenge to an account key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAuthorization(String);

impl KeyAuthorization {
    pub fn new(token: &str, thumbprint: &Thumbprint) -> Self {
        Self(format!("{token}.{thumbprint}"))
    }

    /// What http-01 serves (RFC 8555 §8.3).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 bytes of acmeIdentifier (RFC 8737 §3).
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        bytes
    }

    /// The TXT record's value of dns-01, 43 characters (RFC 8555 §8.4).
    pub fn dns_value(&self) -> String {
        jose::base64url::encode(self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-8.1-1: the vector was computed with a second implementation.
    #[test]
    fn the_key_authorization_of_rfc_7638s_key_has_the_known_digest() {
        let thumbprint: [u8; 32] = jose::base64url::decode("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
            .unwrap()
            .try_into()
            .unwrap();
        let key_authorization = KeyAuthorization::new("DGyRejmCefe7v4NfDGDKfA", &Thumbprint::from(thumbprint));
        assert_eq!(
            key_authorization.as_str(),
            "DGyRejmCefe7v4NfDGDKfA.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert_eq!(
            key_authorization.dns_value(),
            "Bs72Q7B-BSSQo4oDjA2qBR07GB6sc3hiG9zqaqvHx7U"
        );
    }
}
