//! `vidimus smime enroll` and `renew`: a certificate for one's own mailbox.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use client::{
    Error, Identifier, KeyType, Renewal, Request, Solver, Wanted,
    commands::{
        Output, PlaceArgs, RegistrationArgs, ServerArgs, issued_json, renewal_json, renewal_line, seconds,
        until_interrupted,
    },
    issue, renew,
    store::{CertificateName, Store},
};
use mail::message::address::Mailbox;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    imap::Imap,
    server_url::{MailProtocol, ServerUrl},
    solver::{ReplySolver, Way},
    submission::Submission,
};
use crate::dns::Recursor;

#[derive(Clone, Debug, Args)]
pub(super) struct EnrollArgs {
    #[arg(value_name = "MAILBOX", value_parser = super::mailbox)]
    mailbox: Mailbox,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    mail: MailArgs,
    /// The profile of the order
    #[arg(long, value_name = "NAME", default_value = "smime")]
    profile: String,
    /// ec256, ec384, rsa2048, …
    #[arg(long, value_name = "TYPE", default_value = "ec256")]
    key_type: KeyType,
    #[command(flatten)]
    registration: RegistrationArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// How long to wait for another command that uses the folder
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    lock_wait: Duration,
}

/// How the mailbox is reached.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
struct MailArgs {
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

#[derive(Clone, Debug, Args)]
pub(super) struct RenewArgs {
    /// Renew now, whatever its dates
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: PlaceArgs,
    /// How long to wait for another command that uses the folder
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    lock_wait: Duration,
}

/// What a renewal needs to know.
#[derive(Serialize, Deserialize)]
struct Settings {
    mailbox: String,
    mail: MailArgs,
}

pub(super) async fn enroll(args: EnrollArgs, out: &Output) -> ExitCode {
    let as_json = args.place.json;
    match until_interrupted(enrolled(args, out)).await {
        Ok(issued) => {
            match as_json {
                true => out.json("certificate", issued_json(&issued)),
                false => {
                    out.result(&format!("certificate {}", issued.files.fullchain.display()));
                    if let Some(key) = &issued.files.privkey {
                        out.result(&format!("key         {}", key.display()));
                    }
                    out.result(&format!("expires     {}", issued.not_after()));
                }
            }
            out.note("renew it with `vidimus smime renew`, from a timer");
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, as_json),
    }
}

async fn enrolled(args: EnrollArgs, out: &Output) -> Result<client::Issued, Error> {
    let store = args.place.store()?;
    let identifier: Identifier = args
        .mailbox
        .to_string()
        .parse()
        .map_err(|error| Error::Input(format!("{error}")))?;
    let name = CertificateName::of(&identifier);
    let settings = Settings {
        mailbox: args.mailbox.to_string(),
        mail: args.mail.absolute(),
    };
    let mut request = Request::new(
        args.server.server.clone(),
        store.root(),
        Wanted::Names {
            identifiers: vec![identifier],
            key_type: args.key_type,
            reuse_key: false,
        },
        Vec::new(),
    );
    request.other_solvers = vec![settings.solver(store.root())?];
    request.transport = args.server.trust.transport();
    request.name = Some(name.clone());
    request.account_key_type = args.registration.account_key_type;
    request.registration = args.registration.clone().registration()?;
    request.command = Some("smime".to_owned());
    request.profile = Some(args.profile.clone());
    request.lock_wait = args.lock_wait;
    request.progress = out.progress();
    let issued = issue(request).await?;
    settings.save(store.root(), &issued.name)?;
    Ok(issued)
}

pub(super) async fn renew_command(args: RenewArgs, out: &Output) -> ExitCode {
    let as_json = args.place.json;
    let (mut reports, mut has_failed) = (Vec::new(), false);
    let due = || {
        let store = args.place.store()?;
        let names = store.names()?;
        Ok::<_, Error>((store, names))
    };
    let (store, names) = match due() {
        Ok(due) => due,
        Err(error) => return out.failed(&error, as_json),
    };
    for name in names {
        let outcome = match Settings::load(store.root(), &name) {
            Ok(None) => continue,
            Ok(Some(settings)) => until_interrupted(renewed(&args, &store, &name, &settings, out)).await,
            Err(error) => Err(error),
        };
        if !as_json {
            out.result(&renewal_line(&name, &outcome));
        }
        if let Err(error) = &outcome {
            has_failed = true;
            out.failed(error, false);
        }
        reports.push(renewal_json(&name, &outcome));
    }
    if as_json {
        out.json("renewals", json!(reports));
    } else if reports.is_empty() {
        out.note("no certificate here was ordered by `vidimus smime enroll`");
    }
    match has_failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

async fn renewed(
    args: &RenewArgs,
    store: &Store,
    name: &CertificateName,
    settings: &Settings,
    out: &Output,
) -> Result<client::Renewed, Error> {
    let renewal = Renewal {
        force: args.force,
        command: Some("smime".to_owned()),
        lock_wait: args.lock_wait,
        progress: out.progress(),
        other_solvers: vec![settings.solver(store.root())?],
        ..Renewal::default()
    };
    renew(store, name, &renewal).await
}

impl MailArgs {
    /// The same from wherever the next renewal is started.
    fn absolute(&self) -> Self {
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

    fn way(&self, mailbox: &Mailbox) -> Result<Way, Error> {
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

impl Settings {
    fn solver(&self, root: &Path) -> Result<Arc<dyn Solver>, Error> {
        let mailbox = Mailbox::parse(&self.mailbox).map_err(|error| Error::Input(error.to_string()))?;
        let folder = folder(root);
        fs::create_dir_all(&folder).map_err(|error| Error::Input(format!("{}: {error}", folder.display())))?;
        Ok(Arc::new(ReplySolver {
            way: Arc::new(self.mail.way(&mailbox)?),
            mailbox,
            answered: folder.join("answered"),
        }))
    }

    /// How to get the password is in it, the password never.
    fn save(&self, root: &Path, name: &CertificateName) -> Result<(), Error> {
        let path = path(root, name);
        let write = || fs::write(&path, serde_json::to_vec_pretty(self).map_err(io::Error::other)?);
        write().map_err(|error| Error::Input(format!("{}: {error}", path.display())))
    }

    fn load(root: &Path, name: &CertificateName) -> Result<Option<Self>, Error> {
        let path = path(root, name);
        let wrong = |what: String| Error::Input(format!("{}: {what}", path.display()));
        match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join("smime")
}

fn path(root: &Path, name: &CertificateName) -> PathBuf {
    folder(root).join(format!("{name}.json"))
}
