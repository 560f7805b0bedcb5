//! How a mailbox is reached: where it is read, where its mail is sent, and who may.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use client::{Error, commands::seconds};
use mail::message::address::Mailbox;
use serde::{Deserialize, Serialize};

use super::{
    imap::Imap,
    server_url::{MailProtocol, ServerUrl},
    solver::Way,
    submission::Submission,
};
use crate::dns::Recursor;

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(super) struct MailArgs {
    /// Where the mailbox is read: imaps://HOST[:PORT], or imap:// with STARTTLS
    #[arg(long, value_name = "URL", help_heading = "Mailbox")]
    imap: Option<ServerUrl>,
    /// Where its mail is sent: submissions://HOST[:PORT], or submission:// with STARTTLS
    #[arg(long, value_name = "URL", help_heading = "Mailbox")]
    submission: Option<ServerUrl>,
    /// The name there [default: the mailbox]
    #[arg(long, value_name = "NAME", help_heading = "Mailbox")]
    user: Option<String>,
    /// Dial this address, whatever the DNS says of both servers
    #[arg(long, value_name = "ADDR", help_heading = "Mailbox")]
    connect: Option<IpAddr>,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE", help_heading = "Mailbox")]
    password_file: Option<PathBuf>,
    /// A command that prints the password
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with = "password_file",
        help_heading = "Mailbox"
    )]
    password_command: Option<String>,
    /// Trust this certificate for the mail servers
    #[arg(long, value_name = "FILE", help_heading = "Mailbox")]
    mail_ca: Option<PathBuf>,
    /// Read and answer the mail yourself: says what to copy
    #[arg(long, conflicts_with_all = ["imap", "submission", "user"], help_heading = "Mailbox")]
    #[serde(default)]
    paste: bool,
    /// How long the challenge mail is waited for
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds, help_heading = "Mailbox")]
    timeout: Duration,
    /// Ask this resolver instead of the system's
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Mailbox")]
    resolver: Option<SocketAddr>,
}

impl MailArgs {
    /// The same from wherever the next renewal is started.
    pub fn absolute(&self) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Self {
            password_file: self.password_file.as_ref().map(absolute),
            mail_ca: self.mail_ca.as_ref().map(absolute),
            ..self.clone()
        }
    }

    fn password(&self) -> Result<String, Error> {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        if let Some(file) = &self.password_file {
            let read = fs::read_to_string(file);
            return read
                .map(first)
                .map_err(|error| Error::Input(format!("{}: {error}", file.display())));
        }
        if let Some(command) = &self.password_command {
            let ran = std::process::Command::new("sh").args(["-c", command]).output();
            let ran = ran.map_err(|error| Error::Input(format!("--password-command cannot be run: {error}")))?;
            if !ran.status.success() {
                return Err(Error::Input(format!("--password-command ended with {}", ran.status)));
            }
            return Ok(first(String::from_utf8_lossy(&ran.stdout).into_owned()));
        }
        std::env::var("VIDIMUS_MAIL_PASSWORD").map_err(|_| {
            Error::Input(
                "the mailbox's password is not given: --password-file, --password-command, or VIDIMUS_MAIL_PASSWORD in the \
                 environment"
                    .to_owned(),
            )
        })
    }

    pub fn way(&self, mailbox: &Mailbox) -> Result<Way, Error> {
        if self.paste {
            return Ok(Way::Paste);
        }
        let wanted = |url: &Option<ServerUrl>, protocol, flag: &str| match url {
            Some(url) if url.protocol == protocol => Ok(url.clone()),
            Some(url) => Err(Error::Input(format!("{flag}: {url} speaks another protocol"))),
            None => Err(Error::Input(format!(
                "{flag} is not given: say where the mailbox is, or answer the mail yourself with --paste"
            ))),
        };
        let imap = wanted(&self.imap, MailProtocol::Imap, "--imap")?;
        let submission = wanted(&self.submission, MailProtocol::Submission, "--submission")?;
        let (user, password) = (
            self.user.clone().unwrap_or_else(|| mailbox.to_string()),
            self.password()?,
        );
        let ca = self.mail_ca.as_ref().map(fs::read).transpose();
        let ca = ca.map_err(|error| Error::Input(format!("--mail-ca: {error}")))?;
        let resolver = super::resolver(self.resolver).map_err(Error::Input)?;
        Ok(Way::Mailbox {
            imap: Box::new(Imap {
                server: imap,
                connect: self.connect,
                user: user.clone(),
                password: password.clone(),
                ca: ca.clone(),
            }),
            submission: Box::new(Submission {
                server: submission,
                connect: self.connect,
                user,
                password,
                ca,
            }),
            resolver: Recursor::new(resolver),
            patience: self.timeout,
        })
    }
}
