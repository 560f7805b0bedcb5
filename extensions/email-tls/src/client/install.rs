//! `vidimus mail install`: a certificate of the store, however it came there, into mail programs.

use std::{process::ExitCode, sync::Arc};

use client::{
    Clock, Error, Identifier, SystemClock,
    commands::{Output, until_interrupted},
    store::StoreError,
};
use serde_json::json;

use super::{
    args::InstallArgs,
    deploy::{self, Installable},
    failure,
    issue::listening,
    prepare,
    settings::MailSettings,
};

pub(super) async fn run(args: InstallArgs, out: &Output) -> ExitCode {
    let as_json = args.place.json;
    match until_interrupted(all(args, out)).await {
        Ok(lines) => {
            match as_json {
                true => out.json("installed", json!(lines)),
                false => lines.iter().for_each(|line| out.result(line)),
            }
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, as_json),
    }
}

async fn all(args: InstallArgs, out: &Output) -> Result<Vec<String>, Error> {
    let store = args.place.store()?;
    let (_lock, _) = prepare(&store, std::time::Duration::from_secs(60), out).await?;
    let stored = store.stored(&args.name)?;
    let stored = stored.ok_or_else(|| StoreError::NoCertificate(args.name.to_string()))?;
    let remembered = MailSettings::load(store.root(), &args.name).map_err(failure)?;
    let settings = settings(&args, remembered, &stored.identifiers())?;
    if settings.daemons.is_empty() && settings.place.cert_file.is_none() && settings.place.exec.is_none() {
        return Err(Error::Input(
            "nothing to install into is given: --postfix, --dovecot, --cert-file with --key-file, or --exec".to_owned(),
        ));
    }
    let key = stored.files.privkey.clone();
    let what = Installable {
        name: args.name.to_string(),
        fullchain: stored.files.fullchain.clone(),
        key: key.ok_or_else(|| failure("the certificate has no key here: it was ordered with a request of its own"))?,
    };
    let listening = listening(&settings).await?;
    let mut lines = deploy::install(&settings, &what).await.map_err(failure)?;
    settings.save(store.root(), &args.name).map_err(failure)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let shown = deploy::verify(&settings, &listening, stored.leaf.sha256(), &clock).await;
    lines.extend(shown.map_err(failure)?);
    Ok(lines)
}

/// What is said now goes before what was said the last time.
fn settings(args: &InstallArgs, remembered: Option<MailSettings>, names: &[Identifier]) -> Result<MailSettings, Error> {
    let first = names.iter().find_map(|name| match name {
        Identifier::Dns(name) => Some(name.clone()),
        _ => None,
    });
    let remembered_host = remembered.as_ref().map(|settings| settings.host.clone());
    let host = args.host.clone().or(remembered_host).or(first);
    let host = host.ok_or_else(|| Error::Input("the certificate names no host: give --host HOST".to_owned()))?;
    let mut settings = remembered.unwrap_or_else(|| MailSettings {
        schema: 1,
        host: host.clone(),
        domain: None,
        services: Vec::new(),
        connect: None,
        resolver: None,
        ports: std::collections::BTreeMap::new(),
        challenges: Vec::new(),
        dns_hook: None,
        daemons: Vec::new(),
        place: Default::default(),
    });
    settings.host = host;
    settings.domain = args.domain.clone().or(settings.domain);
    settings.connect = args.look.connect.or(settings.connect);
    settings.resolver = args.look.resolver.or(settings.resolver);
    for (service, port) in args.look.ports() {
        settings.ports.insert(service.name().to_owned(), port);
    }
    if !args.look.services.0.is_empty() {
        settings.services = args
            .look
            .services
            .0
            .iter()
            .map(|service| service.name().to_owned())
            .collect();
    }
    let daemons = args.daemons.daemons();
    if !daemons.is_empty() {
        settings.daemons = daemons;
    }
    let place = args.install.place();
    if place.cert_file.is_some() {
        (settings.place.cert_file, settings.place.key_file) = (place.cert_file, place.key_file);
    }
    settings.place.exec = place.exec.or(settings.place.exec);
    Ok(settings)
}
