//! `vidimus mail tlsa`: the TLSA records of a host's mail services, and keys that are told before they are used.
//!
//! What stands in the zone is always the keys that are known here: the one in use, and the next one if it was made. So a
//! roll-over is three commands that may each be repeated: `tlsa --next --nsupdate …`, after two TTLs `renew`, `tlsa
//! --nsupdate …`. While TLSA records are in use, no certificate is ordered for a key that is not in them (RFC 7671 §8.1).

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use clap::Args;
use client::{
    Clock as _, Error, KeyType, SystemClock,
    commands::{Output, PlaceArgs},
    printable,
    solver::SolverError,
    store::{CertificateName, Store, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use pkix::key::KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{args::LookArgs, daemon::replace, failure, scan::hex, settings::MailSettings};
use crate::service::ServicePort;

#[derive(Clone, Debug, Args)]
pub(super) struct TlsaArgs {
    /// The host that the services are at
    #[arg(value_name = "HOST")]
    host: String,
    /// What the certificate is called on disk, if not by the host's name
    #[arg(long = "name", value_name = "CERT")]
    certificate: Option<CertificateName>,
    /// Make the key of the next certificate now, so that its record can stand before it is used
    #[arg(long)]
    next: bool,
    /// The kind of the next key: ec256, ec384, rsa2048, ed25519
    #[arg(long, default_value_t, value_name = "TYPE")]
    key_type: KeyType,
    /// Replace the records at this name server (RFC 2136), by running nsupdate
    #[arg(long, value_name = "SERVER[:PORT]")]
    nsupdate: Option<String>,
    /// The zone that is updated; nsupdate of BIND finds it out, that of Knot does not
    #[arg(long, value_name = "ZONE", requires = "nsupdate")]
    zone: Option<String>,
    /// The TSIG key for that, as nsupdate -k takes it
    #[arg(long, value_name = "FILE", requires = "nsupdate")]
    tsig_key: Option<PathBuf>,
    #[arg(long, value_name = "PROGRAM", default_value = "nsupdate")]
    nsupdate_program: PathBuf,
    /// The records that were printed have been published by hand, just now
    #[arg(long, conflicts_with = "nsupdate")]
    published: bool,
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    ttl: u32,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What is known of a certificate's records. Its file is there from the first time that records are made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    schema: u32,
    ttl: u32,
    /// PKCS #8 in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Since when the next key stands in the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Timestamp>,
}

pub(super) async fn run(args: TlsaArgs, out: &Output) -> ExitCode {
    let as_json = args.place.json;
    match all(&args, out).await {
        Ok(records) => {
            match as_json {
                true => out.json("tlsa", json!(records)),
                false => records.iter().for_each(|record| out.result(record)),
            }
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, as_json),
    }
}

async fn all(args: &TlsaArgs, out: &Output) -> Result<Vec<String>, Error> {
    let store = args.place.store()?;
    let _lock = super::alone(&store, std::time::Duration::from_secs(60), out).await?;
    let name = match &args.certificate {
        Some(name) => name.clone(),
        None => args
            .host
            .parse()
            .map_err(|error: client::store::NameError| Error::Input(error.to_string()))?,
    };
    let stored = store.stored(&name)?;
    let stored = stored.ok_or_else(|| StoreError::NoCertificate(name.to_string()))?;
    let mut state = load(&store, &name)?.unwrap_or(State {
        schema: 1,
        ttl: args.ttl,
        next: None,
        published: None,
    });
    state.ttl = args.ttl;
    if args.next && state.next.is_none() {
        state.next = Some(args.key_type.generate().to_pkcs8_pem().to_string());
        state.published = None;
    }
    save(&store, &name, &state)?;
    let mut keys = vec![stored.leaf.spki_der().to_vec()];
    if let Some(next) = next(&state)? {
        keys.push(next.public_key().spki_der().to_vec());
    }
    let services = services(args, &store, &name).await?;
    let records = records(&args.host, &services, &keys, args.ttl);
    if let Some(server) = &args.nsupdate {
        let zone = args.zone.as_deref();
        update(args, server, &script(server, zone, &services, &args.host, &records)?)?;
        out.note("the name server has taken the records");
    }
    if (args.nsupdate.is_some() || args.published) && state.next.is_some() && state.published.is_none() {
        let now = SystemClock.now();
        state.published = Some(now);
        save(&store, &name, &state)?;
        // In whole seconds, and not too soon.
        let ripe = now + waiting(&state) + SignedDuration::from_secs(1);
        let ripe = Timestamp::from_second(ripe.as_second()).unwrap_or(ripe);
        out.note(&format!(
            "the next key may be used from {ripe}: then `vidimus mail renew --force {name}`"
        ));
    }
    Ok(records)
}

/// As they are named, or those that answer.
async fn services(args: &TlsaArgs, store: &Store, name: &CertificateName) -> Result<Vec<ServicePort>, Error> {
    let remembered = MailSettings::load(store.root(), name).map_err(failure)?;
    let lookup = match &remembered {
        Some(settings) if args.look.connect.is_none() && args.look.ports.is_empty() => settings.lookup(),
        _ => args.look.lookup(),
    };
    let named = &args.look.services.0;
    if !named.is_empty() {
        let at = |service: &crate::service::Service| {
            let port = lookup.port(*service)?;
            Some(ServicePort {
                service: *service,
                port,
            })
        };
        return Ok(named.iter().filter_map(at).collect());
    }
    let scan = super::scan::scan(&lookup, &args.host, None, &[])
        .await
        .map_err(failure)?;
    match scan.listening() {
        listening if listening.is_empty() => Err(failure(format!(
            "no mail service answers at {}: name them with --services",
            args.host
        ))),
        listening => Ok(listening),
    }
}

/// DANE-EE, the key alone, SHA-256 (RFC 7671 §5.1): what stays when a certificate is renewed with its key.
fn records(host: &str, services: &[ServicePort], keys: &[Vec<u8>], ttl: u32) -> Vec<String> {
    let digests: Vec<String> = keys.iter().map(|key| hex(digest(&SHA256, key).as_ref())).collect();
    let mut records = Vec::new();
    for at in services {
        for digest in &digests {
            records.push(format!("{} {ttl} IN TLSA 3 1 1 {digest}", owner(host, at.port)));
        }
    }
    records.dedup();
    records
}

fn owner(host: &str, port: u16) -> String {
    format!("_{port}._tcp.{}.", host.trim_end_matches('.'))
}

/// One update message: at each name nothing but these records.
fn script(
    server: &str,
    zone: Option<&str>,
    services: &[ServicePort],
    host: &str,
    records: &[String],
) -> Result<String, Error> {
    let is_clean = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    if !is_clean(server) || !is_clean(host) || !zone.is_none_or(is_clean) {
        return Err(Error::Input(format!(
            "{server:?}, {host:?} or the zone is no name that nsupdate could take"
        )));
    }
    let (server, port) = match server.rsplit_once(':') {
        Some((server, port)) if !server.contains(':') || server.ends_with(']') => (server, port),
        _ => (server, "53"),
    };
    let mut script = format!("server {} {port}\n", server.trim_matches(['[', ']']));
    if let Some(zone) = zone {
        script.push_str(&format!("zone {}.\n", zone.trim_end_matches('.')));
    }
    for at in services {
        script.push_str(&format!("update delete {} TLSA\n", owner(host, at.port)));
    }
    for record in records {
        script.push_str(&format!("update add {record}\n"));
    }
    script.push_str("send\n");
    Ok(script)
}

fn update(args: &TlsaArgs, server: &str, script: &str) -> Result<(), Error> {
    let program = args.nsupdate_program.display();
    let mut command = Command::new(&args.nsupdate_program);
    if let Some(key) = &args.tsig_key {
        command.arg("-k").arg(key);
    }
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| failure(format!("{program} cannot be run: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        let written = stdin.write_all(script.as_bytes());
        written.map_err(|error| failure(format!("{program} does not listen: {error}")))?;
    }
    let ended = child
        .wait_with_output()
        .map_err(|error| failure(format!("{program}: {error}")))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(SolverError::Other {
            what: format!(
                "{server} did not take the records: {program} ended with {} and said: {}",
                ended.status,
                printable(&String::from_utf8_lossy(&ended.stderr))
            ),
            next: Some(REFUSED.to_owned()),
        }
        .into()),
    }
}

const REFUSED: &str = "See that the server takes updates of this zone with this key: NOTAUTH and REFUSED mean that it wants another, \
                       --tsig-key, or is not the zone's primary.";

/// The key to order for, where it matters: the next one when it has stood in the zone for long enough, else the one that
/// stands there already.
pub(super) fn next_key(store: &Store, name: &CertificateName, now: Timestamp) -> Result<Option<Arc<KeyPair>>, Error> {
    let Some(state) = load(store, name)? else {
        return Ok(None);
    };
    let is_ripe = state
        .published
        .is_some_and(|published| published + waiting(&state) <= now);
    let key = match is_ripe {
        true => next(&state)?,
        false => None,
    };
    match key {
        Some(key) => Ok(Some(Arc::new(key))),
        None => Ok(store.key(name)?.map(Arc::new)),
    }
}

/// The next key is the one in use now; the old one's records go with the next update.
pub(super) fn next_key_used(store: &Store, name: &CertificateName, spki: &[u8]) -> Result<(), Error> {
    let Some(mut state) = load(store, name)? else {
        return Ok(());
    };
    if next(&state)?.is_some_and(|next| next.public_key().spki_der() == spki) {
        (state.next, state.published) = (None, None);
        save(store, name, &state)?;
    }
    Ok(())
}

/// Resolvers keep what they have for one TTL; the second is for secondaries that are late.
fn waiting(state: &State) -> SignedDuration {
    SignedDuration::from_secs(2 * i64::from(state.ttl))
}

fn next(state: &State) -> Result<Option<KeyPair>, Error> {
    let Some(pem) = &state.next else {
        return Ok(None);
    };
    let key = KeyPair::from_pkcs8_pem(pem).map_err(|error| failure(format!("the next key is damaged: {error}")))?;
    Ok(Some(key))
}

fn load(store: &Store, name: &CertificateName) -> Result<Option<State>, Error> {
    let path = path(store.root(), name);
    match fs::read(&path) {
        Ok(content) => serde_json::from_slice(&content)
            .map(Some)
            .map_err(|error| failure(format!("{} is damaged: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(format!("cannot read {}: {error}", path.display()))),
    }
}

fn save(store: &Store, name: &CertificateName, state: &State) -> Result<(), Error> {
    let path = path(store.root(), name);
    let write = || {
        super::make_folder(&super::folder(store.root()))?;
        replace(
            &path,
            &serde_json::to_vec_pretty(state).map_err(io::Error::other)?,
            Some(0o600),
        )
    };
    write().map_err(|error| failure(format!("cannot write {}: {error}", path.display())))
}

fn path(root: &Path, name: &CertificateName) -> PathBuf {
    super::folder(root).join(format!("tlsa-{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Service;

    fn state(published: Option<Timestamp>) -> (State, Vec<u8>) {
        let key = KeyPair::generate_p256();
        let state = State {
            schema: 1,
            ttl: 300,
            next: Some(key.to_pkcs8_pem().to_string()),
            published,
        };
        (state, key.public_key().spki_der().to_vec())
    }

    #[test]
    fn the_next_key_is_not_used_before_its_record_can_be_known_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let name: CertificateName = "mail.alpha.test".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        assert!(next_key(&store, &name, now).unwrap().is_none());
        let (unpublished, _) = state(None);
        save(&store, &name, &unpublished).unwrap();
        assert!(next_key(&store, &name, now).unwrap().is_none());
        let (published, spki) = state(Some(now));
        save(&store, &name, &published).unwrap();
        assert!(
            next_key(&store, &name, now + SignedDuration::from_secs(599))
                .unwrap()
                .is_none()
        );
        let key = next_key(&store, &name, now + SignedDuration::from_secs(600))
            .unwrap()
            .unwrap();
        assert_eq!(key.public_key().spki_der(), spki);
        next_key_used(&store, &name, &spki).unwrap();
        assert!(load(&store, &name).unwrap().unwrap().next.is_none());
    }

    #[test]
    fn an_update_leaves_nothing_but_the_known_keys() {
        let services = [Service::Smtp, Service::Imaps].map(|service| ServicePort {
            service,
            port: service.registered_port().unwrap(),
        });
        let records = records("mail.alpha.test", &services, &[vec![1], vec![2]], 300);
        assert_eq!(records.len(), 4);
        assert!(records[0].starts_with("_25._tcp.mail.alpha.test. 300 IN TLSA 3 1 1 4bf5122f3445"));
        let script = script("127.0.0.1:5300", None, &services, "mail.alpha.test", &records).unwrap();
        assert!(script.starts_with("server 127.0.0.1 5300\nupdate delete _25._tcp.mail.alpha.test. TLSA\n"));
        assert!(script.ends_with("send\n"));
        assert!(super::script("a\nsend", None, &services, "mail.alpha.test", &records).is_err());
    }
}
