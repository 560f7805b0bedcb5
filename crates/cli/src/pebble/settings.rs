//! From Pebble's configuration to ours.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32};

use config::{Config, ExternalAccounts, Issuer, Profile, Span};

use super::{
    environment::Behaviour,
    file::{self, File},
    hierarchy::{KEY_FILE, chain_file},
};
use crate::{compose::IN_MEMORY, init::first_config};

/// A configuration whose files are those of a [`Hierarchy`](super::hierarchy::Hierarchy).
pub fn of(
    file: &File,
    behaviour: &Behaviour,
    resolver: Option<SocketAddr>,
    external_url: &str,
) -> Result<Config, String> {
    let nowhere_in_particular = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = first_config(nowhere_in_particular, external_url.to_owned());
    config.admin.listen = nowhere_in_particular;
    config.database.url = IN_MEMORY.to_owned();
    config.server.orders_per_page = behaviour.orders_per_page;
    config.server.lease = seconds(LEASE + behaviour.sleep.unwrap_or(0))?;
    config.validation.http_port = file.http_port;
    config.validation.tls_port = file.tls_port;
    config.validation.resolvers = resolver.into_iter().collect();
    // Tests run where nothing is public.
    config.validation.allow_networks = EVERYTHING.iter().filter_map(|network| network.parse().ok()).collect();
    // Tests of failures wait for the first.
    config.validation.attempts = 1;
    config.acme.terms_of_service = Some(TERMS.to_owned());
    config.acme.external_accounts = match file.external_account_binding_required {
        true => ExternalAccounts::Required,
        false => ExternalAccounts::Optional,
    };
    config.acme.reuse_authorizations = match behaviour.authorization_reuse {
        0 => seconds(0)?,
        _ => config.acme.authorization_lifetime,
    };
    match &file.caa_identities {
        Some(identities) if !identities.is_empty() => config.acme.caa_identities = identities.clone(),
        // The resolvers of tests are not all made for questions about CAA, and nobody asked for it.
        _ => {
            config.acme.caa_identities = vec![CAA_IDENTITY.to_owned()];
            let off = toml::Table::from_iter([("enabled".to_owned(), toml::Value::Boolean(false))]);
            config.extensions.insert("caa".to_owned(), off);
        }
    }
    config.issuer = BTreeMap::from([(
        ISSUER.to_owned(),
        Issuer {
            certificate: Some(chain_file(0)),
            key: Some(KEY_FILE.into()),
            crl_shards: NonZeroU32::MIN,
            crl_lifetime: seconds(CRL_LIFETIME)?,
            ocsp: false,
            alternates: (1..=behaviour.alternate_roots).map(chain_file).collect(),
            ..Issuer::default()
        },
    )]);
    config.profile = profiles(file)?;
    let named_default = config.profile.contains_key("default").then_some("default");
    let default = named_default.or(config.profile.keys().next().map(String::as_str));
    config.acme.default_profile = default.unwrap_or("default").to_owned();
    Ok(config)
}

fn profiles(file: &File) -> Result<BTreeMap<String, Profile>, String> {
    let mut wanted = file.profiles.clone();
    if wanted.is_empty() {
        let only = file::Profile {
            description: "The one profile of this run".to_owned(),
            validity_period: file.certificate_validity_period,
        };
        wanted.insert("default".to_owned(), only);
    }
    let profiles = wanted.into_iter().map(|(name, wanted)| {
        let validity_period = wanted.validity_period;
        if validity_period > LONGEST_VALIDITY {
            return Err(format!(
                "profiles: {name}: a certificate of {validity_period} seconds outlives its issuer; \
                 {LONGEST_VALIDITY} is the most"
            ));
        }
        let profile = Profile {
            description: wanted.description,
            issuer: ISSUER.to_owned(),
            lifetime: seconds(if validity_period == 0 {
                VALIDITY
            } else {
                validity_period
            })?,
            // Tests have certificates of seconds, and one clock.
            backdate: seconds(0)?,
            common_name: false,
            client_auth: false,
            purpose: config::Purpose::Tls,
        };
        Ok((name, profile))
    });
    profiles.collect()
}

fn seconds(seconds: u64) -> Result<Span, String> {
    format!("{seconds}s").parse()
}

const ISSUER: &str = "issuing";
const EVERYTHING: &[&str] = &["0.0.0.0/0", "::/0"];
const CAA_IDENTITY: &str = "pebble.letsencrypt.org";
const TERMS: &str = "data:text/plain,For%20tests%20only";
const LEASE: u64 = 60;
/// Of lists that no certificate names.
const CRL_LIFETIME: u64 = 24 * 60 * 60;
/// 90 days.
const VALIDITY: u64 = 7_776_000;
/// A year less than the issuer has.
const LONGEST_VALIDITY: u64 = 29 * 365 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(members: &str) -> Result<Config, String> {
        let file = File::parse(&format!(r#"{{"pebble": {{{members}}}}}"#)).unwrap();
        of(&file, &Behaviour::of_environment(), None, "https://localhost:14000")
    }

    #[test]
    fn a_configuration_is_one_that_serve_would_take() {
        for members in [
            "",
            r#""httpPort": 80, "profiles": {"short": {"validityPeriod": 20}, "long": {"validityPeriod": 914544000}}"#,
            r#""certificateValidityPeriod": 1000, "caaIdentities": ["ca.example"]"#,
        ] {
            let config = config(members).unwrap();
            Config::parse(&config.to_toml().unwrap()).unwrap_or_else(|error| panic!("{members}: {error}"));
        }
    }

    #[test]
    fn profiles_have_their_validity_periods_and_one_is_the_default() {
        let config = config(r#""profiles": {"b": {"validityPeriod": 20}, "a": {}}"#).unwrap();
        assert_eq!(config.profile["b"].lifetime.seconds(), 20);
        assert_eq!(config.profile["a"].lifetime.seconds(), VALIDITY);
        assert_eq!(config.acme.default_profile, "a");
    }

    #[test]
    fn a_certificate_that_would_outlive_its_issuer_is_refused_at_the_start() {
        let error = config(r#""certificateValidityPeriod": 9000000000"#).unwrap_err();
        assert!(error.contains("9000000000"), "{error}");
    }
}
