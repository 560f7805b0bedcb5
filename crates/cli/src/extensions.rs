//! Every extension, one entry each.

mod email_reply;
mod email_tls;
mod mail_name;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::ExitCode, sync::Arc, time::Duration};

use authority::{
    Authority, Registry,
    ports::{AccountUrl, BoxFuture},
};
use caa::CaaCheck;
use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use server::{OpenResource, Page};
use validation::dial::Network;

use crate::compose::registered_domain;

/// The documents beyond the base that this program knows.
pub const EXTENSIONS: &[Extension] = &[
    Extension {
        name: "ari",
        on: |_| true,
        register: ari,
    },
    Extension {
        name: "caa",
        on: |context| !context.caa_identities.is_empty(),
        register: caa,
    },
    // Never on by itself: ordinary clients cannot order where it is.
    Extension {
        name: "csr-first",
        on: |_| false,
        register: |added, context| {
            let settings = context.settings()?;
            csr_first::register(&mut added.registry, &settings, context.external_url);
            csr_first::describe(&mut added.meta, &settings);
            added.pages.push(csr_first::page(&settings));
            Ok(())
        },
    },
    // Never on by themselves: clients in use fail on types they do not know, and take the first that begins with `dns`,
    // so these come after the base's.
    Extension {
        name: "dns-account",
        on: |_| false,
        register: |added, context| {
            context.without_settings()?;
            dns_account::register(
                &mut added.registry,
                context.network.clone(),
                context.account_url.clone(),
            );
            Ok(())
        },
    },
    Extension {
        name: "dns-persist",
        on: |_| false,
        register: |added, context| {
            context.without_settings()?;
            let (network, account_url) = (context.network.clone(), context.account_url.clone());
            dns_persist::register(&mut added.registry, network, account_url, context.named()?);
            Ok(())
        },
    },
    // Never on by itself: certificates for people are a service of its own.
    Extension {
        name: "email-reply",
        on: |_| false,
        register: email_reply::register,
    },
    // Never on by itself: SRV-IDs are for private authorities and those of a sector.
    Extension {
        name: "email-tls",
        on: |_| false,
        register: email_tls::register,
    },
    Extension {
        name: "ip",
        on: |_| true,
        register: |added, context| context.without_settings().map(|()| ip::register(&mut added.registry)),
    },
    // Never on by itself: who issues for hidden services has decided to.
    Extension {
        name: "onion",
        on: |_| false,
        register: onion,
    },
    Extension {
        name: "profiles",
        on: |_| true,
        register: profiles,
    },
    // Never on by itself: it is the operator's to say that who controls a domain controls all below it (RFC 9444 §7.3).
    Extension {
        name: "subdomains",
        on: |_| false,
        register: |added, context| {
            context.without_settings()?;
            subdomains::register(&mut added.registry, registered_domain);
            subdomains::describe(&mut added.meta);
            Ok(())
        },
    },
];

/// What extensions add to the command line.
#[derive(Subcommand)]
pub enum ExtensionCommand {
    Mail(Box<::email_tls::client::MailCommand>),
    Smime(::email_reply::client::SmimeCommand),
}

impl ExtensionCommand {
    pub async fn run(self) -> ExitCode {
        let mut out = client::commands::Output::standard();
        match self {
            Self::Mail(command) => command.run(&mut out).await,
            Self::Smime(command) => command.run(&mut out).await,
        }
    }
}

pub struct Extension {
    /// Its folder, and its table `[extensions.NAME]`.
    pub name: &'static str,
    /// Whether it is there when its table does not say so.
    pub on: fn(&Context<'_>) -> bool,
    /// Adds what it adds. `Err` names the setting that is wrong.
    pub register: fn(&mut Added, &Context<'_>) -> Result<(), String>,
}

/// The base and what extensions have added to it.
#[derive(Default)]
pub struct Added {
    pub registry: Registry,
    /// Members of the directory's meta.
    pub meta: Map<String, Value>,
    /// What anybody may read.
    pub open: Vec<Arc<dyn OpenResource>>,
    /// What stands outside of every directory, for people.
    pub pages: Vec<Page>,
    /// What runs as long as the directory is served.
    pub services: Vec<Service>,
}

/// Once the directory is composed: listens, and gives back what then runs. `Err` names the setting that is wrong.
pub type Service = Box<dyn FnOnce(Authority) -> BoxFuture<'static, Result<BoxFuture<'static, ()>, String>> + Send>;

/// What an extension may build on.
pub struct Context<'a> {
    /// Its own table, without `enabled`.
    pub settings: toml::Table,
    /// What every URL of this server begins with.
    pub external_url: &'a str,
    /// The way out that the base's methods use: the resolver, what may be dialled, the clock.
    pub network: Arc<Network>,
    /// The names by which CAA records mean this authority.
    pub caa_identities: &'a [String],
    /// The profiles of the configuration, with what they are for.
    pub profiles: &'a BTreeMap<String, String>,
    /// Whether this process looks for another, which alone knows its profiles.
    pub only_looks: bool,
    pub account_url: AccountUrl,
    /// How long an order, and with it a challenge, may wait.
    pub order_lifetime: Duration,
    /// What the files that settings name are relative to.
    pub folder: &'a Path,
    /// Resolvers of the configuration; with none the system's are asked.
    pub resolvers: &'a [SocketAddr],
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

fn ari(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    let settings: config::Ari = context.settings()?;
    let retry_after = settings.retry_after.duration();
    if retry_after < SOONEST || retry_after > LATEST {
        return Err(format!(
            "retry_after: clients keep to nothing under a minute or over a day (RFC 9773 §4.3.2), and \"{}\" is \
             outside of that; name something between",
            settings.retry_after
        ));
    }
    ari::register(&mut added.registry);
    added.open.push(ari::resource(ari::Settings {
        retry_after,
        explanation_url: settings.explanation_url,
    }));
    Ok(())
}

const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(24 * 60 * 60);

fn profiles(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    context.without_settings()?;
    profiles::register(&mut added.registry);
    let (member, profiles) = profiles::meta(context.profiles.clone());
    added.meta.insert(member.to_owned(), profiles);
    Ok(())
}

fn onion(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    context.without_settings()?;
    if context.order_lifetime > onion::OLDEST_NONCE {
        return Err(
            "enabled: acme.order_lifetime is more than the 30 days after which a nonce may not be answered any more \
             (RFC 9799 §3.2); shorten it"
                .to_owned(),
        );
    }
    onion::register(
        &mut added.registry,
        context.caa_identities.to_vec(),
        context.account_url.clone(),
        context.network.clock.clone(),
    );
    onion::describe(&mut added.meta);
    Ok(())
}

fn caa(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    context.without_settings()?;
    let identities = context.named()?;
    added.registry.add_check(Arc::new(CaaCheck::new(
        context.network.resolver.clone(),
        identities,
        context.account_url.clone(),
        context.network.clock.clone(),
    )));
    Ok(())
}
