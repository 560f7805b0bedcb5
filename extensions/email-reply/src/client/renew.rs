//! `vidimus smime renew`: what is due, proved as it was the first time.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use client::{
    Error, Renewal,
    commands::{Output, PlaceArgs, renewal_json, renewal_line, seconds, until_interrupted},
    renew,
    store::{CertificateName, Store},
};
use serde_json::json;

use super::settings::Settings;

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

pub(super) async fn run(args: RenewArgs, out: &Output) -> ExitCode {
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
