//! `vidimus smime`: certificates for mailboxes, and whether a mailbox could have one.

mod access;
mod answered;
mod doctor;
mod domain_findings;
mod enroll;
mod imap;
mod keys;
mod message;
mod paste;
mod renew;
mod report;
mod server_url;
mod settings;
mod solver;
mod submission;
#[cfg(test)]
mod tests;

use std::{fs, io::Read as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use client::{Clock as _, Error, SystemClock, commands::Output, printable, solver::SolverError};
use mail::message::{MAX_MESSAGE, address::Mailbox, with_crlf};

use self::doctor::Case;
use crate::dns::Recursor;

/// Certificates for mailboxes, proved by a mail that is answered
#[derive(Clone, Debug, Args)]
pub struct SmimeCommand {
    #[command(subcommand)]
    verb: SmimeVerb,
}

#[derive(Clone, Debug, Subcommand)]
enum SmimeVerb {
    /// Order a certificate for a mailbox and answer the challenge mail, by IMAP and submission or by hand
    Enroll(Box<enroll::EnrollArgs>),
    /// Renew those that are due
    Renew(renew::RenewArgs),
    /// Say whether a certificate by mail reply (RFC 8823) would work for a mailbox, and what to mend; needs no CA
    Doctor(DoctorArgs),
}

#[derive(Clone, Debug, Args)]
struct DoctorArgs {
    #[arg(value_name = "MAILBOX", value_parser = mailbox)]
    mailbox: Mailbox,
    /// A message that the mailbox has just sent to elsewhere, as it arrived there, with every header field
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// A DKIM selector of the domain, whose key is looked at; may be repeated
    #[arg(long = "selector", value_name = "S", value_parser = keys::selector)]
    selectors: Vec<String>,
    /// Ask this resolver instead of the system's
    #[arg(long, value_name = "ADDR:PORT")]
    resolver: Option<SocketAddr>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl SmimeCommand {
    pub async fn run(self, out: &mut Output) -> ExitCode {
        match self.verb {
            SmimeVerb::Enroll(args) => enroll::run(*args, out).await,
            SmimeVerb::Renew(args) => renew::run(args, out).await,
            SmimeVerb::Doctor(args) => doctor_command(args, out).await,
        }
    }
}

async fn doctor_command(args: DoctorArgs, out: &Output) -> ExitCode {
    let message = match args.message.as_ref().map(read).transpose() {
        Ok(message) => message,
        Err(what) => return wrong_usage(what, args.json, out),
    };
    let dns = match resolver(args.resolver) {
        Ok(resolver) => Recursor::new(resolver),
        Err(what) => return wrong_usage(what, args.json, out),
    };
    let case = Case {
        mailbox: &args.mailbox,
        message: message.as_deref(),
        selectors: &args.selectors,
        now: SystemClock.now(),
    };
    let report = case.report(&dns).await;
    match args.json {
        true => out.json("doctor", report.json()),
        false => report.lines().iter().for_each(|line| out.result(&printable(line))),
    }
    match report.works() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn wrong_usage(what: String, as_json: bool, out: &Output) -> ExitCode {
    let error: Error = SolverError::Other { what, next: None }.into();
    out.failed(&error, as_json);
    ExitCode::from(2)
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).map_err(|error| error.to_string())
}

/// Files of Maildir end their lines with LF alone.
fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    let failed = |error| {
        format!(
            "{} cannot be read: {error}; name a file that holds one message",
            path.display()
        )
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mut octets = Vec::new();
    file.take(MAX_MESSAGE as u64 + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    match octets.len() > MAX_MESSAGE {
        true => Err(format!(
            "{} has more than {MAX_MESSAGE} octets; send a short text without attachments, and give that",
            path.display()
        )),
        false => Ok(with_crlf(&octets)),
    }
}

fn resolver(given: Option<SocketAddr>) -> Result<SocketAddr, String> {
    validation::dns_client::resolver(given)
        .ok_or_else(|| "the system names no resolver; give --resolver ADDR:PORT".to_owned())
}
