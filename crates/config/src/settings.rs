//! Every section and key. The doc comments are the manual: `page` reads this very file.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::Span;

/// `[server]`: the ACME API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where the API listens, HTTPS.
    pub listen: SocketAddr,
    /// How clients reach it. Every URL handed out begins with this, whatever host or proxy a request came through.
    pub external_url: String,
    /// The API's own certificate chain, PEM.
    #[serde(default = "tls_certificate")]
    pub tls_certificate: PathBuf,
    /// Its key, PKCS#8 PEM.
    #[serde(default = "tls_key")]
    pub tls_key: PathBuf,
    /// Base of the plain-HTTP URLs (CRL, issuer certificate, OCSP) that every certificate carries; without it certificates carry none and no CRL is published. Certificates keep the URLs that they were issued with, so choose a name that can stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_http: Option<String>,
    /// Where this node answers those URLs, plain HTTP; leave it out where another node does, or a proxy in front of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_listen: Option<SocketAddr>,
    /// Networks of proxies in front of this server: what they say of a client's address is believed, nobody else's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<ipnet::IpNet>,
    /// Where other nodes on the same database reach this one to have its nonces checked; loopback or a private network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// Folder for what this node keeps between runs (the nonce window of an orderly stop).
    #[serde(default = "state")]
    pub state: PathBuf,
    /// How long a read of an order or authorization that is being worked on may wait for it.
    #[serde(default = "hold")]
    pub hold: Span,
    /// Orders in one page of an account's list.
    #[serde(default = "orders_per_page")]
    pub orders_per_page: usize,
    /// How long a node may work on a validation or an issuance before another node, or the same one after a crash, takes it up.
    #[serde(default = "lease")]
    pub lease: Span,
}

/// `[admin]`: health and metrics, plain HTTP, for the operator alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where `/healthz`, `/readyz` and `/metrics` are answered.
    pub listen: SocketAddr,
}

/// `[database]`: where everything is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:FILE` for one node, `postgres://USER:PASSWORD@HOST/NAME` for one or many.
    pub url: String,
}

/// `[acme]`: what the directory says and what its orders live by.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// URL of terms that newAccount must agree to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    /// Whether accounts must agree again, on a page of this server, when that URL changes.
    pub agree_again: bool,
    /// Whether accounts are bound to keys that `vidimus ca eab add` hands out: `off`, `optional` or `required`.
    pub external_accounts: ExternalAccounts,
    /// Whether clients may have names authorized before they order (newAuthz); only where proofs count for later orders,
    /// see `reuse_authorizations`.
    pub pre_authorization: bool,
    /// How old a proof of control may be and still count for a new order; `0s`: every order proves anew.
    pub reuse_authorizations: Span,
    /// URL of a page about this authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// The names by which CAA records mean this authority. With none, CAA is not checked; with one, it is, at every
    /// issuance, unless `[extensions.caa] enabled = false`.
    pub caa_identities: Vec<String>,
    /// Rate limits: `none`, `private` (against loops and storms of one's own) or `public` (for everybody on the Internet).
    pub limits: LimitsPreset,
    /// When the limits cannot be read: `refuse` (with a time to come back) or `serve` (uncounted).
    pub limits_unavailable: Uncounted,
    /// URL of a page about the limits, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits_help: Option<String>,
    /// The profile of orders that name none.
    pub default_profile: String,
    /// How long an order may be worked on.
    pub order_lifetime: Span,
    /// How long a proof of control counts.
    pub authorization_lifetime: Span,
    /// The most identifiers in one order.
    pub identifiers_per_order: usize,
    /// File of SHA-256 fingerprints (hex, one a line) of SubjectPublicKeyInfo: keys that get neither account nor certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_keys: Option<PathBuf>,
}

/// A set of rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitsPreset {
    None,
    Private,
    Public,
}

/// What becomes of requests that cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncounted {
    Refuse,
    Serve,
}

/// Whether accounts are bound to keys of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalAccounts {
    Off,
    Optional,
    Required,
}

