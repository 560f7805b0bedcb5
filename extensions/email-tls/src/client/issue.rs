//! `vidimus mail issue`: one order for all services of a host.

use std::{process::ExitCode, sync::Arc, time::Duration};

use acme::ProblemType;
use client::{
    Clock, Error, Identifier, Method, Request, Solver, SystemClock, Wanted,
    commands::{Output, issued_json, until_interrupted},
    issue,
    solver::DnsHook,
    store::{CertificateName, Ledger},
};
use serde_json::json;

use super::{
    args::MailIssueArgs,
    deploy::{self, Installable},
    failure,
    journal::Journal,
    kind::{Kind, Place},
    prepare,
    publish::Publisher,
    records::RecordSolver,
    scan::{Scan, scan},
    settings::MailSettings,
    solver::MailSolver,
};
use crate::service::{Service, ServicePort};

pub(super) async fn run(args: MailIssueArgs, out: &Output) -> ExitCode {
    let as_json = args.place.json;
    match until_interrupted(all(args, out)).await {
        Ok(done) => {
            match as_json {
                true => out.json("certificate", done.json),
                false => done.lines.iter().for_each(|line| out.result(line)),
            }
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, as_json),
    }
}

struct Done {
    json: serde_json::Value,
    lines: Vec<String>,
}

async fn all(args: MailIssueArgs, out: &Output) -> Result<Done, Error> {
    let host: Identifier = name(&args.host)?;
    let domain = args.domain.as_deref().map(name).transpose()?;
    let settings = settings(&args, &host, domain.as_ref());
    let store = args.place.store()?;
    let (_lock, journal) = prepare(&store, args.lock_wait, out).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let by_others = !args.solvers.clone().settings().is_empty();
    if settings.daemons.is_empty() && !by_others {
        return Err(Error::Input(
            "no way to prove names is given: --postfix, --dovecot or --words-file by the services themselves, or --dns-hook, \
             --webroot, --standalone or --tls-alpn"
                .to_owned(),
        ));
    }
    let scan = looked(&settings).await?;
    let listening = scan.listening();
    let plain: Vec<String> = scan.without_tls().iter().map(ServicePort::to_string).collect();
    if !plain.is_empty() {
        return Err(failure(format!(
            "no TLS is offered by {}: switch it on (smtpd_tls_security_level = may, ssl = yes), or name the other services \
             with --services",
            plain.join(", ")
        )));
    }
    let shown: Vec<String> = listening.iter().map(ServicePort::to_string).collect();
    out.note(&format!("services: {}", shown.join(" ")));
    let certificate = args
        .certificate_name
        .clone()
        .unwrap_or_else(|| CertificateName::of(&host));
    let ledger = store.ledger(&certificate);
    let of_this_run =
        |ordered: &[Identifier]| solvers(&settings, journal.clone(), &ledger, &listening, ordered, &clock);

    let mut identifiers = vec![host.clone()];
    // A name that no method of this run can prove is not worth an order.
    let known = of_this_run(&[]);
    let by_srv = |name: &Identifier| args.srv && known.iter().any(|solver| solver.can_prove(name));
    let of_domain = domain.clone().filter(|domain| *domain != host);
    identifiers.extend(of_domain.filter(|domain| by_others || by_srv(domain)));
    if args.srv {
        let services = srv_ids(&settings, &listening)?.into_iter();
        identifiers.extend(services.filter(|service| by_srv(service) || args.solvers.dns_hook.is_some()));
    }

    let mut request = Request::new(
        args.server.server.clone(),
        store.root(),
        Wanted::Names {
            identifiers: identifiers.clone(),
            key_type: args.key_type,
            reuse_key: args.reuse_key,
        },
        args.solvers.clone().settings(),
    );
    request.transport = args.server.trust.transport();
    request.name = Some(certificate.clone());
    request.account_key_type = args.registration.account_key_type;
    request.registration = args.registration.clone().registration()?;
    request.command = Some("mail".to_owned());
    request.profile = profile(&args).await?;
    request.lock_wait = args.lock_wait;
    request.progress = out.progress();
    request.other_solvers = of_this_run(&identifiers);
    request.key = super::tlsa::next_key(&store, &certificate, clock.now())?;

    let issued = loop {
        let error = match issue(request.clone()).await {
            Ok(issued) => break issued,
            Err(error) => error,
        };
        // Each time fewer names are left.
        let Some((why, dropped)) = dispensable(&error, &identifiers, &host) else {
            return Err(error);
        };
        let shown: Vec<String> = dropped.iter().map(Identifier::to_string).collect();
        out.note(&format!("{why}; dropped: {}", shown.join(", ")));
        identifiers.retain(|identifier| !dropped.contains(identifier));
        if let Wanted::Names {
            identifiers: wanted, ..
        } = &mut request.wanted
        {
            *wanted = identifiers.clone();
        }
        request.other_solvers = of_this_run(&identifiers);
    };
    super::tlsa::next_key_used(&store, &issued.name, issued.chain.leaf().spki_der())?;
    settings.save(store.root(), &issued.name).map_err(failure)?;
    let names: Vec<String> = issued.identifiers.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("certificate {}", issued.files.fullchain.display()),
        format!("names       {}", names.join(" ")),
        format!("expires     {}", issued.not_after()),
    ];
    lines.extend(deployed(&settings, &issued, &listening, &clock).await?);
    out.note("renew it with `vidimus mail renew`, from a timer");
    let mut value = issued_json(&issued);
    value["services"] = json!(shown);
    Ok(Done { json: value, lines })
}

