//! `[extensions.email-tls]`, from its settings.

use super::{Added, Context, mail_name::own_name};

pub(super) fn register(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    let settings: config::EmailTls = context.settings()?;
    if !context.only_looks && !context.profiles.contains_key(&settings.profile) {
        return Err(format!(
            "profile: there is no profile {:?}; make one, [profile.{}], for certificates of mail services",
            settings.profile, settings.profile
        ));
    }
    let ports = ::email_tls::server::Ports::new(&settings.ports, settings.relay, &settings.dial)?;
    let greets_as = own_name("greets_as", settings.greets_as, context.external_url)?;
    let settings = ::email_tls::server::Settings {
        profile: settings.profile,
        ports,
        drafted: settings.drafted,
        srv_by_domain: settings.srv_by_domain,
        domain_by_service: settings.domain_by_service,
        domain_by_srv: settings.domain_by_srv,
        greets_as,
    };
    ::email_tls::server::register(&mut added.registry, context.network.clone(), settings);
    Ok(())
}
