//! The command lines.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use acme::RevocationReason;
use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;

use super::{Output, account, issue, list, renew, revoke, show};
use crate::{
    account::Registration,
    binding::ExternalAccount,
    clock::SystemClock,
    contact::Contact,
    csr::KeyType,
    directory::Directory,
    error::Error,
    identifier::Identifier,
    retry::RetryPolicy,
    solver::SolverSettings,
    store::{CertificateName, Store},
    transport::{Transport, TransportSettings},
    trust::Trust,
};

/// Order, show, renew and revoke certificates
#[derive(Clone, Debug, Args)]
pub struct CertCommand {
    #[command(subcommand)]
    verb: CertVerb,
}

#[derive(Clone, Debug, Subcommand)]
enum CertVerb {
    /// Order a certificate, prove its names and install it
    Issue(Box<IssueArgs>),
    /// List the certificates that are here
    List(ListArgs),
    /// Show one certificate
    Show(ShowArgs),
    /// Renew what is due: when the CA suggests it, or when a third of the lifetime is left
    Renew(RenewArgs),
    /// Revoke a certificate
    Revoke(Box<RevokeArgs>),
}

impl CertCommand {
    pub async fn run(self, out: &mut Output) -> ExitCode {
        match self.verb {
            CertVerb::Issue(args) => issue::run(*args, out).await,
            CertVerb::List(args) => list::run(&args, out),
            CertVerb::Show(args) => show::run(&args, out),
            CertVerb::Renew(args) => renew::run(args, out).await,
            CertVerb::Revoke(args) => revoke::run(*args, out).await,
        }
    }
}

/// Show, change or end the account at a CA
#[derive(Clone, Debug, Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    verb: AccountVerb,
}

#[derive(Clone, Debug, Subcommand)]
enum AccountVerb {
    /// Show the account as the CA has it
    Show(AccountArgs),
    /// Replace the account's contacts
    Update(AccountUpdateArgs),
    /// Replace the account's key by a fresh one
    ChangeKey(AccountKeyArgs),
    /// End the account for good; its certificates stay valid
    Deactivate(AccountArgs),
}

impl AccountCommand {
    pub async fn run(self, out: &mut Output) -> ExitCode {
        match self.verb {
            AccountVerb::Show(args) => account::show(args, out).await,
            AccountVerb::Update(args) => account::update(args, out).await,
            AccountVerb::ChangeKey(args) => account::change_key(args, out).await,
            AccountVerb::Deactivate(args) => account::deactivate(args, out).await,
        }
    }
}

/// Where things are kept, and how results are printed.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// The folder for keys and certificates [default: ~/.vidimus]
    #[arg(long, env = "VIDIMUS_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl PlaceArgs {
    pub fn dir(&self) -> Result<PathBuf, Error> {
        let dir = self.dir.clone().or_else(Store::default_root);
        dir.ok_or_else(|| Error::Input("no home folder is known: give --dir".to_owned()))
    }

    pub fn store(&self) -> Result<Store, Error> {
        Ok(Store::open(self.dir()?)?)
    }
}

/// Which CA, and how to know it.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The URL of the CA's directory
    #[arg(long, env = "VIDIMUS_SERVER", value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub trust: TrustArgs,
}

#[derive(Clone, Debug, Args)]
pub struct TrustArgs {
    /// Trust these certificates for the CA's API, and no others
    #[arg(long, env = "VIDIMUS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Speak unencrypted HTTP with the CA, for tests
    #[arg(long, hide = true)]
    pub allow_http: bool,
}

impl TrustArgs {
    pub fn transport(&self) -> TransportSettings {
        TransportSettings {
            trust: self.ca_bundle.clone().map_or(Trust::Platform, Trust::Bundle),
            allow_http: self.allow_http,
            ..TransportSettings::default()
        }
    }

    pub fn directory(&self, server: &str) -> Result<Directory, Error> {
        let transport = Transport::new(self.transport())?;
        Ok(Directory::new(
            server,
            transport,
            RetryPolicy::default(),
            Arc::new(SystemClock),
        ))
    }
}

/// How names are proven.
#[derive(Clone, Debug, Args)]
pub struct SolverArgs {
    /// Prove names by http-01, listening here (80, 0.0.0.0:80, [::]:80)
    #[arg(long, value_name = "ADDR", help_heading = "Proving names")]
    pub standalone: Option<String>,
    /// Prove names by tls-alpn-01, listening here
    #[arg(long, value_name = "ADDR", help_heading = "Proving names")]
    pub tls_alpn: Option<String>,
    /// Prove names by http-01, with files below this web server's root
    #[arg(long, value_name = "DIR", help_heading = "Proving names")]
    pub webroot: Option<PathBuf>,
    /// Prove names by dns-01: runs CMD present|cleanup FQDN VALUE
    #[arg(long, value_name = "CMD", help_heading = "Proving names")]
    pub dns_hook: Option<String>,
}

