//! `vidimus cert issue`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Output, args::IssueArgs, until_interrupted};
use crate::{
    ancestor::Ancestors,
    error::Error,
    issue::{Issued, Request, Wanted, issue},
    order::Validity,
    solver::SolverSettings,
};

pub(super) async fn run(args: IssueArgs, out: &mut Output) -> ExitCode {
    let as_json = args.place.json;
    let request = match request(args, out) {
        Ok(request) => request,
        Err(error) => return out.failed(&error, as_json),
    };
    match until_interrupted(issue(request)).await {
        Ok(issued) => {
            report(&issued, as_json, out);
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, as_json),
    }
}

fn request(args: IssueArgs, out: &Output) -> Result<Request, Error> {
    let wanted = match args.csr {
        Some(path) => Wanted::Csr(path),
        None => Wanted::Names {
            identifiers: args.names,
            key_type: args.key_type,
            reuse_key: args.reuse_key,
        },
    };
    let onion_caa = args.onion_caa;
    let services = args.onion.into_iter().map(|service| SolverSettings::Onion {
        service,
        caa: onion_caa.clone(),
    });
    let solvers = args.solvers.settings().into_iter().chain(services).collect();
    let dir = args.place.dir()?;
    let mut request = Request::new(args.server.server, dir, wanted, solvers);
    request.transport = args.server.trust.transport();
    request.name = args.certificate_name;
    request.account_key_type = args.registration.account_key_type;
    request.registration = args.registration.registration()?;
    request.preferred_chain = args.preferred_chain;
    request.profile = args.profile;
    request.ancestors = Ancestors::new(args.ancestor);
    request.validity = Validity {
        not_before: args.not_before,
        not_after: args.not_after,
    };
    request.skip_rejected = args.skip_rejected;
    request.lock_wait = args.lock_wait;
    request.progress = out.progress();
    Ok(request)
}

/// Paths first: they are what the next command needs.
fn report(issued: &Issued, as_json: bool, out: &Output) {
    if as_json {
        return out.json("certificate", issued_json(issued));
    }
    out.result(&format!("certificate {}", issued.files.fullchain.display()));
    if let Some(privkey) = &issued.files.privkey {
        out.result(&format!("key         {}", privkey.display()));
    }
    let names: Vec<String> = issued.identifiers.iter().map(ToString::to_string).collect();
    out.result(&format!("names       {}", names.join(" ")));
    out.result(&format!("expires     {}", issued.not_after()));
    out.note("renew it with `vidimus cert renew`, from a timer");
}

pub fn issued_json(issued: &Issued) -> Value {
    let mut value = super::show::certificate_json(&issued.name, issued.chain.leaf(), &issued.files, &issued.plan);
    value["server"] = json!(issued.server);
    value["account"] = json!(issued.account_url);
    value["order"] = json!(issued.order_url);
    value["url"] = json!(issued.certificate_url);
    value
}
