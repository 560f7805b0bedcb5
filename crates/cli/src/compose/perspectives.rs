//! The remote perspectives of an authority.

use std::{path::Path, sync::Arc};

use authority::ports::AccountUrl;
use config::Config;
use validation::perspectives::{
    Perspectives, Remote,
    pins::{Identity, Pins},
    quorum::{Region, Rule},
};

use crate::{files, world};

/// `None` where none is configured.
pub(super) fn perspectives(
    config: &Config,
    folder: &Path,
    account_url: AccountUrl,
) -> Result<Option<Perspectives>, String> {
    let Some(settings) = &config.perspectives else {
        return Ok(None);
    };
    let identity = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => Some(identity("perspectives", &folder.join(certificate), &folder.join(key))?),
        _ => None,
    };
    let remotes = settings.remotes().map(|(name, remote)| {
        let wrong = |why: &dyn std::fmt::Display| format!("perspectives.remote.{name}.{why}");
        let pins = match &remote.certificate {
            Some(file) => Some(pins(&folder.join(file)).map_err(|why| wrong(&format!("certificate: {why}")))?),
            None => None,
        };
        Remote::new(name, region(remote.region), &remote.url, identity.as_ref(), pins).map_err(|error| wrong(&error))
    });
    let remotes = remotes.collect::<Result<Vec<_>, String>>()?;
    let rule = Rule {
        remotes_at_least: settings.remotes_at_least,
        regions_at_least: settings.regions_at_least,
        time_limit: settings.time_limit.duration(),
    };
    let (clock, random) = (Arc::new(world::now), Arc::new(world::random));
    Perspectives::new(remotes, rule, account_url, clock, random)
        .map(Some)
        .map_err(|error| format!("perspectives: {error}"))
}

pub(super) fn identity(setting: &str, certificate: &Path, key: &Path) -> Result<Identity, String> {
    let key = zeroize::Zeroizing::new(files::read(key).map_err(|why| format!("{setting}.key: {why}"))?);
    let certificate = files::read(certificate).map_err(|why| format!("{setting}.certificate: {why}"))?;
    Identity::read(&certificate, &key).map_err(|why| format!("{setting}.{why}"))
}

pub(super) fn pins(file: &Path) -> Result<Pins, String> {
    Pins::read(&files::read(file)?).map_err(|why| format!("{}: {why}", file.display()))
}

fn region(region: config::Region) -> Region {
    match region {
        config::Region::Afrinic => Region::Afrinic,
        config::Region::Apnic => Region::Apnic,
        config::Region::Arin => Region::Arin,
        config::Region::Lacnic => Region::Lacnic,
        config::Region::Ripe => Region::Ripe,
    }
}