fn settings(args: &MailIssueArgs, host: &Identifier, domain: Option<&Identifier>) -> MailSettings {
    MailSettings {
        schema: 1,
        host: host.to_string(),
        domain: domain.map(Identifier::to_string),
        services: args
            .look
            .services
            .0
            .iter()
            .map(|service| service.name().to_owned())
            .collect(),
        connect: args.look.connect,
        resolver: args.look.resolver,
        ports: args
            .look
            .ports()
            .into_iter()
            .map(|(service, port)| (service.name().to_owned(), port))
            .collect(),
        challenges: args.challenges.iter().map(|kind| kind.method().to_owned()).collect(),
        dns_hook: args.solvers.dns_hook.as_ref().map(|hook| absolute(hook)),
        daemons: args.daemons.daemons(),
        place: args.install.place(),
    }
}

/// The services that the certificate is for: those that answer.
pub(super) async fn listening(settings: &MailSettings) -> Result<Vec<ServicePort>, Error> {
    looked(settings).await.map(|scan| scan.listening())
}

async fn looked(settings: &MailSettings) -> Result<Scan, Error> {
    let services = settings.services();
    let scan = scan(
        &settings.lookup(),
        &settings.host,
        settings.domain.as_deref(),
        &services,
    )
    .await;
    let scan = scan.map_err(failure)?;
    if scan.listening().is_empty() {
        return Err(failure(format!(
            "no mail service answers at {}: see `vidimus mail scan {}`",
            settings.host, settings.host
        )));
    }
    Ok(scan)
}

/// RFC 7817 §5: one a service, in the domain of the addresses.
fn srv_ids(settings: &MailSettings, listening: &[ServicePort]) -> Result<Vec<Identifier>, Error> {
    let domain = settings.domain.as_deref().unwrap_or(&settings.host);
    let services = listening
        .iter()
        .map(|at| at.service)
        .filter(|service| service.has_srv());
    services.map(|service| name(&format!("_{service}.{domain}"))).collect()
}

/// A program is found again at a renewal, which may be run in another folder.
fn absolute(hook: &str) -> String {
    match std::path::absolute(hook) {
        Ok(path) if path.is_file() => path.to_string_lossy().into_owned(),
        _ => hook.to_owned(),
    }
}

