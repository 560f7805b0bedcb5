//! The file of `vidimus perspective serve`.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{ConfigError, Perspective, Validation, read, written};

/// The file of a remote perspective. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PerspectiveConfig {
    pub perspective: Perspective,
    #[serde(default)]
    pub validation: Validation,
    #[serde(default)]
    pub extensions: BTreeMap<String, toml::Table>,
}

impl PerspectiveConfig {
    /// Reads a file; relative paths in it are left as they stand, relative to the file's folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        read(file, Self::parse)
    }

    /// Whether a text is this kind of file rather than a server's.
    pub fn is_meant_by(text: &str) -> bool {
        let table = text.parse::<toml::Table>();
        table.is_ok_and(|table| table.contains_key("perspective") && !table.contains_key("server"))
    }

    /// `Err` is a sentence that names the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = written(text)?;
        let Perspective {
            listen,
            certificate,
            key,
            authority,
            ..
        } = &config.perspective;
        let files = [certificate, key, authority];
        if files.iter().all(|file| file.is_none()) {
            return match listen.ip().is_loopback() {
                true => Ok(config),
                false => Err(format!(
                    "perspective.listen: {listen} is reached from elsewhere; that needs certificate, key and authority"
                )),
            };
        }
        match files.iter().all(|file| file.is_some()) {
            true => Ok(config),
            false => Err("perspective: certificate, key and authority go together; one is missing".to_owned()),
        }
    }

    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perspective_that_others_reach_has_an_identity_and_knows_who_may_ask() {
        let file = |listen: &str, more: &str| {
            PerspectiveConfig::parse(&format!(
                "[perspective]\nname = \"a\"\nlisten = \"{listen}\"\nexternal_url = \"https://ca.example\"\n{more}"
            ))
        };
        assert!(file("127.0.0.1:1", "").is_ok());
        assert!(file("0.0.0.0:1", "").unwrap_err().contains("perspective.listen"));
        let all = "certificate = \"a.pem\"\nkey = \"a.key\"\nauthority = \"ca.pem\"\n";
        assert!(file("0.0.0.0:1", all).is_ok());
        let without = all.replace("authority = \"ca.pem\"\n", "");
        assert!(file("127.0.0.1:1", &without).unwrap_err().contains("go together"));
        assert!(file("127.0.0.1:1", "port = 1\n").unwrap_err().contains("port"));
    }
}
