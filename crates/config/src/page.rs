//! The configuration page, made from the doc comments of `settings.rs` and the defaults as they are.

use std::fmt::Write;

use crate::{Admin, Ari, Config, Database, EmailReply, EmailTls, Perspectives};

/// Markdown, for `docs/operating/configuration.md`.
pub fn page() -> String {
    let mut page = String::from(HEADER);
    for section in all_sections() {
        let _ = write!(page, "\n## {}\n\n| key | default | |\n|---|---|---|\n", section.about);
        for (key, text) in section.keys {
            let default = default_of(section.name, key)
                .map(|value| format!("`{value}`"))
                .unwrap_or_default();
            let _ = writeln!(page, "| `{key}` | {default} | {text} |");
        }
    }
    page
}

fn all_sections() -> Vec<Section<'static>> {
    let mut all = sections(include_str!("settings.rs"));
    all.extend(sections(include_str!("perspectives.rs")));
    all.extend(sections(include_str!("extensions.rs")));
    all
}

struct Section<'a> {
    name: &'a str,
    about: String,
    keys: Vec<(&'a str, String)>,
}

/// Reads the doc comments of public structs and their public fields.
fn sections(source: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section> = Vec::new();
    let mut text = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("/// ") {
            text = if text.is_empty() {
                comment.to_owned()
            } else {
                format!("{text} {comment}")
            };
        } else if let Some(name) = line
            .strip_prefix("pub struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            sections.push(Section {
                name,
                about: std::mem::take(&mut text),
                keys: Vec::new(),
            });
        } else if let Some((key, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            let text = std::mem::take(&mut text).replace('|', "\\|");
            if let Some(section) = sections.last_mut() {
                section.keys.push((key, text));
            }
        } else if !line.starts_with("#[") {
            text.clear();
        }
    }
    sections
}

/// The default as the file would say it: whatever a configuration that leaves everything out turns into.
fn default_of(section: &str, key: &str) -> Option<String> {
    let text = format!(
        "[server]\nlisten = \"{}\"\nexternal_url = \"https://ca.example\"\n[issuer.a]\ncertificate = \"a\"\nkey = \"a\"\n\
         [profile.{}]\nissuer = \"a\"",
        Admin::default().listen,
        crate::Acme::default().default_profile,
    );
    let extension = match section {
        "Perspectives" => toml::Table::try_from(Perspectives::default()).ok(),
        "Ari" => toml::Table::try_from(Ari::default()).ok(),
        "EmailReply" => toml::Table::try_from(EmailReply::default()).ok(),
        "EmailTls" => toml::Table::try_from(EmailTls::default()).ok(),
        _ => None,
    };
    if let Some(table) = extension {
        return Some(table.get(key)?.to_string());
    }
    let whole = toml::Table::try_from(Config::parse(&text).ok()?).ok()?;
    let table = match section {
        "Issuer" => whole.get("issuer")?.get("a")?,
        "Profile" => whole.get("profile")?.get("default")?,
        _ => whole.get(&section.to_lowercase())?,
    };
    let given = match section {
        "Server" => ["listen", "external_url"].contains(&key),
        "Issuer" => ["certificate", "key"].contains(&key),
        _ => key == "issuer",
    };
    let value = table.get(key)?.to_string();
    debug_assert!(section != "Database" || value.contains(&Database::default().url));
    (!given).then_some(value)
}

const HEADER: &str = "\
# Configuration

One TOML file. Unknown keys are refused. Relative paths are relative to the file's folder. `vidimus init --dir DIR` writes
a first one, `vidimus config check --config FILE` reads one, and every file that it
names, and says why it could not be served; `vidimus config show` prints it with every default filled in. This page is generated from the code (`cargo xtask docs`).

Extensions are tables `[extensions.NAME]` with `enabled = true` or `false`. On by themselves: `ari`, `ip`, `profiles`, and `caa` where
`[acme] caa_identities` has a name. Off: `csr-first` ([back-ends.md](back-ends.md)), `dns-account`, `dns-persist`, `subdomains`
([dns-records.md](../protocol/dns-records.md)), `email-reply` ([smime.md](../guides/smime.md)), `email-tls`, `onion` (RFC 9799). Those with settings of their own are below.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        let sections = all_sections();
        assert_eq!(sections.len(), 14);
        for section in sections {
            assert!(section.about.starts_with("`["), "{}", section.name);
            for (key, text) in section.keys {
                assert!(!text.is_empty(), "{}.{key}", section.name);
            }
        }
    }

    #[test]
    fn the_page_shows_defaults() {
        let page = page();
        assert!(page.contains("| `http_port` | `80` |"), "{page}");
        assert!(page.contains("| `lifetime` | `\"90d\"` |"), "{page}");
        assert!(page.contains("| `crl_shards` | `1` |"), "{page}");
        assert!(page.contains("| `certificate` |  |"), "{page}");
    }
}
