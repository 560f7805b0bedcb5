//! From the store into mail programs, and a look at every port whether it shows.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use client::{Clock, printable};
use jiff::SignedDuration;

use super::{
    daemon::{Daemon, replace},
    scan::leaf,
    session::look,
    settings::MailSettings,
    verdict::{Reference, Verdict},
};
use crate::service::ServicePort;

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Installable {
    pub name: String,
    pub fullchain: PathBuf,
    pub key: PathBuf,
}

/// Copies the files if they are wanted elsewhere, points daemons to them, reloads them, runs the command.
pub async fn install(settings: &MailSettings, what: &Installable) -> Result<Vec<String>, String> {
    let (settings, what) = (settings.clone(), what.clone());
    tokio::task::spawn_blocking(move || install_now(&settings, &what))
        .await
        .map_err(|error| format!("installing failed: {error}"))?
}

fn install_now(settings: &MailSettings, what: &Installable) -> Result<Vec<String>, String> {
    let mut said = Vec::new();
    let place = &settings.place;
    let fullchain = copied(&what.fullchain, place.cert_file.as_deref(), 0o644)?;
    let key = copied(&what.key, place.key_file.as_deref(), 0o600)?;
    for daemon in &settings.daemons {
        daemon.install(&fullchain, &key).map_err(|error| error.to_string())?;
    }
    let is_installed = settings
        .daemons
        .iter()
        .any(|daemon| !matches!(daemon, Daemon::WordsFile(_)));
    if is_installed || place.cert_file.is_some() {
        said.push(format!("installed   {}", fullchain.display()));
    }
    if let Some(command) = &place.exec {
        let mut words = command.split_ascii_whitespace();
        let program = words.next().ok_or("the command of --exec is empty")?;
        let ended = std::process::Command::new(program)
            .args(words)
            .env("VIDIMUS_NAME", &what.name)
            .env("VIDIMUS_FULLCHAIN", &fullchain)
            .env("VIDIMUS_KEY", &key)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program} cannot be run: {error}"))?;
        if !ended.status.success() {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("{command} ended with {}: {}", ended.status, printable(&stderr)));
        }
        said.push(format!("ran         {command}"));
    }
    Ok(said)
}

fn copied(from: &Path, to: Option<&Path>, mode: u32) -> Result<PathBuf, String> {
    let Some(to) = to else {
        return Ok(from.to_owned());
    };
    let content = std::fs::read(from).map_err(|error| format!("cannot read {}: {error}", from.display()))?;
    replace(to, &content, Some(mode)).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    Ok(to.to_owned())
}

/// Dials the services until each shows this certificate, and says how good it is for them (RFC 7817 §3).
pub async fn verify(
    settings: &MailSettings,
    services: &[ServicePort],
    sha256: [u8; 32],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<String>, String> {
    let lookup = settings.lookup();
    let addresses = lookup.addresses(&settings.host).await?;
    let (started, mut said, mut wrong) = (clock.now(), Vec::new(), Vec::new());
    for at in services {
        loop {
            let mut failure = String::new();
            let mut shown = None;
            for address in &addresses {
                match look(SocketAddr::new(*address, at.port), at.service, &settings.host).await {
                    Err(error) => failure = error.to_string(),
                    Ok(look) => match leaf(&look) {
                        Some(certificate) if certificate.sha256() == sha256 => shown = Some(certificate),
                        Some(_) => failure = "it shows another certificate".to_owned(),
                        None => failure = "it shows no certificate".to_owned(),
                    },
                }
            }
            if let Some(certificate) = shown {
                let reference = Reference {
                    service: at.service,
                    host: &settings.host,
                    domain: settings.domain.as_deref(),
                };
                let verdict = Verdict::of(&certificate, &reference, clock.now());
                let line = format!(
                    "{:<11} {:>5}  {}",
                    at.service.name(),
                    at.port,
                    verdict.sentence(&reference)
                );
                match verdict.serves_host() {
                    true => said.push(line),
                    false => wrong.push(line),
                }
                break;
            }
            if clock.now().duration_since(started) >= PATIENCE {
                wrong.push(format!("{at}: {}", printable(&failure)));
                break;
            }
            clock.sleep(BETWEEN_LOOKS).await;
        }
    }
    match wrong.is_empty() {
        true => Ok(said),
        false => Err(format!(
            "the certificate is installed, but not every service shows it well: {}; see whether the program was told \
             (reload) and whether it reads its certificate from elsewhere",
            wrong.join("; ")
        )),
    }
}

/// Programs take a moment to reload.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
