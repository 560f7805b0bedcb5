//! The base, and what the extensions that are on add to it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use authority::ports::{AccountUrl, Issuance};
use config::{Config, Validation};
use issuance::Issuers;
use server::{Links, Resource};
use validation::{dial::Network, issue_value, shuffled::Shuffled};

use super::{Seams, perspectives::perspectives};
use crate::{
    extensions::{Added, Context, EXTENSIONS},
    files, world,
};

/// The base and the extensions that are on, seen from wherever the configuration has it.
pub(super) fn added(
    config: &Config,
    folder: &Path,
    links: Links,
    issuers: &Issuers,
    seams: &impl Seams,
) -> Result<Added, String> {
    let network = network(&config.validation, folder)?;
    let account_url: AccountUrl = Arc::new(move |account| links.url(Resource::Account(account)));
    let profiles = issuers.profiles().into_iter().collect();
    let context = Context {
        settings: toml::Table::new(),
        external_url: &config.server.external_url,
        network: network.clone(),
        caa_identities: caa_identities(&config.acme.caa_identities)
            .map_err(|why| format!("acme.caa_identities: {why}"))?,
        profiles: &profiles,
        only_looks: false,
        account_url: account_url.clone(),
        order_lifetime: config.acme.order_lifetime.duration(),
        folder,
        resolvers: &config.validation.resolvers,
    };
    let mut added = registered(context, &config.extensions)?;
    if let Some(perspectives) = perspectives(config, folder, account_url)? {
        Arc::new(perspectives).wrap(&mut added.registry);
    }
    seams.registry(&mut added.registry, &network);
    Ok(added)
}

/// The base, and the extensions that are on by `settings` or by themselves.
pub(super) fn registered(mut context: Context<'_>, settings: &BTreeMap<String, toml::Table>) -> Result<Added, String> {
    let mut added = Added::default();
    let registry = &mut added.registry;
    registry.add_identifier_type(authority::identifier::Dns);
    validation::base_methods(&context.network)
        .into_iter()
        .for_each(|method| registry.add_method(method));
    for name in settings.keys() {
        if !EXTENSIONS.iter().any(|extension| extension.name == name) {
            let known: Vec<_> = EXTENSIONS.iter().map(|extension| extension.name).collect();
            return Err(format!(
                "extensions.{name}: there is no such extension; there are: {}",
                known.join(", ")
            ));
        }
    }
    for extension in EXTENSIONS {
        let name = extension.name;
        context.settings = settings.get(name).cloned().unwrap_or_default();
        let on = match context.settings.remove("enabled") {
            None => (extension.on)(&context),
            Some(toml::Value::Boolean(on)) => on,
            Some(other) => return Err(format!("extensions.{name}.enabled: {other} is neither true nor false")),
        };
        if on {
            (extension.register)(&mut added, &context).map_err(|why| format!("extensions.{name}.{why}"))?;
        }
    }
    Ok(added)
}

/// The way out. Which of several addresses is looked at is nobody's choice.
pub(super) fn network(validation: &Validation, folder: &Path) -> Result<Arc<Network>, String> {
    let trust_anchors = match &validation.trust_anchors {
        Some(file) => Some(files::read(&folder.join(file))?),
        None => None,
    };
    let settings = validation::Settings {
        http_port: validation.http_port,
        tls_port: validation.tls_port,
        resolvers: validation.resolvers.clone(),
        trust_anchors,
        allow_networks: validation.allow_networks.clone(),
        ..Default::default()
    };
    let network =
        validation::network(settings, Arc::new(world::now)).map_err(|error| format!("validation: {error}"))?;
    Ok(Arc::new(Network {
        resolver: Arc::new(Shuffled::new(network.resolver, Arc::new(world::random))),
        ..network
    }))
}

/// A name that no record could have would be a name that no record permits.
pub(super) fn caa_identities(identities: &[String]) -> Result<&[String], String> {
    let wrong = |name: &&String| issue_value::issuer_name(name.as_bytes()).as_ref() != Some(*name);
    match identities.iter().find(wrong) {
        Some(name) => Err(format!(
            "{name:?} is not a domain name in lower case without a final dot"
        )),
        None => Ok(identities),
    }
}
