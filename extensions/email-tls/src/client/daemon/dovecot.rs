//! Dovecot: `login_greeting`, `imap_capability`, `ssl_cert` and `ssl_key`, in a block of its configuration, and a reload.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{super::kind::drafted, DaemonError, block, run, without_words};

/// An instance of Dovecot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dovecot {
    /// Its main configuration file.
    pub config: PathBuf,
    pub doveconf: PathBuf,
    pub doveadm: PathBuf,
}

impl Dovecot {
    pub(super) fn greeting(&self) -> Result<String, DaemonError> {
        let said = run(&self.doveconf, &self.with_config(&["-h", GREETING]))?;
        Ok(without_words(said.stdout.trim()))
    }

    /// Where our settings go: a file of our own where the configuration takes such, else its end, where they win too.
    pub(super) fn file(&self) -> Result<PathBuf, DaemonError> {
        let text = block::read(&self.config)?.unwrap_or_default();
        let takes_files = text.lines().any(|line| {
            let mut words = line.split_ascii_whitespace();
            matches!(words.next(), Some("!include" | "!include_try")) && words.next() == Some("conf.d/*.conf")
        });
        Ok(match takes_files {
            true => self.config.with_file_name("conf.d").join("99-vidimus.conf"),
            false => self.config.clone(),
        })
    }

    pub(super) fn show(&self, greeting: &str, file: &Path, words: &[String]) -> Result<(), DaemonError> {
        let (listed, greeted): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| drafted(word).is_some());
        let mut settings = String::new();
        if !greeted.is_empty() {
            settings.push_str(&format!("{GREETING} = {greeting}{}\n", after(&greeted)));
        }
        if !listed.is_empty() {
            settings.push_str(&format!("{CAPABILITY} = {}{}\n", self.capability()?, after(&listed)));
        }
        block::put(file, CHALLENGE, Some(&settings))?;
        self.reload()
    }

    /// What the administrator has set; where that is nothing, a plus adds to what Dovecot says by itself.
    fn capability(&self) -> Result<String, DaemonError> {
        let said = run(&self.doveconf, &self.with_config(&["-h", CAPABILITY]))?;
        let own: Vec<&str> = said
            .stdout
            .split_ascii_whitespace()
            .filter(|atom| drafted(atom).is_none())
            .collect();
        Ok(match own.is_empty() {
            true => "+".to_owned(),
            false => own.join(" "),
        })
    }

    pub(super) fn undo(&self, file: &Path) -> Result<(), DaemonError> {
        match block::put(file, CHALLENGE, None)? {
            true => self.reload(),
            false => Ok(()),
        }
    }

    pub(super) fn install(&self, fullchain: &Path, key: &Path) -> Result<(), DaemonError> {
        let (fullchain, key) = (fullchain.display(), key.display());
        let said = run(&self.doveconf, &self.with_config(&["-n"]))?;
        // Its first line names the version: `# 2.4.0 (…): /etc/dovecot/dovecot.conf`.
        let version = said.stdout.trim_start_matches(['#', ' ']);
        let is_old = ["1.", "2.0", "2.1", "2.2", "2.3"]
            .iter()
            .any(|old| version.starts_with(old));
        let setting = match is_old {
            true => format!("ssl_cert = <{fullchain}\nssl_key = <{key}\n"),
            false => format!("ssl_server_cert_file = {fullchain}\nssl_server_key_file = {key}\n"),
        };
        block::put(&self.file()?, CERTIFICATE, Some(&setting))?;
        self.reload()
    }

    fn reload(&self) -> Result<(), DaemonError> {
        run(&self.doveadm, &self.with_config(&["reload"])).map(drop)
    }

    fn with_config(&self, arguments: &[&str]) -> Vec<String> {
        let config = ["-c".to_owned(), self.config.display().to_string()];
        config
            .into_iter()
            .chain(arguments.iter().map(|argument| (*argument).to_owned()))
            .collect()
    }
}

fn after(words: &[&String]) -> String {
    words.iter().map(|word| format!(" {word}")).collect()
}

const GREETING: &str = "login_greeting";
const CAPABILITY: &str = "imap_capability";
const CHALLENGE: &str = "challenge";
const CERTIFICATE: &str = "certificate";
