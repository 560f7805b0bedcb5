//! The command lines of `vidimus mail`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use client::{
    KeyType,
    commands::{PlaceArgs, RegistrationArgs, ServerArgs, SolverArgs, seconds},
    store::CertificateName,
};

use super::{
    daemon::{Daemon, Dovecot, Postfix, WordsFile},
    kind::Kind,
    lookup::Lookup,
    settings::InstallPlace,
};
use crate::service::Service;

/// Where the services are.
#[derive(Clone, Debug, Args)]
pub(super) struct LookArgs {
    /// Dial this address, whatever the DNS says
    #[arg(long, value_name = "ADDR", help_heading = "Services")]
    pub connect: Option<IpAddr>,
    /// Ask this resolver instead of the system's
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Services")]
    pub resolver: Option<SocketAddr>,
    /// Where a service listens that does not listen where it should: submission:10587; may be repeated
    #[arg(long = "port", value_name = "SERVICE:PORT", value_parser = port, help_heading = "Services")]
    pub ports: Vec<(Service, u16)>,
    /// auto (those that listen), or a list: smtp,submission,submissions,imap,imaps,pop3,pop3s,lmtp,sieve
    #[arg(long, value_name = "LIST", default_value = "auto", value_parser = services, help_heading = "Services")]
    pub services: Services,
}

/// None named means all that listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Services(pub Vec<Service>);

impl LookArgs {
    pub fn lookup(&self) -> Lookup {
        Lookup {
            connect: self.connect,
            resolver: self.resolver,
            ports: self.ports(),
        }
    }

    pub fn ports(&self) -> BTreeMap<Service, u16> {
        self.ports.iter().copied().collect()
    }
}

/// Which mail programs are changed, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct DaemonArgs {
    /// Postfix: its greeting for proofs, its certificate
    #[arg(long, help_heading = "Mail programs")]
    postfix: bool,
    /// The folder of its main.cf [default: Postfix's own]
    #[arg(long, value_name = "DIR", help_heading = "Mail programs")]
    postfix_config: Option<PathBuf>,
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "postconf",
        help_heading = "Mail programs"
    )]
    postconf: PathBuf,
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "postfix",
        help_heading = "Mail programs"
    )]
    postfix_program: PathBuf,
    /// Dovecot: its greeting for proofs, its certificate
    #[arg(long, help_heading = "Mail programs")]
    dovecot: bool,
    /// Its main configuration file [default: /etc/dovecot/dovecot.conf]
    #[arg(long, value_name = "FILE", help_heading = "Mail programs")]
    dovecot_config: Option<PathBuf>,
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "doveconf",
        help_heading = "Mail programs"
    )]
    doveconf: PathBuf,
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "doveadm",
        help_heading = "Mail programs"
    )]
    doveadm: PathBuf,
    /// A file that other programs read their words from: Exim's smtp_banner, `vidimus mail proxy`
    #[arg(long, value_name = "FILE", help_heading = "Mail programs")]
    words_file: Option<PathBuf>,
}

impl DaemonArgs {
    pub fn daemons(&self) -> Vec<Daemon> {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        // A name without a slash is looked up in PATH.
        let program = |path: &PathBuf| match path.components().count() {
            0 | 1 => path.clone(),
            _ => absolute(path),
        };
        let mut daemons = Vec::new();
        if self.postfix || self.postfix_config.is_some() {
            daemons.push(Daemon::Postfix(Postfix {
                config: self.postfix_config.as_ref().map(absolute),
                postconf: program(&self.postconf),
                postfix: program(&self.postfix_program),
            }));
        }
        if self.dovecot || self.dovecot_config.is_some() {
            let config = self.dovecot_config.as_ref().map(absolute);
            daemons.push(Daemon::Dovecot(Dovecot {
                config: config.unwrap_or_else(|| "/etc/dovecot/dovecot.conf".into()),
                doveconf: program(&self.doveconf),
                doveadm: program(&self.doveadm),
            }));
        }
        if let Some(path) = &self.words_file {
            daemons.push(Daemon::WordsFile(WordsFile { path: absolute(path) }));
        }
        daemons
    }
}

