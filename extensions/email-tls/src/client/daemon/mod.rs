//! The mail programs: how their greeting is changed, how they get a certificate, how they are told.

mod block;
mod dovecot;
mod postfix;
mod words_file;

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

pub(super) use block::replace;
pub use dovecot::Dovecot;
pub use postfix::Postfix;
pub use words_file::WordsFile;

use super::kind::Place;
use crate::service::{Protocol, Service};

/// A mail program of this machine, as its administrator said where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Daemon {
    Postfix(Postfix),
    Dovecot(Dovecot),
    /// What reads its words from a file: Exim, the proxy.
    WordsFile(WordsFile),
}

/// What was found before anything was changed: enough to undo it in another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Postfix {
        postfix: Postfix,
        /// What main.cf said, if anything.
        banner: Option<String>,
    },
    Dovecot {
        dovecot: Dovecot,
        greeting: String,
        file: PathBuf,
    },
    WordsFile(WordsFile),
}

impl Daemon {
    /// Whose greeting it sends.
    fn greets(&self, service: Service) -> bool {
        match (self, service.protocol()) {
            (Self::Postfix(_), protocol) => protocol == Protocol::Smtp,
            (Self::Dovecot(_), protocol) => matches!(protocol, Protocol::Imap | Protocol::Pop3 | Protocol::Lmtp),
            // Sieve greets with capabilities alone.
            (Self::WordsFile(_), protocol) => protocol != Protocol::Sieve,
        }
    }

    /// Whether it can be made to show a word for a service there.
    pub fn shows(&self, place: Place, service: Service) -> bool {
        match place {
            Place::Greeting => self.greets(service),
            Place::Capability => match self {
                Self::Postfix(_) => false,
                Self::Dovecot(_) => service.protocol() == Protocol::Imap,
                Self::WordsFile(_) => service.protocol() != Protocol::Sieve,
            },
            Place::Record => false,
        }
    }

    /// What is there now. Nothing is changed.
    pub fn before(&self) -> Result<Change, DaemonError> {
        Ok(match self {
            Self::Postfix(postfix) => Change::Postfix {
                banner: postfix.own_banner()?,
                postfix: postfix.clone(),
            },
            Self::Dovecot(dovecot) => Change::Dovecot {
                greeting: dovecot.greeting()?,
                file: dovecot.file()?,
                dovecot: dovecot.clone(),
            },
            Self::WordsFile(file) => Change::WordsFile(file.clone()),
        })
    }

    /// Points it to a key and a chain, and tells it. Words files have none.
    pub fn install(&self, fullchain: &Path, key: &Path) -> Result<(), DaemonError> {
        match self {
            Self::Postfix(postfix) => postfix.install(fullchain, key),
            Self::Dovecot(dovecot) => dovecot.install(fullchain, key),
            Self::WordsFile(_) => Ok(()),
        }
    }
}

impl Change {
    /// Puts words beside what the program says, and tells it.
    pub fn show(&self, words: &[String]) -> Result<(), DaemonError> {
        match self {
            Self::Postfix { postfix, banner } => postfix.show(banner.as_deref(), words),
            Self::Dovecot {
                dovecot,
                greeting,
                file,
            } => dovecot.show(greeting, file, words),
            Self::WordsFile(file) => file.show(words),
        }
    }

    /// Brings back what was there, unless somebody else has changed it since.
    pub fn undo(&self) -> Result<(), DaemonError> {
        match self {
            Self::Postfix { postfix, banner } => postfix.undo(banner.as_deref()),
            Self::Dovecot { dovecot, file, .. } => dovecot.undo(file),
            Self::WordsFile(file) => file.undo(),
        }
    }
}

/// How many words fit beside a greeting in the 512 octets of a reply (RFC 5321 §4.5.3.1.5, RFC 1939 §3).
pub fn most_words() -> usize {
    (LONGEST_REPLY - LONGEST_GREETING) / LONGEST_WORD
}

const LONGEST_REPLY: usize = 512;
/// Its code, its host's name and what the program says of itself.
const LONGEST_GREETING: usize = 140;
/// `acme-mail-01=`, 43 characters and a blank.
const LONGEST_WORD: usize = 13 + 43 + 1;

/// Why a mail program was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("{program} cannot be run: {source}; say where it is, or run as who may")]
    Start { program: String, source: io::Error },
    #[error("{call} ended with {status}{}", said(stderr))]
    Failed {
        call: String,
        status: String,
        stderr: String,
    },
    #[error("{} cannot be changed: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

fn said(stderr: &str) -> String {
    match client::printable(stderr) {
        text if text.is_empty() => String::new(),
        text => format!(" and said: {text}"),
    }
}

/// What a program printed, and what it complained about.
struct Said {
    stdout: String,
    stderr: String,
}

fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<Said, DaemonError> {
    let shown = program.display().to_string();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| DaemonError::Start {
            program: shown.clone(),
            source,
        })?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let words: Vec<_> = arguments
            .iter()
            .map(|argument| argument.as_ref().to_string_lossy())
            .collect();
        return Err(DaemonError::Failed {
            call: format!("{shown} {}", words.join(" ")),
            status: output.status.to_string(),
            stderr,
        });
    }
    Ok(Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr,
    })
}

/// A greeting without words of ours that a lost journal has left.
fn without_words(greeting: &str) -> String {
    let is_ours = |word: &str| {
        word.get(..crate::value::GREETING.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(crate::value::GREETING))
    };
    match greeting.split_ascii_whitespace().any(is_ours) {
        true => greeting
            .split_ascii_whitespace()
            .filter(|word| !is_ours(word))
            .collect::<Vec<_>>()
            .join(" "),
        false => greeting.trim().to_owned(),
    }
}

fn has_words(greeting: &str) -> bool {
    without_words(greeting) != greeting.trim()
}