/// `[validation]`: how control is proved.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// The port of http-01; anything but 80 is for tests and closed networks.
    pub http_port: u16,
    /// The port of tls-alpn-01; anything but 443 is for tests and closed networks.
    pub tls_port: u16,
    /// Recursive resolvers as ADDRESS:PORT, tried in this sequence; empty means those of /etc/resolv.conf.
    pub resolvers: Vec<SocketAddr>,
    /// File of DNSSEC trust anchors (DNSKEY or DS records in zone file form); without it answers are not validated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_anchors: Option<PathBuf>,
    /// Networks that may be dialled although they are private or reserved, for example `["10.0.0.0/8"]`.
    pub allow_networks: Vec<ipnet::IpNet>,
    /// How long a challenge response waits for its validation before it answers `processing`.
    pub wait: Span,
    /// Attempts at a validation whose failure may pass by itself.
    pub attempts: u32,
    /// Time between attempts.
    pub retry_after: Span,
}

/// `[directory.NAME]`: one more directory, at `/NAME/directory`, with accounts of its own. A table that
/// it leaves out is as at the top; one that it has stands whole in that one's place, and keys left out there have their defaults.
/// Operators call the directory at the root `default`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    /// The profiles that can be ordered there; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// In place of all of `[acme]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// In place of all of `[validation]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// In place of all of `[extensions]`: what is on at the top has to be switched on here too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<BTreeMap<String, toml::Table>>,
}

/// `[issuer.NAME]`: who issues, by a CA certificate with its key, or by being asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    /// `own`: this server signs, with `certificate` and `key`. `command`: a program of the operator's is asked. `acme`: another ACME authority is, after names were proved here.
    pub kind: IssuerKind,
    /// `own`: the CA certificate, PEM, followed by those above it up to the root, which may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// `own`: its key, PKCS#8 PEM, mode 0600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// `own`: other chains for the same key and name, PEM, offered beside the first (`rel="alternate"`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternates: Vec<PathBuf>,
    /// `own`: over how many CRLs its certificates are spread. After a change certificates stay on the CRL that they name.
    pub crl_shards: NonZeroU32,
    /// `own`: time from a CRL's thisUpdate to its nextUpdate, and how long an OCSP response counts. A new CRL comes at half of it, and at once after a revocation.
    pub crl_lifetime: Span,
    /// `own`: whether its certificates name this server for OCSP, under `public_http`.
    pub ocsp: bool,
    /// `command`: the program's absolute path and its arguments. It reads JSON and writes JSON; no shell sees it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `acme`: the URL of its directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `acme`: roots for that server's own certificate, PEM; without it the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// `acme`: the key of this server's account there, PKCS#8 PEM, mode 0600. It is registered when it is first used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_key: Option<PathBuf>,
    /// `acme`: that its terms of service were read and are agreed to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub agree_to_terms: bool,
    /// `acme`: program that shows names to it by dns-01, as that of `vidimus cert issue --dns-hook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_hook: Option<String>,
    /// `acme`: web root by which names are shown to it by http-01.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webroot: Option<PathBuf>,
    /// `acme`: address on which this server itself shows names to it by http-01.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standalone: Option<String>,
    /// Not `own`: file of certificates, PEM, to which its chains must lead; without it any chain is taken whose every signature verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// `command`: how long one question may take.
    #[serde(skip_serializing_if = "is_default_time_limit")]
    pub time_limit: Span,
    /// Not `own`: how long after finalize the certificate may take; then the order fails.
    #[serde(skip_serializing_if = "is_default_patience")]
    pub patience: Span,
}

/// Who issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    #[default]
    Own,
    Command,
    Acme,
}

/// `[profile.NAME]`: a recipe for certificates.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is for, in a sentence for subscribers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The issuer that signs.
    pub issuer: String,
    /// Time from notBefore to notAfter, both included.
    #[serde(default = "lifetime")]
    pub lifetime: Span,
    /// How far notBefore lies in the past, for clocks that are behind.
    #[serde(default = "backdate")]
    pub backdate: Span,
    /// What certificates are for: `tls` (servers), or mailboxes: `email` (one key signs and decrypts), `email-signing`, `email-encryption`.
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether the first DNS name or mailbox of at most 64 characters also stands in the subject.
    #[serde(default)]
    pub common_name: bool,
    /// Whether the certificate may also authenticate TLS clients.
    #[serde(default)]
    pub client_auth: bool,
}

/// What certificates of a profile are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    #[default]
    Tls,
    Email,
    EmailSigning,
    EmailEncryption,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            kind: IssuerKind::Own,
            certificate: None,
            key: None,
            alternates: Vec::new(),
            crl_shards: crl_shards(),
            crl_lifetime: crl_lifetime(),
            ocsp: false,
            command: Vec::new(),
            server: None,
            ca_bundle: None,
            account_key: None,
            agree_to_terms: false,
            dns_hook: None,
            webroot: None,
            standalone: None,
            roots: None,
            time_limit: time_limit(),
            patience: patience(),
        }
    }
}