/// Where the certificate goes.
#[derive(Clone, Debug, Args)]
pub(super) struct InstallPlaceArgs {
    /// Copy the chain here and point the programs to it, instead of to the store
    #[arg(long, value_name = "FILE", requires = "key_file", help_heading = "Installation")]
    cert_file: Option<PathBuf>,
    /// Copy the key here, for its owner alone
    #[arg(long, value_name = "FILE", requires = "cert_file", help_heading = "Installation")]
    key_file: Option<PathBuf>,
    /// Run this afterwards, with VIDIMUS_NAME, VIDIMUS_FULLCHAIN and VIDIMUS_KEY set
    #[arg(long, value_name = "CMD", help_heading = "Installation")]
    exec: Option<String>,
}

impl InstallPlaceArgs {
    pub fn place(&self) -> InstallPlace {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        InstallPlace {
            cert_file: self.cert_file.as_ref().map(absolute),
            key_file: self.key_file.as_ref().map(absolute),
            exec: self.exec.clone(),
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct ScanArgs {
    /// The host that the services are at
    #[arg(value_name = "HOST")]
    pub host: String,
    /// The domain of the mail addresses: its SRV records, and whether certificates are good for it
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    #[command(flatten)]
    pub look: LookArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct MailIssueArgs {
    /// The host that the services are at
    #[arg(value_name = "HOST")]
    pub host: String,
    /// The domain of the mail addresses. It is certified too if --dns-hook, --webroot or --standalone can prove it, or --srv
    /// where the CA takes that
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Ask for an SRV-ID a service (_imaps.DOMAIN) too, and for the domain, by SRV records in a signed zone; left out with a
    /// sentence where the CA issues none
    #[arg(long)]
    pub srv: bool,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub daemons: DaemonArgs,
    #[command(flatten)]
    pub install: InstallPlaceArgs,
    #[command(flatten)]
    pub solvers: SolverArgs,
    /// Prove by this type where the CA offers it, instead of by mail-greeting-01 and mail-srv-01; may be repeated, and the
    /// first that fits counts
    #[arg(long = "challenge", value_name = "TYPE", value_parser = kind, help_heading = "Proving names")]
    pub challenges: Vec<Kind>,
    /// Call the certificate so on disk, instead of by the host's name
    #[arg(long = "name", value_name = "CERT", help_heading = "Certificate")]
    pub certificate_name: Option<CertificateName>,
    /// The kind of key: ec256, ec384, rsa2048, ed25519
    #[arg(long, default_value_t, value_name = "TYPE", help_heading = "Certificate")]
    pub key_type: KeyType,
    /// Keep the key of the certificate that is replaced
    #[arg(long, help_heading = "Certificate")]
    pub reuse_key: bool,
    /// One of the CA's profiles [default: mail, if the CA has it]
    #[arg(long, value_name = "PROFILE", help_heading = "Certificate")]
    pub profile: Option<String>,
    #[command(flatten)]
    pub registration: RegistrationArgs,
    /// Wait so long for another process at work on mail
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub lock_wait: Duration,
}

#[derive(Clone, Debug, Args)]
pub(super) struct InstallArgs {
    /// What the certificate is called on disk
    #[arg(value_name = "CERT")]
    pub name: CertificateName,
    /// The host to dial afterwards [default: the first name of the certificate]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The domain of the mail addresses
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub daemons: DaemonArgs,
    #[command(flatten)]
    pub install: InstallPlaceArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct MailRenewArgs {
    /// Only these certificates
    #[arg(value_name = "CERT")]
    pub names: Vec<CertificateName>,
    /// Renew also what is not due
    #[arg(long)]
    pub force: bool,
    /// Say what is due and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Wait so long for another process at work on mail
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub lock_wait: Duration,
}

#[derive(Clone, Debug, Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
}

fn port(text: &str) -> Result<(Service, u16), String> {
    let (service, port) = text
        .split_once(':')
        .ok_or_else(|| format!("{text:?} is not SERVICE:PORT, submission:10587 for example"))?;
    let port = port.parse().ok().filter(|port| *port != 0);
    Ok((known(service)?, port.ok_or_else(|| format!("{text:?} names no port"))?))
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::from_method(text).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::method).join(", ");
        format!(
            "{text:?} is none of {names}; --dns-hook, --standalone and the like are for the types that all CAs have"
        )
    })
}

fn services(text: &str) -> Result<Services, String> {
    match text {
        "auto" => Ok(Services::default()),
        list => list.split(',').map(known).collect::<Result<_, _>>().map(Services),
    }
}

pub(super) fn known(name: &str) -> Result<Service, String> {
    Service::from_name(name).ok_or_else(|| {
        let names = Service::ALL.map(Service::name).join(", ");
        format!("{name:?} is no mail service: {names}")
    })
}
