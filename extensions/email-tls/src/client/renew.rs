//! `vidimus mail renew`: what is due, ordered as it was the first time and installed where it was.

use std::{process::ExitCode, sync::Arc};

use client::{
    Clock, Error, Renewal, Renewed, SystemClock,
    commands::{Output, renewal_json, renewal_line, until_interrupted},
    renew,
    store::{CertificateName, Store},
};
use serde_json::json;

use super::{
    args::MailRenewArgs,
    failure,
    issue::{deployed, listening, solvers},
    journal::Journal,
    prepare,
    settings::MailSettings,
    tlsa,
};

pub(super) async fn run(args: MailRenewArgs, out: &Output) -> ExitCode {
    let prepared = async {
        let store = args.place.store()?;
        let (lock, journal) = prepare(&store, args.lock_wait, out).await?;
        let names = chosen(&args, &store)?;
        Ok((store, lock, journal, names))
    };
    let (store, _lock, journal, names) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return out.failed(&error, args.place.json),
    };
    let (mut reports, mut has_failed) = (Vec::new(), false);
    for (name, settings) in names {
        let (outcome, lines) = match until_interrupted(one(&args, &store, &name, &settings, &journal, out)).await {
            Ok((renewed, lines)) => (Ok(renewed), lines),
            Err(error) => (Err(error), Vec::new()),
        };
        if !args.place.json {
            out.result(&renewal_line(&name, &outcome));
            lines.iter().for_each(|line| out.result(&format!("  {line}")));
        }
        if let Err(error) = &outcome {
            has_failed = true;
            out.failed(error, false);
        }
        reports.push(renewal_json(&name, &outcome));
        if matches!(outcome, Err(Error::Interrupted)) {
            break;
        }
    }
    if args.place.json {
        out.json("renewals", json!(reports));
    }
    match has_failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// Those that are named, or all that a mail command has ordered.
fn chosen(args: &MailRenewArgs, store: &Store) -> Result<Vec<(CertificateName, MailSettings)>, Error> {
    let names = match args.names.is_empty() {
        true => store.names()?,
        false => args.names.clone(),
    };
    let mut chosen = Vec::new();
    for name in names {
        match MailSettings::load(store.root(), &name).map_err(failure)? {
            Some(settings) => chosen.push((name, settings)),
            None if args.names.is_empty() => {}
            None => {
                return Err(Error::Input(format!(
                    "{name} was not ordered or installed by `vidimus mail`: use `vidimus cert renew`"
                )));
            }
        }
    }
    Ok(chosen)
}

async fn one(
    args: &MailRenewArgs,
    store: &Store,
    name: &CertificateName,
    settings: &MailSettings,
    journal: &Journal,
    out: &Output,
) -> Result<(Renewed, Vec<String>), Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut renewal = Renewal {
        force: args.force,
        command: Some("mail".to_owned()),
        dry_run: args.dry_run,
        lock_wait: args.lock_wait,
        progress: out.progress(),
        ..Renewal::default()
    };
    // That nothing listens is no matter as long as nothing is due.
    let listening = listening(settings).await;
    let there = listening.as_deref().unwrap_or_default();
    let stored = store.stored(name)?;
    let ordered = stored
        .and_then(|stored| stored.settings)
        .map(|settings| settings.identifiers);
    renewal.other_solvers = solvers(
        settings,
        journal.clone(),
        &store.ledger(name),
        there,
        &ordered.unwrap_or_default(),
        &clock,
    );
    renewal.key = tlsa::next_key(store, name, clock.now())?;
    let renewed = renew(store, name, &renewal).await?;
    let lines = match &renewed {
        Renewed::Renewed(issued) => {
            tlsa::next_key_used(store, name, issued.chain.leaf().spki_der())?;
            deployed(settings, issued, &listening?, &clock).await?
        }
        _ => Vec::new(),
    };
    Ok((renewed, lines))
}
