//! The settings of extensions, one table each. Every table also has `enabled`.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::Span;

/// `[extensions.ari]`: renewal information (RFC 9773); on unless `enabled = false`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ari {
    /// How soon clients ask again, from a minute to a day: the longest time until they learn of an incident.
    pub retry_after: Span,
    /// URL of a page that explains why certificates must be replaced early, named for those that are revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

impl Default for Ari {
    fn default() -> Self {
        Self {
            retry_after: "6h"
                .parse()
                .expect("invariant: defaults are written right, and a test reads them all"),
            explanation_url: None,
        }
    }
}

/// `[extensions.email-tls]`: certificates of mail services, with SRV-IDs; off unless `enabled = true`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailTls {
    /// The profile whose orders may name mail services: what a mail port proves counts in no other.
    pub profile: String,
    /// Places that count beside the registered ports below 1024, like `"lmtp:24"` or `"sieve:4190"`. For a port that nobody has registered for the service the host also needs a TXT record with its number at `_acme-port.HOST`.
    pub ports: Vec<String>,
    /// Whether port 25 proves anything.
    pub relay: bool,
    /// Whether the methods of draft-ietf-acme-email-tls are offered, as it has them: their values do not say for which service they are.
    pub drafted: bool,
    /// Whether the record of dns-01 at a domain also proves the domain's services.
    pub srv_by_domain: bool,
    /// Whether a record about one of its services also proves a domain.
    pub domain_by_service: bool,
    /// Whether SRV records of a signed zone that name a host of the domain's own, and the word at that host (`mail-srv-01`), also prove the domain.
    pub domain_by_srv: bool,
    /// How the probe introduces itself to mail servers; without it by the host of `external_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greets_as: Option<String>,
    /// For tests: places and the ports that are dialled in their stead, like `{ "imaps:993" = 1993 }`.
    pub dial: BTreeMap<String, u16>,
}

impl Default for EmailTls {
    fn default() -> Self {
        Self {
            profile: "mail".to_owned(),
            ports: Vec::new(),
            relay: true,
            drafted: false,
            srv_by_domain: false,
            domain_by_service: false,
            domain_by_srv: false,
            greets_as: None,
            dial: BTreeMap::new(),
        }
    }
}

/// `[extensions.email-reply]`: S/MIME certificates (RFC 8823); off unless `enabled = true`. Without `domain`, mailboxes are proved by control of their domain alone; with it, also by mail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailReply {
    /// The domain that challenge mails come from and replies go to: its MX is this authority, or passes its mail on to `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// What stands before `+` in the addresses that challenge mails come from.
    pub local_part: String,
    /// How the authority calls itself in challenge mails.
    pub name: String,
    /// How it introduces itself to mail servers; without it by the host of `external_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Keys that sign challenge mails, selector to PEM file (PKCS#8, RSA or Ed25519); one of each kind is best. Their records stand at `SELECTOR._domainkey.DOMAIN`.
    pub dkim: BTreeMap<String, PathBuf>,
    /// Where replies are taken.
    pub listen: SocketAddr,
    /// `smtp` or, behind a mail server of one's own, `lmtp`.
    pub protocol: MailProtocol,
    /// Certificate chain (PEM) with which the listener offers STARTTLS, together with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// That certificate's key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Whether mail comes to `listen` straight from its senders' hosts, so that SPF says something about them. Where it does not, replies count only if their signature also covers the absence of List-* fields, or `coverage` is `strict`.
    pub direct: bool,
    /// The mail server that takes challenge mails, as `HOST:PORT`; without it they are delivered to each domain's own, which is not yet bounded against hostile servers (what they say, how long they take, DNSSEC of their names): not before strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Whether it must speak TLS: `required`, `if-offered` or `never`.
    pub relay_tls: RelayTls,
    /// A name there, together with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_user: Option<String>,
    /// A file with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_password_file: Option<PathBuf>,
    /// Which fields of a reply its DKIM signature must cover: `strict` (all of RFC 8823 §3.2), `present` (those of them that it has) or `essential`.
    pub coverage: Coverage,
    /// The shortest RSA key that may sign a reply.
    pub least_rsa_bits: usize,
    /// How long a reply is waited for; 24 hours at most (S/MIME Baseline Requirements §3.2.2.2).
    pub window: Span,
    /// The profiles in which mailboxes are proved by mail; with none, all. Orders of other profiles send no mail.
    pub profiles: Vec<String>,
    /// Challenge mails in an hour to one mailbox.
    pub per_mailbox: u32,
    /// To the mailboxes of one domain.
    pub per_domain: u32,
    /// For one account.
    pub per_account: u32,
}

/// How replies come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailProtocol {
    Smtp,
    Lmtp,
}

/// Whether a relay must speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayTls {
    Required,
    IfOffered,
    Never,
}

/// How far the signature of a reply must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    Strict,
    Present,
    Essential,
}

impl Default for EmailReply {
    fn default() -> Self {
        Self {
            domain: None,
            local_part: "acme-challenge".to_owned(),
            name: "A certificate authority".to_owned(),
            host: None,
            dkim: BTreeMap::new(),
            listen: ([127, 0, 0, 1], 2525).into(),
            protocol: MailProtocol::Smtp,
            tls_certificate: None,
            tls_key: None,
            direct: true,
            relay: None,
            relay_tls: RelayTls::IfOffered,
            relay_user: None,
            relay_password_file: None,
            coverage: Coverage::Present,
            least_rsa_bits: 1024,
            window: Span::minutes(24 * 60),
            profiles: Vec::new(),
            per_mailbox: 3,
            per_domain: 100,
            per_account: 300,
        }
    }
}
