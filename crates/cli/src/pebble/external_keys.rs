//! The keys of external accounts that the configuration hands out (RFC 8555 §7.3.4).

use authority::{Authority, ExternalKey};

use super::file::File;

/// Each may bind any number of accounts: a suite makes many.
pub async fn hand_out(authority: &Authority, file: &File) -> Result<(), String> {
    for (kid, mac_key) in file.external_account_mac_keys.iter().flatten() {
        let wrong = |why: &dyn std::fmt::Display| format!("externalAccountMACKeys: {kid:?}: {why}");
        // Written for decoders that do not mind padding or the other alphabet.
        let mac_key = mac_key.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let octets = jose::base64url::decode(&mac_key);
        octets.map_err(|error| wrong(&format_args!("{error}; write the key in base64url")))?;
        let key = ExternalKey {
            mac_key,
            label: None,
            created: authority.now(),
            expires: None,
            uses: None,
            accounts: Vec::new(),
            revoked: false,
        };
        authority
            .add_external_key(kid, &key)
            .await
            .map_err(|error| wrong(&error))?;
    }
    Ok(())
}
