//! `vidimus cert issue`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Output, args::IssueArgs, until_interrupted};
use crate::{
    account::Registration,
    ancestor::Ancestors,
    binding::ExternalAccount,
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
    let solvers = [
        args.standalone.map(SolverSettings::Standalone),
        args.tls_alpn.map(SolverSettings::TlsAlpn),
        args.webroot.map(SolverSettings::Webroot),
        args.dns_hook.map(SolverSettings::DnsHook),
    ];
    let onion_caa = args.onion_caa;
    let services = args.onion.into_iter().map(|service| SolverSettings::Onion {
        service,
        caa: onion_caa.clone(),
    });
    let solvers = solvers.into_iter().flatten().chain(services).collect();
    let external_account = match (args.eab_kid, args.eab_hmac_key_file) {
        (Some(key_id), Some(path)) => {
            let mac_key = std::fs::read_to_string(&path);
            let mac_key = mac_key.map_err(|error| Error::Input(format!("cannot read {}: {error}", path.display())))?;
            Some(ExternalAccount::new(key_id, &mac_key).map_err(|what| Error::Input(what.to_owned()))?)
        }
        _ => None,
    };
    let dir = args.place.dir()?;
    let mut request = Request::new(args.server.server, dir, wanted, solvers);
    request.transport = args.server.trust.transport();
    request.name = args.certificate_name;
    request.account_key_type = args.account_key_type;
    request.registration = Registration {
        contacts: args.contact,
        terms_of_service_agreed: args.agree_tos,
        external_account,
    };
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

pub(super) fn issued_json(issued: &Issued) -> Value {
    let mut value = super::show::certificate_json(&issued.name, issued.chain.leaf(), &issued.files, &issued.plan);
    value["server"] = json!(issued.server);
    value["account"] = json!(issued.account_url);
    value["order"] = json!(issued.order_url);
    value["url"] = json!(issued.certificate_url);
    value
}
