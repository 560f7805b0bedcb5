//! `[extensions.email-reply]`, from its settings.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use ::email_reply::server::{
    InboxSettings,
    address::Addresses,
    outbox::Limits,
    transport::{
        listener::Protocol,
        sender::{Route, Tls},
    },
};
use ::mail::{
    dkim::{self, Signer, SigningKey, coverage::Coverage},
    message::domain::Domain,
    reply::Policy,
};
use validation::dns_client;

use super::{Added, Context, mail_name::own_name};
use crate::files;

pub(super) fn register(added: &mut Added, context: &Context<'_>) -> Result<(), String> {
    let settings: config::EmailReply = context.settings()?;
    ::email_reply::register(&mut added.registry, &context.network);
    // Mail comes to one place: who looks from elsewhere needs neither its keys nor its port.
    let Some(domain) = settings.domain.as_ref().filter(|_| !context.only_looks) else {
        return Ok(());
    };
    let addresses = Addresses::new(&settings.local_part, domain)?;
    if let Some(profile) = settings
        .profiles
        .iter()
        .find(|profile| !context.profiles.contains_key(*profile))
    {
        return Err(format!("profiles: there is no profile {profile:?}"));
    }
    let window = settings.window.duration();
    if window > LONGEST_WINDOW || window.is_zero() {
        return Err(format!(
            "window: \"{}\" is outside of what S/MIME Baseline Requirements §3.2.2.2 allows, which is 24 hours",
            settings.window
        ));
    }
    let host = own_name("host", settings.host.clone(), context.external_url)?;
    let an_hour = |count| authority::Limit {
        count,
        period: Duration::from_secs(3600),
    };
    let signature = ::mail::authentication::Policy {
        coverage: match settings.coverage {
            config::Coverage::Strict => Coverage::Strict,
            config::Coverage::Present => Coverage::Present,
            config::Coverage::Essential => Coverage::Essential,
        },
        least_rsa_bits: settings.least_rsa_bits.max(dkim::LEAST_RSA_BITS),
    };
    let inbox = InboxSettings {
        listen: settings.listen,
        protocol: match settings.protocol {
            config::MailProtocol::Smtp => Protocol::Smtp,
            config::MailProtocol::Lmtp => Protocol::Lmtp,
        },
        tls: tls(&settings, context.folder)?,
        policy: Policy {
            signature,
            ..Policy::default()
        },
        spf: match settings.direct && settings.protocol == config::MailProtocol::Smtp {
            true => Some(resolver(context.resolvers)?),
            false => None,
        },
    };
    let service = ::email_reply::server::register(
        &mut added.registry,
        &context.network,
        ::email_reply::server::Settings {
            signers: signers(&settings, addresses.domain(), context.folder)?,
            addresses,
            authority: settings.name.clone(),
            host,
            route: route(&settings, context)?,
            window,
            limits: Limits {
                per_mailbox: an_hour(settings.per_mailbox),
                per_domain: an_hour(settings.per_domain),
                per_account: an_hour(settings.per_account),
            },
            profiles: settings.profiles.clone(),
            inbox,
        },
    );
    added.services.push(Box::new(service));
    Ok(())
}

/// 8823-3.1-3: an unsigned challenge mail is one that nobody may answer.
fn signers(settings: &config::EmailReply, domain: &Domain, folder: &Path) -> Result<Vec<Signer>, String> {
    if settings.dkim.is_empty() {
        return Err(
            "dkim: no key signs the challenge mails, and clients answer no others; name a selector and a key \
                    file, like dkim = { s1 = \"dkim.pem\" }"
                .to_owned(),
        );
    }
    let each = settings.dkim.iter().map(|(selector, file)| {
        let file = folder.join(file);
        let key = SigningKey::from_pem(&files::read(&file)?).map_err(|_| {
            format!(
                "dkim.{selector}: {} is no RSA or Ed25519 key as PKCS#8 in PEM",
                file.display()
            )
        })?;
        Signer::new(domain.clone(), selector, key).ok_or_else(|| format!("dkim: {selector:?} is no selector"))
    });
    each.collect()
}

fn route(settings: &config::EmailReply, context: &Context<'_>) -> Result<Route, String> {
    let Some(relay) = &settings.relay else {
        return Ok(Route::Exchange {
            network: context.network.clone(),
            resolver: resolver(context.resolvers)?,
            port: 25,
        });
    };
    let wrong = || format!("relay: {relay:?} is not HOST:PORT, for example \"mail.example:587\"");
    let (host, port) = relay.rsplit_once(':').ok_or_else(wrong)?;
    let credentials = match (&settings.relay_user, &settings.relay_password_file) {
        (Some(user), Some(file)) => {
            let password = files::read(&context.folder.join(file))?;
            Some((user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, None) => None,
        _ => return Err("relay_user and relay_password_file belong together; name both or none".to_owned()),
    };
    if credentials.is_some() && settings.relay_tls != config::RelayTls::Required {
        return Err("relay_tls: a password is sent over TLS alone; set it to \"required\"".to_owned());
    }
    Ok(Route::Relay {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().map_err(|_| wrong())?,
        tls: match settings.relay_tls {
            config::RelayTls::Required => Tls::Required,
            config::RelayTls::IfOffered => Tls::IfOffered,
            config::RelayTls::Never => Tls::Never,
        },
        credentials,
    })
}

fn tls(settings: &config::EmailReply, folder: &Path) -> Result<Option<Arc<rustls::ServerConfig>>, String> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let (certificate, key) = match (&settings.tls_certificate, &settings.tls_key) {
        (Some(certificate), Some(key)) => (folder.join(certificate), folder.join(key)),
        (None, None) => return Ok(None),
        _ => return Err("tls_certificate and tls_key belong together; name both or none".to_owned()),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| format!("tls_certificate: {}: {error}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| format!("tls_key: {}: {error}", key.display()))?;
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = tls
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls_certificate: {error}"))?;
    Ok(Some(Arc::new(tls)))
}

fn resolver(resolvers: &[SocketAddr]) -> Result<SocketAddr, String> {
    let first = dns_client::resolver(resolvers.first().copied());
    first.ok_or_else(|| "direct: the system names no resolver; name one in validation.resolvers".to_owned())
}

const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);
