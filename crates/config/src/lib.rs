//! Settings of the server: one TOML file, every key documented here and nowhere else.
//!
//! In scope: reading and checking a file, and the page that documents it. Out of scope: what the settings lead to (the
//! binary composes it) and the files they name.

mod duration;
mod extensions;
mod page;
mod perspective_file;
mod perspectives;
mod settings;

use std::{collections::BTreeMap, path::Path};

pub use duration::Span;
pub use extensions::{Ari, Coverage, EmailReply, EmailTls, MailProtocol, RelayTls};
pub use page::page;
pub use perspective_file::PerspectiveConfig;
pub use perspectives::{Perspective, Perspectives, Region, Remote};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
pub use settings::{
    Acme, Admin, Database, Directory, ExternalAccounts, Issuer, IssuerKind, LimitsPreset, Profile, Purpose, Server,
    Uncounted, Validation,
};

/// A whole configuration. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    #[serde(default)]
    pub admin: Admin,
    #[serde(default)]
    pub database: Database,
    #[serde(default)]
    pub acme: Acme,
    #[serde(default)]
    pub validation: Validation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perspectives: Option<Perspectives>,
    pub issuer: BTreeMap<String, Issuer>,
    pub profile: BTreeMap<String, Profile>,
    /// Each extension reads its own table.
    #[serde(default)]
    pub extensions: BTreeMap<String, toml::Table>,
    /// More directories on the same server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub directory: BTreeMap<String, Directory>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: String, error: std::io::Error },
    #[error("{file}: {what}")]
    Wrong { file: String, what: String },
}

impl Config {
    /// Reads a file; relative paths in it are left as they stand, relative to the file's folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        read(file, Self::parse)
    }

    /// `Err` is a sentence that names the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = written(text)?;
        config.check()?;
        Ok(config)
    }

    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// The configuration as one of its further directories has it; `None` when there is none of that name.
    pub fn of_directory(&self, name: &str) -> Option<Self> {
        let directory = self.directory.get(name)?;
        let mut own = Self {
            directory: BTreeMap::new(),
            ..self.clone()
        };
        if let Some(acme) = &directory.acme {
            own.acme = acme.clone();
        }
        if let Some(validation) = &directory.validation {
            own.validation = validation.clone();
        }
        if let Some(extensions) = &directory.extensions {
            own.extensions = extensions.clone();
        }
        if !directory.profiles.is_empty() {
            own.profile.retain(|profile, _| directory.profiles.contains(profile));
        }
        Some(own)
    }

    /// What no single key can know.
    fn check(&self) -> Result<(), String> {
        for (name, directory) in &self.directory {
            self.check_directory(name, directory)?;
        }
        if let Some(perspectives) = &self.perspectives {
            perspectives.check()?;
        }
        if let Some(address) = self.server.peer.filter(|address| address.ip().is_unspecified()) {
            return Err(format!(
                "server.peer: other nodes are told this address and cannot reach {address}; name the one that they can reach"
            ));
        }
        if !self.server.external_url.starts_with("https://") {
            let seen = &self.server.external_url;
            return Err(format!(
                "server.external_url: {seen:?} does not begin with https:// (RFC 8555 §6.1)"
            ));
        }
        if let Some(url) = &self.server.public_http
            && !url.starts_with("http://")
        {
            return Err(format!(
                "server.public_http: {url:?} does not begin with http:// (CRLs and issuers are fetched plainly)"
            ));
        }
        if !self.profile.contains_key(&self.acme.default_profile) {
            let name = &self.acme.default_profile;
            return Err(format!("acme.default_profile: there is no [profile.{name}]"));
        }
        for (name, issuer) in &self.issuer {
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
            {
                return Err(format!(
                    "issuer.{name}: the name stands in URLs; use letters, digits, \"-\" and \"_\""
                ));
            }
            if issuer.crl_lifetime < SHORTEST_CRL_LIFETIME {
                return Err(format!(
                    "issuer.{name}.crl_lifetime: {} is too short; caches need {SHORTEST_CRL_LIFETIME} at least",
                    issuer.crl_lifetime
                ));
            }
            if issuer.ocsp && self.server.public_http.is_none() {
                return Err(format!(
                    "issuer.{name}.ocsp: certificates name a URL under server.public_http, which is not set"
                ));
            }
            issuer.check().map_err(|what| format!("issuer.{name}.{what}"))?;
        }
        for (name, profile) in &self.profile {
            if !self.issuer.contains_key(&profile.issuer) {
                return Err(format!(
                    "profile.{name}.issuer: there is no [issuer.{}]",
                    profile.issuer
                ));
            }
            if profile.lifetime.seconds() <= profile.backdate.seconds() {
                return Err(format!("profile.{name}.lifetime: it is not longer than backdate"));
            }
        }
        Ok(())
    }
}

const SHORTEST_CRL_LIFETIME: Span = Span::minutes(10);

