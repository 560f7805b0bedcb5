//! `vidimus cert show`

use std::process::ExitCode;

use pkix::certificate::Certificate;
use serde_json::{Value, json};

use super::{Output, args::ShowArgs};
use crate::{
    clock::{Clock as _, SystemClock},
    error::Error,
    identifier::Identifier,
    printable::printable,
    renewal::RenewalPlan,
    store::{CertificateName, Files, Store, StoreError, Stored},
};

pub(super) fn run(args: &ShowArgs, out: &mut Output) -> ExitCode {
    let stored = match args.place.store().and_then(|store| find(&store, &args.name)) {
        Ok(stored) => stored,
        Err(error) => return out.failed(&error, args.place.json),
    };
    if args.place.json {
        out.json("certificate", stored_json(&stored));
        return ExitCode::SUCCESS;
    }
    let server = stored.settings.as_ref().map_or("unknown", |settings| &settings.server);
    let key = stored
        .files
        .privkey
        .as_ref()
        .map_or("elsewhere".to_owned(), |path| path.display().to_string());
    let lines = [
        ("name", stored.name.to_string()),
        ("names", names(&stored)),
        ("serial", stored.leaf.serial().to_string()),
        ("issuer", issuer(&stored.leaf)),
        ("from", stored.leaf.not_before().to_string()),
        ("until", stored.leaf.not_after().to_string()),
        ("renewal", renewal(&stored)),
        ("server", server.to_owned()),
        ("fullchain", stored.files.fullchain.display().to_string()),
        ("key", key),
    ];
    for (what, value) in lines {
        out.result(&format!("{what:<10}{value}"));
    }
    ExitCode::SUCCESS
}

pub(super) fn find(store: &Store, name: &CertificateName) -> Result<Stored, Error> {
    Ok(store
        .stored(name)?
        .ok_or_else(|| StoreError::NoCertificate(name.to_string()))?)
}

pub(super) fn names(stored: &Stored) -> String {
    stored
        .identifiers()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// When, and why if the CA says so.
fn renewal(stored: &Stored) -> String {
    let suggestion = stored.renewal.suggestion.as_ref();
    match suggestion.and_then(|suggestion| suggestion.explanation_url.as_deref()) {
        Some(url) => format!("{} (see {})", stored.plan().due, printable(url)),
        None => stored.plan().due.to_string(),
    }
}

fn issuer(leaf: &Certificate) -> String {
    printable(&leaf.issuer().to_string())
}

pub(super) fn stored_json(stored: &Stored) -> Value {
    let mut value = certificate_json(&stored.name, &stored.leaf, &stored.files, &stored.plan());
    value["server"] = json!(stored.settings.as_ref().map(|settings| &settings.server));
    value
}

/// What `issue`, `list`, `show` and `renew` say alike of a certificate.
pub(super) fn certificate_json(name: &CertificateName, leaf: &Certificate, files: &Files, plan: &RenewalPlan) -> Value {
    let identifiers: Vec<Identifier> = leaf.names().iter().filter_map(Identifier::read_general_name).collect();
    json!({
        "name": name,
        "identifiers": identifiers,
        "serial": leaf.serial().to_string(),
        "issuer": issuer(leaf),
        "notBefore": leaf.not_before(),
        "notAfter": leaf.not_after(),
        "renewal": plan.due,
        "due": plan.is_due(SystemClock.now()),
        "files": {
            "cert": files.cert,
            "chain": files.chain,
            "fullchain": files.fullchain,
            "privkey": files.privkey,
        },
    })
}
