//! What is published as a proof: the digest, bound to service and port, and the word it stands in.

use acme::KeyAuthorization;
use aws_lc_rs::digest::{SHA256, digest};

use crate::service::{Protocol, ServicePort};

/// Methods whose value says for which service and port it is. Those of the draft have the plain digest of `dns-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    MailGreeting,
    DnsService,
    /// Its proof is the answer to `mail-greeting-01` at another host, under its own name.
    MailSrv,
}

impl Bound {
    pub fn method(self) -> &'static str {
        match self {
            Self::MailGreeting => "mail-greeting-01",
            Self::DnsService => "dns-service-01",
            Self::MailSrv => "mail-srv-01",
        }
    }

    /// `b64u(SHA-256(token "." thumbprint "." method "." service ":" port))`, 43 characters.
    pub fn value(self, key_authorization: &KeyAuthorization, at: ServicePort) -> String {
        let text = format!("{}.{}.{at}", key_authorization.as_str(), self.method());
        jose::base64url::encode(digest(&SHA256, text.as_bytes()))
    }
}

/// The word that carries a value in a greeting: `acme-mail-01=<value>`.
pub fn in_greeting(value: &str) -> String {
    format!("{GREETING}={value}")
}

/// The line or atom that carries a value among the capabilities of a protocol.
pub fn in_capabilities(protocol: Protocol, value: &str) -> String {
    listed(protocol, CAPABILITY, value)
}

/// The same, as the draft has it (draft-ietf-acme-email-tls-05 §3.4).
pub fn in_drafted_capabilities(protocol: Protocol, digest: &str) -> String {
    listed(protocol, DRAFTED, digest)
}

fn listed(protocol: Protocol, keyword: &str, value: &str) -> String {
    match protocol {
        Protocol::Imap => format!("{keyword}={value}"),
        Protocol::Smtp | Protocol::Lmtp | Protocol::Pop3 => format!("{keyword} {value}"),
        Protocol::Sieve => format!("\"{keyword}\" \"{value}\""),
    }
}

/// Where `dns-service-01` and `dns-email-00` have their record: `_993._imaps._acme-challenge.example.com`.
pub fn record_name(at: ServicePort, domain: &str) -> String {
    format!("_{}._{}._acme-challenge.{domain}", at.port, at.service)
}

/// Compared without regard to case where it stands before the value; the value itself never is.
pub const GREETING: &str = "acme-mail-01";
pub const CAPABILITY: &str = "ACME-MAIL-01";
/// The keyword of the draft's capabilities.
pub const DRAFTED: &str = "ACME";