impl Config {
    fn check_directory(&self, name: &str, directory: &Directory) -> Result<(), String> {
        let is_segment = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_taken = ["acme", "directory", "default"].contains(&name);
        if name.is_empty() || name.len() > 40 || is_taken || !name.bytes().all(is_segment) {
            return Err(format!(
                "directory.{name}: a name is a segment of a URL: 1 to 40 of a-z, 0-9 and \"-\", not \"acme\", \"directory\" or \"default\""
            ));
        }
        if let Some(unknown) = directory
            .profiles
            .iter()
            .find(|profile| !self.profile.contains_key(*profile))
        {
            return Err(format!("directory.{name}.profiles: there is no [profile.{unknown}]"));
        }
        let own = self.of_directory(name).expect("invariant: it is in the map");
        own.check().map_err(|why| format!("directory.{name}: {why}"))
    }
}

/// Reads a file of settings.
fn read<T>(file: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
        file: name.clone(),
        error,
    })?;
    parse(&text).map_err(|what| ConfigError::Wrong { file: name, what })
}

/// Settings as they are written; `Err` is a sentence that names the key.
fn written<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| sentence(text, &error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let what = sentence(text, error.inner());
        if path == "." { what } else { format!("{path}: {what}") }
    })
}

/// One line, where the library's own text draws a picture.
fn sentence(text: &str, error: &toml::de::Error) -> String {
    let what = error.message().replace('\n', "; ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("{what} (line {})", before.matches('\n').count() + 1),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const SMALL: &str = r#"
        [server]
        listen = "127.0.0.1:14000"
        external_url = "https://localhost:14000"
        [issuer.issuing]
        certificate = "issuing.pem"
        key = "issuing.key"
        [profile.default]
        issuer = "issuing"
    "#;

    #[test]
    fn a_small_file_gets_every_default_and_survives_being_written_out() {
        let config = Config::parse(SMALL).unwrap();
        assert_eq!(config.validation.http_port, 80);
        let again = Config::parse(&config.to_toml().unwrap()).unwrap();
        assert_eq!(again.to_toml().unwrap(), config.to_toml().unwrap());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        for (wrong, named) in [
            ("[server]\nlisten_on = 1", "listen_on"),
            ("[servr]\n", "servr"),
            ("[validation]\nhttp_port = 70000", "validation.http_port"),
            ("[acme]\norder_lifetime = \"soon\"", "acme.order_lifetime"),
        ] {
            let (section, rest) = wrong.split_once('\n').unwrap();
            let text = match SMALL.find(section) {
                Some(at) => format!("{}{section}\n{rest}{}", &SMALL[..at], &SMALL[at + section.len()..]),
                None => format!("{SMALL}\n{wrong}"),
            };
            let error = Config::parse(&text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn names_that_point_nowhere_are_refused() {
        let error = Config::parse(&SMALL.replace("issuer = \"issuing\"", "issuer = \"other\"")).unwrap_err();
        assert!(error.contains("[issuer.other]"), "{error}");
        let error = Config::parse(&SMALL.replace("https://", "http://")).unwrap_err();
        assert!(error.contains("external_url"), "{error}");
    }

    #[test]
    fn what_an_issuer_says_about_revocation_must_be_possible() {
        let with = |line: &str| Config::parse(&SMALL.replace("key =", &format!("{line}\nkey =")));
        let config = with("crl_shards = 8\ncrl_lifetime = \"1d\"").unwrap();
        assert_eq!(config.issuer["issuing"].crl_shards.get(), 8);
        for (line, named) in [
            ("crl_shards = 0", "crl_shards"),
            ("crl_lifetime = \"5m\"", "crl_lifetime"),
            ("ocsp = true", "public_http"),
        ] {
            let error = with(line).unwrap_err();
            assert!(error.contains("issuer.issuing") && error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_directory_has_what_it_says_and_the_rest_from_the_top() {
        let text = format!(
            "{SMALL}\n[profile.internal]\nissuer = \"issuing\"\n[directory.internal]\nprofiles = [\"internal\"]\n\
             [directory.internal.acme]\ndefault_profile = \"internal\"\nexternal_accounts = \"required\""
        );
        let config = Config::parse(&text).unwrap();
        let own = config.of_directory("internal").unwrap();
        assert_eq!(own.acme.external_accounts, ExternalAccounts::Required);
        assert_eq!(own.profile.keys().collect::<Vec<_>>(), ["internal"]);
        assert_eq!(own.validation.http_port, config.validation.http_port);
        assert!(config.of_directory("other").is_none());
        for (name, why) in [("Internal", "segment"), ("acme", "segment")] {
            let error = Config::parse(&text.replace("directory.internal", &format!("directory.{name}"))).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let error = Config::parse(&text.replace("[\"internal\"]", "[\"other\"]")).unwrap_err();
        assert!(error.contains("[profile.other]"), "{error}");
        let error = Config::parse(&text.replace("default_profile = \"internal\"", "")).unwrap_err();
        assert!(error.contains("directory.internal: acme.default_profile"), "{error}");
    }
}