impl SolverArgs {
    /// In the sequence in which they are tried.
    pub fn settings(self) -> Vec<SolverSettings> {
        let solvers = [
            self.standalone.map(SolverSettings::Standalone),
            self.tls_alpn.map(SolverSettings::TlsAlpn),
            self.webroot.map(SolverSettings::Webroot),
            self.dns_hook.map(SolverSettings::DnsHook),
        ];
        solvers.into_iter().flatten().collect()
    }
}

/// What a new account says of itself.
#[derive(Clone, Debug, Args)]
pub struct RegistrationArgs {
    /// Agree to the CA's terms of service
    #[arg(long, help_heading = "Account")]
    agree_tos: bool,
    /// How the CA may reach you: mailto:you@example.org; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Account")]
    contact: Vec<Contact>,
    /// The kind of account key: ec256, ec384, rsa2048, ed25519
    #[arg(long, default_value_t, value_name = "TYPE", help_heading = "Account")]
    pub account_key_type: KeyType,
    /// The key id that the CA gave you for an external account
    #[arg(long, value_name = "ID", help_heading = "Account", requires = "eab_hmac_key_file")]
    eab_kid: Option<String>,
    /// A file with the MAC key of the external account, in base64url
    #[arg(long, value_name = "FILE", help_heading = "Account", requires = "eab_kid")]
    eab_hmac_key_file: Option<PathBuf>,
}

impl RegistrationArgs {
    pub fn registration(self) -> Result<Registration, Error> {
        let external_account = match (self.eab_kid, self.eab_hmac_key_file) {
            (Some(key_id), Some(path)) => {
                let mac_key = std::fs::read_to_string(&path);
                let mac_key =
                    mac_key.map_err(|error| Error::Input(format!("cannot read {}: {error}", path.display())))?;
                Some(ExternalAccount::new(key_id, &mac_key).map_err(|what| Error::Input(what.to_owned()))?)
            }
            _ => None,
        };
        Ok(Registration {
            contacts: self.contact,
            terms_of_service_agreed: self.agree_tos,
            external_account,
        })
    }
}

#[derive(Clone, Debug, Args)]
#[command(group(
    ArgGroup::new("solver").required(true).multiple(true).args(["standalone", "tls_alpn", "webroot", "dns_hook", "onion"])
))]
pub(super) struct IssueArgs {
    /// Hosts, wildcards and addresses to certify
    #[arg(value_name = "NAME", required_unless_present = "csr", conflicts_with = "csr")]
    pub(super) names: Vec<Identifier>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) place: PlaceArgs,

    #[command(flatten)]
    pub(super) solvers: SolverArgs,
    /// Prove .onion names by onion-csr-01, with the key in this HiddenServiceDir; may be repeated. A public CA's logs make
    /// the service's address public
    #[arg(long, value_name = "DIR", help_heading = "Proving names")]
    pub(super) onion: Vec<PathBuf>,
    /// The CAA records of the hidden services, in a file as their descriptors have them
    #[arg(long, value_name = "FILE", requires = "onion", help_heading = "Proving names")]
    pub(super) onion_caa: Option<PathBuf>,

    /// Prove this domain by dns-01 in place of the names below it, where the CA takes that; may be repeated
    #[arg(long, value_name = "DOMAIN", requires = "dns_hook", help_heading = "Proving names")]
    pub(super) ancestor: Vec<Identifier>,

    /// Call the certificate so on disk, instead of by its first name
    #[arg(long = "name", value_name = "CERT", help_heading = "Certificate")]
    pub(super) certificate_name: Option<CertificateName>,
    /// The kind of key: ec256, ec384, rsa2048, ed25519
    #[arg(long, default_value_t, value_name = "TYPE", help_heading = "Certificate")]
    pub(super) key_type: KeyType,
    /// Keep the key of the certificate that is replaced
    #[arg(long, conflicts_with = "csr", help_heading = "Certificate")]
    pub(super) reuse_key: bool,
    /// Send this certificate request; names come from it and no key is written
    #[arg(long, value_name = "FILE", help_heading = "Certificate")]
    pub(super) csr: Option<PathBuf>,
    /// Prefer the chain that leads to a certificate with this common name
    #[arg(long, value_name = "COMMON-NAME", help_heading = "Certificate")]
    pub(super) preferred_chain: Option<String>,
    /// Ask for one of the CA's profiles, also when renewing
    #[arg(long, value_name = "PROFILE", help_heading = "Certificate")]
    pub(super) profile: Option<String>,
    /// Ask for a certificate that begins then (RFC 3339)
    #[arg(long, value_name = "TIME", help_heading = "Certificate")]
    pub(super) not_before: Option<Timestamp>,
    /// Ask for a certificate that ends then (RFC 3339)
    #[arg(long, value_name = "TIME", help_heading = "Certificate")]
    pub(super) not_after: Option<Timestamp>,
    /// Order again without the names that the CA refuses
    #[arg(long, help_heading = "Certificate")]
    pub(super) skip_rejected: bool,

    #[command(flatten)]
    pub(super) registration: RegistrationArgs,

    /// Wait so long for another process at work on the same certificate
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) lock_wait: Duration,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// What the certificate is called on disk
    #[arg(value_name = "CERT")]
    pub(super) name: CertificateName,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct RenewArgs {
    /// Only these certificates
    #[arg(value_name = "CERT")]
    pub(super) names: Vec<CertificateName>,
    /// Renew also what is not due
    #[arg(long)]
    pub(super) force: bool,
    /// Say what is due and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Wait so long for another process at work on the same certificate
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) lock_wait: Duration,
}

