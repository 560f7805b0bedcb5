//! The operator's choices, as the authority takes them.

use std::{collections::HashSet, path::Path};

use authority::{
    ExternalAccounts, Policy,
    operations::{Limits, Uncounted},
};
use config::Config;

use crate::files;

pub(super) fn policy(config: &Config, folder: &Path) -> Result<Policy, String> {
    let (lease, limit) = (config.server.lease.duration(), Policy::default().issuance_limit);
    if lease.is_zero() || lease >= limit {
        return Err(format!(
            "server.lease: \"{}\" is not more than nothing and less than {} s, after which nothing is signed any more; \
             name something between",
            config.server.lease,
            limit.as_secs()
        ));
    }
    let asking = config
        .perspectives
        .as_ref()
        .map(|settings| settings.time_limit.duration());
    let asking = asking.unwrap_or_default();
    let blocked_keys = match &config.acme.blocked_keys {
        Some(file) => blocked_keys(&folder.join(file))?,
        None => HashSet::new(),
    };
    Ok(Policy {
        order_lifetime: config.acme.order_lifetime.duration(),
        authorization_lifetime: config.acme.authorization_lifetime.duration(),
        identifiers_per_order: config.acme.identifiers_per_order,
        terms_of_service: config.acme.terms_of_service.clone(),
        agree_again: config.acme.agree_again,
        external_accounts: match config.acme.external_accounts {
            config::ExternalAccounts::Off => ExternalAccounts::Off,
            config::ExternalAccounts::Optional => ExternalAccounts::Optional,
            config::ExternalAccounts::Required => ExternalAccounts::Required,
        },
        limits: Limits {
            help: config.acme.limits_help.clone(),
            uncounted: match config.acme.limits_unavailable {
                config::Uncounted::Refuse => Uncounted::Refuse,
                config::Uncounted::Serve => Uncounted::Serve,
            },
            ..match config.acme.limits {
                config::LimitsPreset::None => Limits::none(),
                config::LimitsPreset::Private => Limits::private(),
                config::LimitsPreset::Public => Limits::public(),
            }
        },
        registered_domain,
        reuse_authorizations: config.acme.reuse_authorizations.duration(),
        default_profile: config.acme.default_profile.clone(),
        validation_wait: config.validation.wait.duration(),
        validation_attempts: config.validation.attempts,
        validation_retry: config.validation.retry_after.duration(),
        lease,
        longest_attempt: Policy::default().longest_attempt + asking,
        blocked_keys,
        ..Policy::default()
    })
}

fn blocked_keys(file: &Path) -> Result<HashSet<[u8; 32]>, String> {
    let text = files::read(file)?;
    let lines = text
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|(number, line)| {
        pkix::hex::decode(line)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| format!("{}, line {}: not 64 hexadecimal digits", file.display(), number + 1))
    });
    keys.collect()
}

/// The domain under a public suffix, which is one holder's.
pub fn registered_domain(name: &str) -> Option<String> {
    // An SRV-ID has its service before the domain (RFC 4985 §2).
    let domain = match name.strip_prefix('_').and_then(|rest| rest.split_once('.')) {
        Some((_, domain)) => domain,
        None => name.trim_start_matches("*."),
    };
    psl::domain_str(domain).map(str::to_owned)
}
