//! Postfix: `smtpd_banner` and `smtpd_tls_chain_files`, by `postconf -e` and a reload (postconf(5)).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DaemonError, has_words, run, without_words};

/// An instance of Postfix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postfix {
    /// The folder of main.cf, if it is not the usual one.
    pub config: Option<PathBuf>,
    pub postconf: PathBuf,
    pub postfix: PathBuf,
}

impl Postfix {
    /// What main.cf itself says; `None` where it leaves the banner to Postfix.
    pub(super) fn own_banner(&self) -> Result<Option<String>, DaemonError> {
        let said = self.postconf(&["-n", BANNER])?;
        let value = said.strip_prefix(BANNER).map(str::trim_start);
        Ok(value.and_then(|rest| rest.strip_prefix('=')).map(without_words))
    }

    fn banner(&self) -> Result<String, DaemonError> {
        self.postconf(&["-h", BANNER])
    }

    pub(super) fn show(&self, own: Option<&str>, words: &[String]) -> Result<(), DaemonError> {
        let base = match own {
            Some(own) => own.to_owned(),
            None => without_words(&self.banner()?),
        };
        self.set(&format!("{BANNER} = {base} {}", words.join(" ")))?;
        self.reload()
    }

    pub(super) fn undo(&self, own: Option<&str>) -> Result<(), DaemonError> {
        if !has_words(&self.banner()?) {
            return Ok(());
        }
        match own {
            Some(own) => self.set(&format!("{BANNER} = {own}"))?,
            None => self.postconf(&["-X", BANNER]).map(drop)?,
        }
        self.reload()
    }

    pub(super) fn install(&self, fullchain: &Path, key: &Path) -> Result<(), DaemonError> {
        let (fullchain, key) = (fullchain.display(), key.display());
        let known = run(&self.postconf, &self.with_config(&["-h", CHAIN_FILES]))?;
        // Before Postfix 3.4.
        if known.stderr.contains("unknown parameter") {
            self.set(&format!("smtpd_tls_cert_file = {fullchain}"))?;
            self.set(&format!("smtpd_tls_key_file = {key}"))?;
        } else {
            self.set(&format!("{CHAIN_FILES} = {key}, {fullchain}"))?;
        }
        self.reload()
    }

    fn set(&self, setting: &str) -> Result<(), DaemonError> {
        self.postconf(&["-e", setting]).map(drop)
    }

    fn reload(&self) -> Result<(), DaemonError> {
        run(&self.postfix, &self.with_config(&["reload"])).map(drop)
    }

    fn postconf(&self, arguments: &[&str]) -> Result<String, DaemonError> {
        let said = run(&self.postconf, &self.with_config(arguments))?;
        Ok(said.stdout.trim().to_owned())
    }

    fn with_config(&self, arguments: &[&str]) -> Vec<String> {
        let config = self
            .config
            .iter()
            .flat_map(|folder| ["-c".to_owned(), folder.display().to_string()]);
        config
            .chain(arguments.iter().map(|argument| (*argument).to_owned()))
            .collect()
    }
}

const BANNER: &str = "smtpd_banner";
const CHAIN_FILES: &str = "smtpd_tls_chain_files";
