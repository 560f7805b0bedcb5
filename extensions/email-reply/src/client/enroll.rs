//! `vidimus smime enroll`: a certificate for one's own mailbox.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use client::{
    Error, Identifier, KeyType, Request, Wanted,
    commands::{Output, PlaceArgs, RegistrationArgs, ServerArgs, issued_json, seconds, until_interrupted},
    issue,
    store::CertificateName,
};
use mail::message::address::Mailbox;

use super::{access::MailArgs, settings::Settings};

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

pub(super) async fn run(args: EnrollArgs, out: &Output) -> ExitCode {
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
