//! `vidimus mail`: certificates for the mail services of a host, from a look at them to the look at what was installed.

mod args;
mod daemon;
mod deploy;
mod install;
mod issue;
mod journal;
mod kind;
mod lookup;
mod proxy;
mod publish;
mod records;
mod renew;
mod scan;
mod session;
mod settings;
mod solver;
#[cfg(test)]
mod tests;
mod tlsa;
mod verdict;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use client::{
    Clock as _, Error, SystemClock,
    commands::Output,
    solver::SolverError,
    store::{Lock, Store},
};
use journal::Journal;
use serde_json::json;

/// Certificates for mail services: look, order, install, renew
#[derive(Clone, Debug, Args)]
pub struct MailCommand {
    #[command(subcommand)]
    verb: MailVerb,
}

#[derive(Clone, Debug, Subcommand)]
enum MailVerb {
    /// Show what listens at a host, its TLS, its certificates and for whom they are good; needs no CA
    Scan(args::ScanArgs),
    /// Order one certificate for the mail services of a host, prove it in their greetings, install it in all of them
    Issue(Box<args::MailIssueArgs>),
    /// Install a certificate that is here in mail programs, and look whether every port shows it
    Install(args::InstallArgs),
    /// Renew and install what is due
    Renew(args::MailRenewArgs),
    /// Bring back greetings that a run that was killed has left changed; every other mail command does so too
    Restore(args::RestoreArgs),
    /// Pass sessions through and put words in, in front of a program whose greeting cannot be changed
    Proxy(proxy::ProxyArgs),
    /// Print or publish the TLSA records of a host's mail services (RFC 6698, RFC 7672)
    Tlsa(tlsa::TlsaArgs),
}

impl MailCommand {
    pub async fn run(self, out: &mut Output) -> ExitCode {
        match self.verb {
            MailVerb::Scan(args) => scan_command(args, out).await,
            MailVerb::Issue(args) => issue::run(*args, out).await,
            MailVerb::Install(args) => install::run(args, out).await,
            MailVerb::Renew(args) => renew::run(args, out).await,
            MailVerb::Restore(args) => restore(&args, out).await,
            MailVerb::Proxy(args) => proxy::run(args, out).await,
            MailVerb::Tlsa(args) => tlsa::run(args, out).await,
        }
    }
}

async fn scan_command(args: args::ScanArgs, out: &Output) -> ExitCode {
    let lookup = args.look.lookup();
    let scanned = scan::scan(&lookup, &args.host, args.domain.as_deref(), &args.look.services.0).await;
    let scan = match scanned {
        Ok(scan) => scan,
        Err(what) => return out.failed(&failure(what), args.json),
    };
    let now = SystemClock.now();
    if args.json {
        out.json("mail", scan.json(now));
    } else {
        for line in scan.lines(now) {
            out.result(&line);
        }
    }
    match scan.is_good(now) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn restore(args: &args::RestoreArgs, out: &Output) -> ExitCode {
    let restored = async {
        let store = args.place.store()?;
        let _lock = alone(&store, Duration::from_secs(60), out).await?;
        Journal::of(store.root()).undo().map_err(failure)
    };
    match restored.await {
        Ok(changes) => {
            match args.place.json {
                true => out.json("restored", json!(changes)),
                false => out.result(&format!("{changes} greetings brought back")),
            }
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, args.place.json),
    }
}

/// Greetings are one per program, not one per certificate: only one run at a time changes them, and what the last one left is
/// brought back first.
async fn prepare(store: &Store, patience: Duration, out: &Output) -> Result<(Lock, Journal), Error> {
    let lock = alone(store, patience, out).await?;
    let journal = Journal::of(store.root());
    let undone = {
        let journal = journal.clone();
        tokio::task::spawn_blocking(move || journal.undo())
            .await
            .map_err(failure)?
            .map_err(failure)?
    };
    if undone > 0 {
        out.note(&format!(
            "brought back {undone} greetings that an earlier run has left changed"
        ));
    }
    Ok((lock, journal))
}

async fn alone(store: &Store, patience: Duration, out: &Output) -> Result<Lock, Error> {
    // No certificate can be called so.
    let lock = store.lock("mail greetings", patience, &SystemClock, |who| {
        out.note(&format!("waiting: {who}"));
    });
    Ok(lock.await?)
}

/// What is kept about mail, in the store's folder.
fn folder(root: &Path) -> PathBuf {
    root.join("mail")
}

/// For its owner alone.
fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Something of this command's own went wrong.
fn failure(what: impl ToString) -> Error {
    SolverError::Other {
        what: what.to_string(),
        next: None,
    }
    .into()
}