#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["name", "cert"])))]
pub(super) struct RevokeArgs {
    /// What the certificate is called on disk
    #[arg(value_name = "CERT")]
    pub(super) name: Option<CertificateName>,
    /// The certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) cert: Option<PathBuf>,
    /// Why: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(super) reason: Option<RevocationReason>,
    /// Sign with the certificate's own key in this PEM file instead of the account's
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// The URL of the CA's directory, if it is not the one that the certificate was ordered from
    #[arg(long, env = "VIDIMUS_SERVER", value_name = "URL")]
    pub(super) server: Option<String>,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AccountArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AccountUpdateArgs {
    #[command(flatten)]
    pub(super) account: AccountArgs,
    /// The new contacts; without any the old ones are removed
    #[arg(long, value_name = "URL")]
    pub(super) contact: Vec<Contact>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct AccountKeyArgs {
    #[command(flatten)]
    pub(super) account: AccountArgs,
    /// The kind of the new key: ec256, ec384, rsa2048, ed25519
    #[arg(long, default_value_t, value_name = "TYPE")]
    pub(super) account_key_type: KeyType,
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .map(Duration::from_secs)
        .map_err(|_| format!("{text:?} is not a number of seconds"))
}

/// By name as RFC 5280 §5.3.1 writes it, or by number.
fn reason(text: &str) -> Result<RevocationReason, String> {
    let by_number = text.parse().ok().and_then(RevocationReason::from_code);
    let by_name = || {
        REASONS
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, reason)| reason)
    };
    by_number
        .or_else(by_name)
        .ok_or_else(|| format!("{text:?} is not one of {}", REASONS.map(|(name, _)| name).join(", ")))
}

const REASONS: [(&str, RevocationReason); 6] = [
    ("unspecified", RevocationReason::Unspecified),
    ("keyCompromise", RevocationReason::KeyCompromise),
    ("affiliationChanged", RevocationReason::AffiliationChanged),
    ("superseded", RevocationReason::Superseded),
    ("cessationOfOperation", RevocationReason::CessationOfOperation),
    ("privilegeWithdrawn", RevocationReason::PrivilegeWithdrawn),
];

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cert {
        #[command(flatten)]
        _command: CertCommand,
    }

    fn parses(arguments: &str) -> bool {
        Cert::try_parse_from(format!("cert {arguments}").split(' ')).is_ok()
    }

    #[test]
    fn the_fixed_surface_parses() {
        Cert::command().debug_assert();
        for solver in [
            "--standalone 127.0.0.1:5002",
            "--tls-alpn :5001",
            "--webroot /srv/www",
            "--dns-hook ./hook",
            "--onion /var/lib/tor/hs --onion ./other --onion-caa caa.txt",
        ] {
            let server = "--server https://ca.test/directory --ca-bundle root.pem --dir d";
            assert!(
                parses(&format!("issue a.test *.b.test 192.0.2.1 {server} {solver}")),
                "{solver}"
            );
        }
        assert!(parses(
            "issue --csr r.pem --server https://ca.test/directory --webroot w --json"
        ));
        assert!(parses(
            "issue a.b.test --ancestor b.test --server https://ca.test/directory --dns-hook ./hook"
        ));
        assert!(parses("revoke a.test --reason keyCompromise"));
        assert!(parses(
            "revoke --cert c.pem --key k.pem --server https://ca.test/directory --reason 1"
        ));
        assert!(parses("renew --force a.test b.test"));
    }

    // 8555-7.3-9 among them
    #[test]
    fn what_is_missing_or_too_much_is_wrong_usage() {
        for arguments in [
            "issue a.test --server https://ca.test/directory",
            "issue --server https://ca.test/directory --standalone :80",
            "issue a.test --standalone :80",
            "issue a..test --server https://ca.test/directory --standalone :80",
            "issue a.test --server https://ca.test/directory --standalone :80 --contact mailto:a@x,b@x",
            "issue a.test --server https://ca.test/directory --standalone :80 --key-type dsa",
            "issue a.test --server https://ca.test/directory --standalone :80 --name ../x",
            "issue a.b.test --server https://ca.test/directory --standalone :80 --ancestor b.test",
            "revoke",
            "revoke --cert c.pem",
            "revoke a.test --reason 7",
        ] {
            assert!(!parses(arguments), "{arguments}");
        }
    }
}