impl Issuer {
    /// Every key for its kind and no other: one that is not read would be one that somebody relies on.
    pub(crate) fn check(&self) -> Result<(), String> {
        let own = self.kind == IssuerKind::Own;
        let acme = self.kind == IssuerKind::Acme;
        let missing = [
            ("certificate", own && self.certificate.is_none()),
            ("key", own && self.key.is_none()),
            ("command", self.kind == IssuerKind::Command && self.command.is_empty()),
            ("server", acme && self.server.is_none()),
            ("account_key", acme && self.account_key.is_none()),
        ];
        let surplus = [
            ("certificate", !own && self.certificate.is_some()),
            ("key", !own && self.key.is_some()),
            ("alternates", !own && !self.alternates.is_empty()),
            ("command", self.kind != IssuerKind::Command && !self.command.is_empty()),
            ("server", !acme && self.server.is_some()),
            ("ca_bundle", !acme && self.ca_bundle.is_some()),
            ("account_key", !acme && self.account_key.is_some()),
            ("agree_to_terms", !acme && self.agree_to_terms),
            ("dns_hook", !acme && self.dns_hook.is_some()),
            ("webroot", !acme && self.webroot.is_some()),
            ("standalone", !acme && self.standalone.is_some()),
            ("roots", own && self.roots.is_some()),
        ];
        let kind = format!("{:?}", self.kind).to_lowercase();
        if let Some((key, _)) = missing.iter().find(|(_, missing)| *missing) {
            return Err(format!("{key}: it is missing; an issuer of kind \"{kind}\" needs it"));
        }
        if let Some((key, _)) = surplus.iter().find(|(_, surplus)| *surplus) {
            return Err(format!("{key}: an issuer of kind \"{kind}\" has no use for it"));
        }
        if let Some(server) = &self.server
            && !server.starts_with("https://")
        {
            return Err(format!(
                "server: {server:?} does not begin with https:// (RFC 8555 §6.1)"
            ));
        }
        match self.command.first() {
            Some(program) if !program.starts_with('/') => Err(format!(
                "command: {program:?} is not an absolute path; name the program by one"
            )),
            _ if self.time_limit.duration().is_zero() => Err("time_limit: it is nothing".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 14001)),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite:vidimus.db".to_owned(),
        }
    }
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            terms_of_service: None,
            agree_again: false,
            external_accounts: ExternalAccounts::Off,
            pre_authorization: true,
            reuse_authorizations: span("0s"),
            website: None,
            limits: LimitsPreset::None,
            limits_unavailable: Uncounted::Refuse,
            limits_help: None,
            caa_identities: Vec::new(),
            default_profile: "default".to_owned(),
            order_lifetime: span("7d"),
            authorization_lifetime: span("30d"),
            identifiers_per_order: 100,
            blocked_keys: None,
        }
    }
}

impl Default for Validation {
    fn default() -> Self {
        Self {
            http_port: 80,
            tls_port: 443,
            resolvers: Vec::new(),
            trust_anchors: None,
            allow_networks: Vec::new(),
            wait: span("50ms"),
            attempts: 3,
            retry_after: span("5s"),
        }
    }
}

pub(crate) fn span(text: &str) -> Span {
    text.parse()
        .expect("invariant: defaults are written right, and a test reads them all")
}

fn tls_certificate() -> PathBuf {
    "api.pem".into()
}

fn tls_key() -> PathBuf {
    "api.key".into()
}

fn state() -> PathBuf {
    ".".into()
}

fn hold() -> Span {
    span("1s")
}

fn orders_per_page() -> usize {
    25
}

fn lease() -> Span {
    span("60s")
}

fn crl_shards() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn crl_lifetime() -> Span {
    span("7d")
}

fn time_limit() -> Span {
    span("30s")
}

fn is_default_time_limit(set: &Span) -> bool {
    *set == time_limit()
}

fn patience() -> Span {
    span("7d")
}

fn is_default_patience(set: &Span) -> bool {
    *set == patience()
}

fn lifetime() -> Span {
    span("90d")
}

fn backdate() -> Span {
    span("1h")
}
