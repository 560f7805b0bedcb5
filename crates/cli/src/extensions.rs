//! Every extension, one entry each.

use std::sync::Arc;

use authority::{Registry, model::AccountId};
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
    pub account_url: Arc<dyn Fn(AccountId) -> String + Send + Sync>,
}

impl Context<'_> {
    /// The extension's own settings, in its own type, which refuses keys it does not know.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.settings
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned())
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
    if context.caa_identities.is_empty() {
        let why = "enabled: acme.caa_identities is empty; name there what CAA records call this authority";
        return Err(why.to_owned());
    }
    registry.add_check(Arc::new(CaaCheck::new(
        context.network.resolver.clone(),
        context.caa_identities.to_vec(),
        context.account_url.clone(),
        context.network.clock.clone(),
    )));
    Ok(())
}
