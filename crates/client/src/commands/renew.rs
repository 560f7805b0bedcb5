//! `vidimus cert renew`: made for a timer, says little when there is nothing to do.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Output, args::RenewArgs, issue::issued_json, output::error_json, until_interrupted};
use crate::{
    error::Error,
    renew::{self, Renewal, Renewed},
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
        let renewal = Renewal {
            force: args.force,
            dry_run: args.dry_run,
            lock_wait: args.lock_wait,
            progress: out.progress(),
            ..Renewal::default()
        };
        let outcome = until_interrupted(renew::renew(&store, &name, &renewal)).await;
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

pub fn line(name: &CertificateName, outcome: &Result<Renewed, Error>) -> String {
    match outcome {
        Ok(Renewed::NotDue(plan)) => format!("{name}  not due before {}", plan.due),
        Ok(Renewed::Due(plan)) => format!("{name}  due since {}", plan.due),
        Ok(Renewed::Resting { until, .. }) => format!("{name}  failed lately, not tried before {until}"),
        Ok(Renewed::NotOurs) => format!("{name}  due, but not ordered from here"),
        Ok(Renewed::By(command)) => format!("{name}  left to `vidimus {command} renew`"),
        Ok(Renewed::Renewed(issued)) => format!("{name}  renewed until {}", issued.not_after()),
        Err(_) => format!("{name}  failed"),
    }
}

pub fn outcome_json(name: &CertificateName, outcome: &Result<Renewed, Error>) -> Value {
    let planned = |outcome, plan: &RenewalPlan| json!({"name": name, "outcome": outcome, "renewal": plan.due, "notAfter": plan.not_after});
    match outcome {
        Ok(Renewed::NotDue(plan)) => planned("notDue", plan),
        Ok(Renewed::Due(plan)) => planned("due", plan),
        Ok(Renewed::Resting { plan, until }) => {
            let mut value = planned("resting", plan);
            value["until"] = json!(until);
            value
        }
        Ok(Renewed::NotOurs) => json!({"name": name, "outcome": "notOurs"}),
        Ok(Renewed::By(command)) => json!({"name": name, "outcome": "left", "to": command}),
        Ok(Renewed::Renewed(issued)) => {
            json!({"name": name, "outcome": "renewed", "certificate": issued_json(issued)})
        }
        Err(error) => json!({"name": name, "outcome": "failed", "error": error_json(error)}),
    }
}
