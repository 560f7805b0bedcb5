//! Pebble's configuration file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value};

/// What stands under `"pebble"`. Members that are not known mean something to other versions and are ignored; names of
/// members are the same in any case, as in Go.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub struct File {
    #[serde(rename = "listenaddress", default = "listen_address")]
    pub listen_address: String,
    /// Empty: no management interface.
    #[serde(rename = "managementlistenaddress", default)]
    pub management_listen_address: Option<String>,
    #[serde(default)]
    pub certificate: PathBuf,
    #[serde(rename = "privatekey", default)]
    pub private_key: PathBuf,
    #[serde(rename = "httpport", default = "http_port")]
    pub http_port: u16,
    #[serde(rename = "tlsport", default = "tls_port")]
    pub tls_port: u16,
    /// Into the certificates, if it is not empty.
    #[serde(rename = "ocspresponderurl", default)]
    pub ocsp_responder_url: Option<String>,
    #[serde(rename = "externalaccountbindingrequired", default)]
    pub external_account_binding_required: bool,
    /// By key identifier, in base64url.
    #[serde(rename = "externalaccountmackeys", default)]
    pub external_account_mac_keys: Option<BTreeMap<String, String>>,
    #[serde(rename = "caaidentities", default)]
    pub caa_identities: Option<Vec<String>>,
    #[serde(rename = "domainblocklist", default)]
    pub domain_blocklist: Option<Vec<String>>,
    #[serde(rename = "keyalgorithm", default)]
    pub key_algorithm: KeyAlgorithm,
    #[serde(default, deserialize_with = "folded_values")]
    pub profiles: BTreeMap<String, Profile>,
    #[serde(rename = "retryafter", default, deserialize_with = "folded")]
    pub retry_after: RetryAfter,
    /// Seconds, before there were profiles.
    #[serde(rename = "certificatevalidityperiod", default)]
    pub certificate_validity_period: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", default)]
pub struct Profile {
    pub description: String,
    /// Seconds; none leaves it to us.
    #[serde(rename = "validityperiod")]
    pub validity_period: u64,
}

/// Seconds that clients are told to wait, of resources that are not final yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", default)]
pub struct RetryAfter {
    pub authz: u32,
    pub order: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyAlgorithm {
    #[default]
    #[serde(alias = "")]
    Rsa,
    Ecdsa,
}

impl File {
    /// `Err` is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Whole {
            pebble: Value,
        }
        let whole: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let whole: Whole = read_folded(whole).map_err(|error| format!("it has no \"pebble\": {error}"))?;
        let file: Self = read_folded(whole.pebble).map_err(|error| format!("\"pebble\": {error}"))?;
        if file.profiles.keys().any(String::is_empty) {
            return Err("\"pebble\": a profile has the empty name".to_owned());
        }
        Ok(file)
    }
}

/// Reads an object whose members' names may be written in any case. The last of several spellings counts.
pub fn read_folded<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    let value = match value {
        Value::Object(members) => {
            let lower = |(name, value): (String, Value)| (name.to_lowercase(), value);
            Value::Object(members.into_iter().map(lower).collect::<Map<_, _>>())
        }
        other => other,
    };
    serde_json::from_value(value)
}

fn folded<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        value => read_folded(value).map_err(D::Error::custom),
    }
}

fn folded_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Profile>, D::Error> {
    let profiles: Option<BTreeMap<String, Value>> = Deserialize::deserialize(deserializer)?;
    let profiles = profiles.unwrap_or_default().into_iter();
    profiles
        .map(|(name, value)| Ok((name, read_folded(value).map_err(D::Error::custom)?)))
        .collect()
}

fn listen_address() -> String {
    "127.0.0.1:14000".to_owned()
}

fn http_port() -> u16 {
    5002
}

fn tls_port() -> u16 {
    5001
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_in_any_case_and_unknown_ones_are_ignored() {
        for text in [
            r#"{"pebble": {"listenAddress": "[::1]:5555", "managementListenAddress": "[::1]:5556",
                "certificate": "server.pem", "privateKey": "server.key", "httpPort": 1, "tlsPort": 2,
                "ocspResponderURL": "http://127.0.0.1:4002", "externalAccountBindingRequired": true,
                "externalAccountMACKeys": {"Kid-1": "AAAA"}, "domainBlocklist": ["blocked.example"],
                "retryAfter": {"authz": 3, "order": 5}, "keyAlgorithm": "ecdsa", "someday": [1],
                "profiles": {"Short": {"description": "brief", "validityPeriod": 518400, "more": true}}}}"#,
            r#"{"Pebble": {"ListenAddress": "[::1]:5555", "ManagementListenAddress": "[::1]:5556",
                "Certificate": "server.pem", "PrivateKey": "server.key", "HTTPPort": 1, "TLSPort": 2,
                "OCSPResponderURL": "http://127.0.0.1:4002", "ExternalAccountBindingRequired": true,
                "ExternalAccountMACKeys": {"Kid-1": "AAAA"}, "DomainBlocklist": ["blocked.example"],
                "RetryAfter": {"Authz": 3, "Order": 5}, "KeyAlgorithm": "ecdsa",
                "Profiles": {"Short": {"Description": "brief", "ValidityPeriod": 518400}}}}"#,
        ] {
            let file = File::parse(text).unwrap();
            assert_eq!(file.listen_address, "[::1]:5555");
            assert_eq!(file.management_listen_address.as_deref(), Some("[::1]:5556"));
            assert_eq!(file.certificate, PathBuf::from("server.pem"));
            assert_eq!(file.private_key, PathBuf::from("server.key"));
            assert_eq!((file.http_port, file.tls_port), (1, 2));
            assert_eq!(file.ocsp_responder_url.as_deref(), Some("http://127.0.0.1:4002"));
            assert!(file.external_account_binding_required);
            assert_eq!(file.external_account_mac_keys.unwrap()["Kid-1"], "AAAA");
            assert_eq!(file.domain_blocklist.unwrap(), ["blocked.example"]);
            assert_eq!(file.retry_after, RetryAfter { authz: 3, order: 5 });
            assert_eq!(file.key_algorithm, KeyAlgorithm::Ecdsa);
            assert_eq!(file.profiles["Short"].validity_period, 518_400);
            assert_eq!(file.profiles["Short"].description, "brief");
        }
    }

    #[test]
    fn what_is_left_out_or_null_has_a_default() {
        let file = File::parse(
            r#"{"pebble": {"managementListenAddress": null, "retryAfter": null, "profiles": null, "keyAlgorithm": ""}}"#,
        )
        .unwrap();
        assert_eq!((file.http_port, file.tls_port), (5002, 5001));
        assert_eq!(file.management_listen_address, None);
        assert_eq!(file.key_algorithm, KeyAlgorithm::Rsa);
        assert!(file.profiles.is_empty());
    }

    #[test]
    fn a_file_that_is_no_configuration_is_refused_with_a_sentence() {
        for (text, word) in [
            ("", "not JSON"),
            ("{}", "pebble"),
            (r#"{"pebble": {"httpPort": "80"}}"#, "80"),
            (r#"{"pebble": {"keyAlgorithm": "dsa"}}"#, "dsa"),
            (r#"{"pebble": {"profiles": {"": {}}}}"#, "empty name"),
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
