//! Every extension, one entry each.

use std::sync::Arc;

use authority::{Registry, ports::AccountUrl};
use caa::CaaCheck;
use serde::de::DeserializeOwned;
use validation::dial::Network;

/// The documents beyond the base that this program knows.
pub const EXTENSIONS: &[Extension] = &[
    Extension {
        name: "caa",
        on: |context| !context.caa_identities.is_empty(),
        register: caa,
    },
    // Never on by themselves: clients in use fail on types they do not know, and take the first that begins with `dns`,
    // so these come after the base's.
    Extension {
        name: "dns-account",
        on: |_| false,
        register: |registry, context| {
            context.without_settings()?;
            dns_account::register(registry, context.network.clone(), context.account_url.clone());
            Ok(())
        },
    },
    Extension {
        name: "dns-persist",
        on: |_| false,
        register: |registry, context| {
            context.without_settings()?;
            let (network, account_url) = (context.network.clone(), context.account_url.clone());
            dns_persist::register(registry, network, account_url, context.named()?);
            Ok(())
        },
    },
    Extension {
        name: "ip",
        on: |_| true,
        register: |registry, context| context.without_settings().map(|()| ip::register(registry)),
    },
];

pub struct Extension {
    /// Its folder, and its table `[extensions.NAME]`.
    pub name: &'static str,
    /// Whether it is there when its table does not say so.
    pub on: fn(&Context<'_>) -> bool,
    /// Adds what it adds. `Err` names the setting that is wrong.
    pub register: fn(&mut Registry, &Context<'_>) -> Result<(), String>,
}

/// What an extension may build on.
pub struct Context<'a> {
    /// Its own table, without `enabled`.
    pub settings: toml::Table,
    /// The way out that the base's methods use: the resolver, what may be dialled, the clock.
    pub network: Arc<Network>,
    /// The names by which CAA records mean this authority.
    pub caa_identities: &'a [String],
    pub account_url: AccountUrl,
}

impl Context<'_> {
    /// The extension's own settings, in its own type, which refuses keys it does not know.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.settings
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// The names by which records mean this authority, for an extension that needs one.
    pub fn named(&self) -> Result<Vec<String>, String> {
        match self.caa_identities.is_empty() {
            false => Ok(self.caa_identities.to_vec()),
            true => {
                Err("enabled: acme.caa_identities is empty; name there what records call this authority".to_owned())
            }
        }
    }

    /// For an extension that has none.
    pub fn without_settings(&self) -> Result<(), String> {
        match self.settings.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("{key}: there is no such setting; there is only enabled")),
        }
    }
}

fn caa(registry: &mut Registry, context: &Context<'_>) -> Result<(), String> {
    context.without_settings()?;
    let identities = context.named()?;
    registry.add_check(Arc::new(CaaCheck::new(
        context.network.resolver.clone(),
        identities,
        context.account_url.clone(),
        context.network.clock.clone(),
    )));
    Ok(())
}
