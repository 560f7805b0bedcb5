//! `vidimus cert renew`: made for a timer, says little when there is nothing to do.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Output, args::RenewArgs, issue::issued_json, output::error_json, show, until_interrupted};
use crate::{
    clock::{Clock as _, SystemClock},
    error::Error,
    issue::{Issued, Request, issue},
    renewal::RenewalPlan,
    store::{CertificateName, Store},
};

pub(super) async fn run(args: RenewArgs, out: &mut Output) -> ExitCode {
    let (store, names) = match chosen(&args) {
        Ok(chosen) => chosen,
        Err(error) => return out.failed(&error, args.place.json),
    };
    let mut reports = Vec::new();
    let mut has_failed = false;
    for name in names {
        let outcome = renew(&args, &store, &name, out).await;
        if !args.place.json {
            out.result(&line(&name, &outcome));
        }
        if let Err(error) = &outcome {
            has_failed = true;
            out.failed(error, false);
        }
        reports.push(outcome_json(&name, &outcome));
        if matches!(outcome, Err(Error::Interrupted)) {
            break;
        }
    }
    if args.place.json {
        out.json("renewals", reports.into());
    }
    if has_failed {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

fn chosen(args: &RenewArgs) -> Result<(Store, Vec<CertificateName>), Error> {
    let store = args.place.store()?;
    let names = match args.names.is_empty() {
        true => store.names()?,
        false => args.names.clone(),
    };
    Ok((store, names))
}

enum Outcome {
    NotDue(RenewalPlan),
    Due(RenewalPlan),
    /// It came here in some other way, and how to order it again is not known.
    NotOurs,
    Renewed(Box<Issued>),
}

async fn renew(args: &RenewArgs, store: &Store, name: &CertificateName, out: &Output) -> Result<Outcome, Error> {
    let stored = show::find(store, name)?;
    let plan = show::plan(&stored.leaf);
    if !args.force && !plan.is_due(SystemClock.now()) {
        return Ok(Outcome::NotDue(plan));
    }
    let Some(settings) = &stored.settings else {
        return Ok(Outcome::NotOurs);
    };
    if args.dry_run {
        return Ok(Outcome::Due(plan));
    }
    out.note(&format!("{name}: renewing"));
    let mut request = Request::again(name.clone(), settings, store.root());
    request.lock_wait = args.lock_wait;
    request.progress = out.progress();
    until_interrupted(issue(request))
        .await
        .map(|issued| Outcome::Renewed(Box::new(issued)))
}

fn line(name: &CertificateName, outcome: &Result<Outcome, Error>) -> String {
    match outcome {
        Ok(Outcome::NotDue(plan)) => format!("{name}  not due before {}", plan.due),
        Ok(Outcome::Due(plan)) => format!("{name}  due since {}", plan.due),
        Ok(Outcome::NotOurs) => format!("{name}  due, but not ordered from here"),
        Ok(Outcome::Renewed(issued)) => format!("{name}  renewed until {}", issued.not_after()),
        Err(_) => format!("{name}  failed"),
    }
}

fn outcome_json(name: &CertificateName, outcome: &Result<Outcome, Error>) -> Value {
    let planned = |outcome, plan: &RenewalPlan| json!({"name": name, "outcome": outcome, "renewal": plan.due, "notAfter": plan.not_after});
    match outcome {
        Ok(Outcome::NotDue(plan)) => planned("notDue", plan),
        Ok(Outcome::Due(plan)) => planned("due", plan),
        Ok(Outcome::NotOurs) => json!({"name": name, "outcome": "notOurs"}),
        Ok(Outcome::Renewed(issued)) => {
            json!({"name": name, "outcome": "renewed", "certificate": issued_json(issued)})
        }
        Err(error) => json!({"name": name, "outcome": "failed", "error": error_json(error)}),
    }
}
