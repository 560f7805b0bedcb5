//! `vidimus mail issue`: one order for all services of a host.

use std::{process::ExitCode, sync::Arc};

use acme::ProblemType;
use client::{
    Clock, Error, Identifier, Method, Request, Solver, SystemClock, Wanted,
    commands::{Output, issued_json, until_interrupted},
    issue,
    store::CertificateName,
};
use serde_json::json;

use super::{
    args::MailIssueArgs,
    deploy::{self, Installable},
    failure,
    journal::Journal,
    prepare,
    publish::Publisher,
    scan::scan,
    settings::MailSettings,
    solver::MailSolver,
};
use crate::{
    service::{Service, ServicePort},
    value::Bound,
};

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
    let listening = listening(&settings).await?;
    let shown: Vec<String> = listening.iter().map(ServicePort::to_string).collect();
    out.note(&format!("services: {}", shown.join(" ")));
    let can_prove_domain = !args.solvers.clone().settings().is_empty();

    let mut identifiers = vec![host.clone()];
    identifiers.extend(domain.clone().filter(|domain| can_prove_domain && *domain != host));
    let mut services = match args.srv {
        true => srv_ids(&settings, &listening)?,
        false => Vec::new(),
    };
    // A name that no method of this run can prove is not worth an order.
    let greets = |service: Service| settings.daemons.iter().any(|daemon| daemon.greets(service));
    services.retain(|(service, _)| greets(*service) || args.solvers.dns_hook.is_some());
    identifiers.extend(services.iter().map(|(_, identifier)| identifier.clone()));

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
    let certificate = args
        .certificate_name
        .clone()
        .unwrap_or_else(|| CertificateName::of(&host));
    request.name = Some(certificate.clone());
    request.account_key_type = args.registration.account_key_type;
    request.registration = args.registration.clone().registration()?;
    request.command = Some("mail".to_owned());
    request.profile = profile(&args).await?;
    request.lock_wait = args.lock_wait;
    request.progress = out.progress();
    request.other_solvers = solvers(&settings, journal.clone(), &listening, &identifiers, &clock);
    request.key = super::tlsa::next_key(&store, &certificate, clock.now())?;

    let issued = match issue(request.clone()).await {
        Ok(issued) => issued,
        Err(error) => {
            let Some((why, dropped)) = without_services(&error, &identifiers) else {
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
            request.other_solvers = solvers(&settings, journal, &listening, &identifiers, &clock);
            issue(request).await?
        }
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
        daemons: args.daemons.daemons(),
        place: args.install.place(),
    }
}

/// The services that the certificate is for: those that answer.
pub(super) async fn listening(settings: &MailSettings) -> Result<Vec<ServicePort>, Error> {
    let services = settings.services();
    let scan = scan(
        &settings.lookup(),
        &settings.host,
        settings.domain.as_deref(),
        &services,
    )
    .await;
    let listening = scan.map_err(failure)?.listening();
    if listening.is_empty() {
        return Err(failure(format!(
            "no mail service answers at {}: see `vidimus mail scan {}`",
            settings.host, settings.host
        )));
    }
    Ok(listening)
}

/// RFC 7817 §5: one a service, in the domain of the addresses.
fn srv_ids(settings: &MailSettings, listening: &[ServicePort]) -> Result<Vec<(Service, Identifier)>, Error> {
    let domain = settings.domain.as_deref().unwrap_or(&settings.host);
    let services = listening
        .iter()
        .map(|at| at.service)
        .filter(|service| service.has_srv());
    services
        .map(|service| Ok((service, name(&format!("_{service}.{domain}"))?)))
        .collect()
}

pub(super) fn solvers(
    settings: &MailSettings,
    journal: Journal,
    listening: &[ServicePort],
    ordered: &[Identifier],
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn Solver>> {
    if settings.daemons.is_empty() {
        return Vec::new();
    }
    let publisher = Arc::new(Publisher::new(
        settings.daemons.clone(),
        journal,
        settings.host.clone(),
        settings.lookup(),
        Arc::clone(clock),
    ));
    let services: Vec<Service> = listening.iter().map(|at| at.service).collect();
    [Bound::MailGreeting, Bound::MailSrv]
        .map(|bound| {
            let solver = MailSolver::new(bound, Arc::clone(&publisher), services.clone(), ordered);
            Arc::new(solver) as Arc<dyn Solver>
        })
        .into()
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

/// What to do without, and why, when it is only SRV-IDs that stand in the way of a certificate. Authorities that know none
/// say so in several ways; which names they mean, few say.
fn without_services(error: &Error, ordered: &[Identifier]) -> Option<(&'static str, Vec<Identifier>)> {
    let is_service = |identifier: &Identifier| matches!(identifier, Identifier::Srv(_));
    let services: Vec<Identifier> = ordered
        .iter()
        .filter(|identifier| is_service(identifier))
        .cloned()
        .collect();
    let (why, dropped) = match error {
        Error::Refused(_) => {
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
            (NOT_ISSUED, services.into_iter().filter(|_| is_refused).collect())
        }
        Error::Unproven(failures) => {
            let failed = failures.iter().map(|failure| (&failure.identifier, failure.method));
            (NOT_PROVABLE, untried_services(failed))
        }
        _ => return None,
    };
    (!dropped.is_empty()).then_some((why, dropped))
}

/// SRV-IDs for which none of the authority's methods is one of ours, if nothing else has failed.
fn untried_services<'a>(failed: impl Iterator<Item = (&'a Identifier, Option<Method>)>) -> Vec<Identifier> {
    let mut services = Vec::new();
    for (identifier, method) in failed {
        if method.is_some() || !matches!(identifier, Identifier::Srv(_)) {
            return Vec::new();
        }
        services.push(identifier.clone());
    }
    services
}

const NOT_ISSUED: &str = "this authority does not issue SRV-IDs";
const NOT_PROVABLE: &str =
    "this authority wants these SRV-IDs proven in a way that this command cannot: see --dns-hook";

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
    fn only_services_that_stand_in_the_way_are_left_out() {
        let [host, imaps, submission]: [Identifier; 3] =
            ["mail.alpha.test", "_imaps.alpha.test", "_submission.alpha.test"].map(|name| name.parse().unwrap());
        let left_out = |failed: &[(&Identifier, Option<Method>)]| untried_services(failed.iter().copied());
        assert_eq!(left_out(&[(&imaps, None)]).first(), Some(&imaps));
        assert_eq!(left_out(&[(&imaps, None), (&submission, None)]).len(), 2);
        // The host has failed too, or a proof was shown and not believed.
        assert!(left_out(&[(&imaps, None), (&host, None)]).is_empty());
        assert!(left_out(&[(&imaps, Some(Method::Other("mail-srv-01")))]).is_empty());
        assert!(without_services(&Error::Interrupted, &[host, imaps]).is_none());
    }
}
