//! Issuers and profiles: those whose keys are here, and those that stand behind us.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use authority::ports::BackEnd;
use client::SolverSettings;
use config::Config;
use issuance::{CrlUrls, External, Issuer, IssuerUrls, Issuers, MailKeys, Profile, Purpose};

use super::Seams;
use crate::{files, world};

pub(super) fn issuers(config: &Config, folder: &Path, seams: &impl Seams) -> Result<Issuers, String> {
    let own = config
        .issuer
        .iter()
        .filter(|(_, settings)| settings.kind == config::IssuerKind::Own);
    let issuers = own.map(|(name, settings)| {
        let setting = |key: &str, file: &Option<PathBuf>| match file {
            Some(file) => Ok(folder.join(file)),
            None => Err(format!("issuer.{name}.{key} is missing")),
        };
        let base = config
            .server
            .public_http
            .as_deref()
            .map(|base| base.trim_end_matches('/'));
        let urls = IssuerUrls {
            crl: base.map(|base| CrlUrls::new(&format!("{base}/crl/{name}"), settings.crl_shards, settings.crl_lifetime.duration())),
            certificate: base.map(|base| format!("{base}/issuer/{name}.cer")),
            ocsp: base.filter(|_| settings.ocsp).map(|base| format!("{base}/ocsp/{name}")),
        };
        let certificate_file = setting("certificate", &settings.certificate)?;
        let certificate = seams.read(&certificate_file)?;
        let key_file = setting("key", &settings.key)?;
        let key = read_key(&key_file, &format!("issuer.{name}.key"), seams)?;
        let issuer = Issuer::from_pem(name, &certificate, &key, seams.urls(urls)).map_err(|error| {
            let key_file = key_file.display();
            format!("{error}; issuer.{name} must name a CA certificate in PEM and its PKCS#8 key ({key_file})")
        })?;
        // One that no profile names signs no certificate any more and may be as old as it likes.
        let signs = config.profile.values().any(|profile| profile.issuer == *name);
        if signs && issuer.not_after() <= world::now() {
            return Err(format!(
                "issuer.{name}: its certificate {} expired at {}; have it renewed, or name another issuer in its profiles",
                certificate_file.display(),
                issuer.not_after()
            ));
        }
        settings.alternates.iter().try_fold(issuer, |issuer, file| {
            let file = folder.join(file);
            let chain = pkix::pem::parse_chain(&seams.read(&file)?)
                .map_err(|error| format!("issuer.{name}.alternates: {}: {error}", file.display()))?;
            issuer
                .with_alternate(chain)
                .map_err(|error| format!("issuer.{name}.alternates: {}: {error}", file.display()))
        })
    });
    let profiles = config.profile.iter().map(|(name, settings)| Profile {
        name: name.clone(),
        description: settings.description.clone(),
        issuer: settings.issuer.clone(),
        lifetime: settings.lifetime.duration(),
        backdate: settings.backdate.duration(),
        common_name: settings.common_name,
        client_auth: settings.client_auth,
        purpose: match settings.purpose {
            config::Purpose::Tls => Purpose::Tls,
            config::Purpose::Email => Purpose::Email(MailKeys::Dual),
            config::Purpose::EmailSigning => Purpose::Email(MailKeys::Signing),
            config::Purpose::EmailEncryption => Purpose::Email(MailKeys::Encryption),
        },
    });
    let issuers = issuers.collect::<Result<_, String>>()?;
    Issuers::with_external(issuers, external(config, folder, seams)?, profiles.collect())
        .map_err(|error| error.to_string())
}

/// The issuers that are not ours.
fn external(config: &Config, folder: &Path, seams: &impl Seams) -> Result<Vec<External>, String> {
    let external = config.issuer.iter().filter_map(|(name, settings)| {
        let back_end: Result<Arc<dyn BackEnd>, String> = match settings.kind {
            config::IssuerKind::Own => return None,
            config::IssuerKind::Acme => relay(name, settings, folder, seams).map(|relay| Arc::new(relay) as _),
            config::IssuerKind::Command => Ok(Arc::new(backend::Command {
                command: settings.command.clone(),
                folder: folder.to_owned(),
                time_limit: settings.time_limit.duration(),
                patience: settings.patience.duration(),
            })),
        };
        let roots = match &settings.roots {
            Some(file) => files::read(&folder.join(file)).and_then(|pem| {
                pkix::pem::parse_chain(&pem)
                    .map_err(|error| format!("issuer.{name}.roots: {}: {error}", file.display()))
            }),
            None => Ok(Vec::new()),
        };
        let made =
            back_end.and_then(|back_end| External::new(name, back_end, &roots?).map_err(|error| error.to_string()));
        Some(made)
    });
    external.collect()
}

/// Another ACME authority, as issuer.
fn relay(name: &str, settings: &config::Issuer, folder: &Path, seams: &impl Seams) -> Result<backend::Relay, String> {
    let missing = |key: &str| format!("issuer.{name}.{key} is missing");
    let server = settings.server.clone().ok_or_else(|| missing("server"))?;
    let key = folder.join(settings.account_key.as_ref().ok_or_else(|| missing("account_key"))?);
    let pem = read_key(&key, &format!("issuer.{name}.account_key"), seams)?;
    let account_key = jose::SigningKey::from_pkcs8_pem(&pem).map_err(|error| {
        let key = key.display();
        format!("issuer.{name}.account_key: {key}: {error}; name a file with one PKCS#8 key in PEM")
    })?;
    let solvers = [
        settings.dns_hook.clone().map(SolverSettings::DnsHook),
        settings
            .webroot
            .as_ref()
            .map(|root| SolverSettings::Webroot(folder.join(root))),
        settings.standalone.clone().map(SolverSettings::Standalone),
    ];
    let relay = backend::Relay::new(backend::RelaySettings {
        server,
        ca_bundle: settings.ca_bundle.as_ref().map(|file| folder.join(file)),
        account_key,
        agrees_to_terms: settings.agree_to_terms,
        solvers: solvers.into_iter().flatten().collect(),
        patience: settings.patience.duration(),
    });
    relay.map_err(|why| format!("issuer.{name}: {why}"))
}

/// A private key's file, with the setting that names it.
pub(super) fn read_key(file: &Path, setting: &str, seams: &impl Seams) -> Result<zeroize::Zeroizing<String>, String> {
    let key = seams
        .read(file)
        .map_err(|why| format!("{setting}: {why}; name a file that this user can read"))?;
    Ok(zeroize::Zeroizing::new(key))
}

/// The issuers' certificates, for the paths that [`issuers`] put into those that they sign.
pub(super) fn certificates(issuers: &Issuers) -> impl Iterator<Item = (String, bytes::Bytes)> {
    issuers.issuers().map(|issuer| {
        let certificate = bytes::Bytes::copy_from_slice(issuer.certificate().der());
        (issuer.name().to_owned(), certificate)
    })
}
