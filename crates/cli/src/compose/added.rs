//! The base, and what the extensions that are on add to it.

use std::{path::Path, sync::Arc};

use authority::ports::Issuance;
use config::Config;
use issuance::Issuers;
use server::{Links, Resource};
use validation::{dial::Network, issue_value};

use super::Seams;
use crate::{
    extensions::{Added, Context, EXTENSIONS},
    files, world,
};

/// The base and the extensions that are on.
pub(super) fn added(
    config: &Config,
    folder: &Path,
    links: Links,
    issuers: &Issuers,
    seams: &impl Seams,
) -> Result<Added, String> {
    let network = network(config, folder)?;
    let mut added = Added::default();
    let registry = &mut added.registry;
    registry.add_identifier_type(authority::identifier::Dns);
    validation::base_methods(&network)
        .into_iter()
        .for_each(|method| registry.add_method(method));
    for name in config.extensions.keys() {
        if !EXTENSIONS.iter().any(|extension| extension.name == name) {
            let known: Vec<_> = EXTENSIONS.iter().map(|extension| extension.name).collect();
            return Err(format!(
                "extensions.{name}: there is no such extension; there are: {}",
                known.join(", ")
            ));
        }
    }
    let profiles = issuers.profiles().into_iter().collect();
    let mut context = Context {
        settings: toml::Table::new(),
        external_url: &config.server.external_url,
        network: network.clone(),
        caa_identities: caa_identities(config)?,
        profiles: &profiles,
        account_url: Arc::new(move |account| links.url(Resource::Account(account))),
        order_lifetime: config.acme.order_lifetime.duration(),
    };
    for extension in EXTENSIONS {
        let name = extension.name;
        context.settings = config.extensions.get(name).cloned().unwrap_or_default();
        let on = match context.settings.remove("enabled") {
            None => (extension.on)(&context),
            Some(toml::Value::Boolean(on)) => on,
            Some(other) => return Err(format!("extensions.{name}.enabled: {other} is neither true nor false")),
        };
        if on {
            (extension.register)(&mut added, &context).map_err(|why| format!("extensions.{name}.{why}"))?;
        }
    }
    seams.registry(&mut added.registry, &network);
    Ok(added)
}

fn network(config: &Config, folder: &Path) -> Result<Arc<Network>, String> {
    let trust_anchors = match &config.validation.trust_anchors {
        Some(file) => Some(files::read(&folder.join(file))?),
        None => None,
    };
    let settings = validation::Settings {
        http_port: config.validation.http_port,
        tls_port: config.validation.tls_port,
        resolvers: config.validation.resolvers.clone(),
        trust_anchors,
        allow_networks: config.validation.allow_networks.clone(),
        ..Default::default()
    };
    let network =
        validation::network(settings, Arc::new(world::now)).map_err(|error| format!("validation: {error}"))?;
    Ok(Arc::new(network))
}

/// A name that no record could have would be a name that no record permits.
fn caa_identities(config: &Config) -> Result<&[String], String> {
    let identities = &config.acme.caa_identities;
    let wrong = |name: &&String| issue_value::issuer_name(name.as_bytes()).as_ref() != Some(*name);
    match identities.iter().find(wrong) {
        Some(name) => Err(format!(
            "acme.caa_identities: {name:?} is not a domain name in lower case without a final dot"
        )),
        None => Ok(identities),
    }
}