pub(super) fn solvers(
    settings: &MailSettings,
    journal: Journal,
    ledger: &Ledger,
    listening: &[ServicePort],
    ordered: &[Identifier],
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn Solver>> {
    let publisher = Arc::new(Publisher::new(
        settings.daemons.clone(),
        journal,
        settings.host.clone(),
        settings.lookup(),
        Arc::clone(clock),
    ));
    let services: Vec<Service> = listening.iter().map(|at| at.service).collect();
    let solver = |kind: Kind| -> Option<Arc<dyn Solver>> {
        if kind.place() == Place::Record {
            let hook = DnsHook::new(settings.dns_hook.as_ref()?, SLOWEST_HOOK, Some(ledger.clone()));
            return Some(Arc::new(RecordSolver::new(
                kind,
                settings.host.clone(),
                hook,
                listening.to_vec(),
            )));
        }
        let solver = MailSolver::new(kind, Arc::clone(&publisher), services.clone(), ordered);
        let solver = solver.seen_at(listening.to_vec());
        (!settings.daemons.is_empty()).then(|| Arc::new(solver) as Arc<dyn Solver>)
    };
    settings.kinds().into_iter().filter_map(solver).collect()
}

/// Into the mail programs, and a look at all of them.
pub(super) async fn deployed(
    settings: &MailSettings,
    issued: &client::Issued,
    listening: &[ServicePort],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<String>, Error> {
    let key = issued.files.privkey.clone();
    let what = Installable {
        name: issued.name.to_string(),
        fullchain: issued.files.fullchain.clone(),
        key: key.ok_or_else(|| failure("the certificate has no key here"))?,
    };
    let mut lines = deploy::install(settings, &what).await.map_err(failure)?;
    if !lines.is_empty() {
        let sha256 = issued.chain.leaf().sha256();
        lines.extend(
            deploy::verify(settings, listening, sha256, clock)
                .await
                .map_err(failure)?,
        );
    }
    Ok(lines)
}

/// The one that was asked for, or `mail` where there is one.
async fn profile(args: &MailIssueArgs) -> Result<Option<String>, Error> {
    if args.profile.is_some() {
        return Ok(args.profile.clone());
    }
    let directory = args.server.trust.directory(&args.server.server)?;
    let meta = directory.resources().await?.meta;
    let profiles = meta.members.get("profiles").and_then(serde_json::Value::as_object);
    let has_mail = profiles.is_some_and(|profiles| profiles.contains_key("mail"));
    Ok(has_mail.then(|| "mail".to_owned()))
}

/// What to do without, and why, when it is only SRV-IDs, or the domain, that stand in the way of a certificate. Authorities
/// that know no SRV-IDs say so in several ways; which names they mean, few say.
fn dispensable(error: &Error, ordered: &[Identifier], host: &Identifier) -> Option<(&'static str, Vec<Identifier>)> {
    let (why, dropped) = match error {
        Error::Refused(_) => {
            let is_service = |identifier: &Identifier| matches!(identifier, Identifier::Srv(_));
            let is_about_names = [
                ProblemType::UnsupportedIdentifier,
                ProblemType::RejectedIdentifier,
                ProblemType::Malformed,
                ProblemType::Compound,
            ]
            .iter()
            .any(|kind| error.is(kind));
            let is_about_others = error.rejected_identifiers().iter().any(|name| !is_service(name));
            let is_refused = is_about_names && !is_about_others;
            let services = ordered.iter().filter(|name| is_refused && is_service(name));
            (NOT_ISSUED, services.cloned().collect())
        }
        Error::Unproven(failures) => {
            let failed = failures.iter().map(|failure| (&failure.identifier, failure.method));
            (NOT_PROVABLE, untried(failed, host))
        }
        _ => return None,
    };
    let dropped: Vec<Identifier> = dropped;
    (!dropped.is_empty()).then_some((why, dropped))
}

/// Names beside the host's for which none of the authority's methods is one of ours, if nothing else has failed.
fn untried<'a>(failed: impl Iterator<Item = (&'a Identifier, Option<Method>)>, host: &Identifier) -> Vec<Identifier> {
    let mut names = Vec::new();
    for (identifier, method) in failed {
        if method.is_some() || identifier == host {
            return Vec::new();
        }
        names.push(identifier.clone());
    }
    names
}

const NOT_ISSUED: &str = "this authority does not issue SRV-IDs";
const NOT_PROVABLE: &str = "this authority wants these names proven in a way that this command cannot: see --dns-hook";
/// Zones that are published slowly.
const SLOWEST_HOOK: Duration = Duration::from_secs(300);

fn name(text: &str) -> Result<Identifier, Error> {
    let identifier: Identifier = text
        .parse()
        .map_err(|error: client::IdentifierError| Error::Input(error.to_string()))?;
    match identifier {
        Identifier::Dns(_) | Identifier::Srv(_) => Ok(identifier),
        other => Err(Error::Input(format!("{other} is not the name of a host"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_and_the_domain_that_stand_in_the_way_are_left_out() {
        let [host, domain, imaps, submission]: [Identifier; 4] = [
            "mail.alpha.test",
            "alpha.test",
            "_imaps.alpha.test",
            "_submission.alpha.test",
        ]
        .map(|name| name.parse().unwrap());
        let left_out = |failed: &[(&Identifier, Option<Method>)]| untried(failed.iter().copied(), &host);
        assert_eq!(left_out(&[(&imaps, None)]).first(), Some(&imaps));
        assert_eq!(left_out(&[(&imaps, None), (&submission, None)]).len(), 2);
        assert_eq!(left_out(&[(&domain, None)]), std::slice::from_ref(&domain));
        // The host has failed too, or a proof was shown and not believed.
        assert!(left_out(&[(&imaps, None), (&host, None)]).is_empty());
        assert!(left_out(&[(&imaps, Some(Method::Other("mail-srv-01")))]).is_empty());
        assert!(dispensable(&Error::Interrupted, &[host.clone(), imaps], &host).is_none());
    }
}
