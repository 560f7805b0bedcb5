//! `vidimus cert list`

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Output,
    args::ListArgs,
    show::{names, stored_json},
};
use crate::{
    clock::{Clock as _, SystemClock},
    error::Error,
    store::{Store, Stored},
};

pub(super) fn run(args: &ListArgs, out: &mut Output) -> ExitCode {
    let (certificates, damaged) = match args.place.store().and_then(|store| all(&store)) {
        Ok(found) => found,
        Err(error) => return out.failed(&error, args.place.json),
    };
    for error in &damaged {
        out.failed(error, false);
    }
    if args.place.json {
        out.json(
            "certificates",
            certificates.iter().map(stored_json).collect::<Vec<Value>>().into(),
        );
    } else if certificates.is_empty() && damaged.is_empty() {
        out.note("there are no certificates in this folder");
    } else {
        certificates.iter().for_each(|stored| out.result(&line(stored)));
    }
    if damaged.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// One damaged certificate does not hide the others.
fn all(store: &Store) -> Result<(Vec<Stored>, Vec<Error>), Error> {
    let (mut certificates, mut damaged) = (Vec::new(), Vec::new());
    for name in store.names()? {
        match store.stored(&name) {
            Ok(stored) => certificates.extend(stored),
            Err(error) => damaged.push(error.into()),
        }
    }
    Ok((certificates, damaged))
}

fn line(stored: &Stored) -> String {
    let (now, plan) = (SystemClock.now(), stored.plan());
    let state = match (plan.is_expired(now), plan.is_due(now)) {
        (true, _) => "expired",
        (false, true) => "due",
        (false, false) => "good",
    };
    format!("{}  {state} until {}  {}", stored.name, plan.not_after, names(stored))
}
