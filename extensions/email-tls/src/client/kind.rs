//! The challenge types of mail services: where a proof stands, what it says, and for whom.

use acme::KeyAuthorization;
use client::Identifier;

use crate::{
    service::{Protocol, Service, ServicePort},
    value::{Bound, DRAFTED, in_greeting},
};

/// One of the types that `--challenge` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MailGreeting,
    MailSrv,
    DnsService,
    DnsEmail,
    CapabilitySmtp,
    CapabilityImap,
    CapabilityPop,
}

/// Where its proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A word in what a service greets with.
    Greeting,
    /// One of the capabilities that a service lists under TLS.
    Capability,
    /// A TXT record.
    Record,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::MailGreeting,
        Self::MailSrv,
        Self::DnsService,
        Self::DnsEmail,
        Self::CapabilitySmtp,
        Self::CapabilityImap,
        Self::CapabilityPop,
    ];
    /// Tried where nothing is said.
    pub const USUAL: [Self; 2] = [Self::MailGreeting, Self::MailSrv];

    pub fn method(self) -> &'static str {
        match self {
            Self::MailGreeting => Bound::MailGreeting.method(),
            Self::MailSrv => Bound::MailSrv.method(),
            Self::DnsService => Bound::DnsService.method(),
            Self::DnsEmail => "dns-email-00",
            Self::CapabilitySmtp => "capability-smtp-00",
            Self::CapabilityImap => "capability-imap-00",
            Self::CapabilityPop => "capability-pop-00",
        }
    }

    pub fn from_method(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == name)
    }

    pub fn place(self) -> Place {
        match self {
            Self::MailGreeting | Self::MailSrv => Place::Greeting,
            Self::DnsService | Self::DnsEmail => Place::Record,
            Self::CapabilitySmtp | Self::CapabilityImap | Self::CapabilityPop => Place::Capability,
        }
    }

    /// Whether a service can show it (draft-ietf-acme-email-tls-05 §3.4; LMTP as SMTP with another first word).
    pub fn speaks_for(self, service: Service) -> bool {
        match self {
            Self::CapabilitySmtp => matches!(service.protocol(), Protocol::Smtp | Protocol::Lmtp),
            Self::CapabilityImap => service.protocol() == Protocol::Imap,
            Self::CapabilityPop => service.protocol() == Protocol::Pop3,
            _ => true,
        }
    }

    /// Whether it can prove a name at all, at `host` or in the DNS.
    pub fn can_prove(self, identifier: &Identifier, host: &str) -> bool {
        match (self, identifier) {
            (Self::DnsService | Self::DnsEmail, Identifier::Dns(_) | Identifier::Srv(_)) => true,
            // A domain with a host that is not called as itself; the host is proven by what it greets with.
            (Self::MailSrv, Identifier::Dns(name)) => name != host,
            (Self::MailSrv, Identifier::Srv(_)) => true,
            // At the addresses of the name itself, which are others unless it is the host's.
            (_, Identifier::Dns(name)) => name == host,
            (_, Identifier::Srv(_)) => identifier.server_name() == host,
            _ => false,
        }
    }

    /// What is published: the digest that says for which service it is, or that of the draft, which does not.
    pub fn value(self, key_authorization: &KeyAuthorization, at: ServicePort) -> String {
        let bound = match self {
            Self::MailGreeting => Bound::MailGreeting,
            Self::MailSrv => Bound::MailSrv,
            Self::DnsService => Bound::DnsService,
            _ => return key_authorization.dns_value(),
        };
        bound.value(key_authorization, at)
    }

    /// The value as a word: in greetings as it is, and in files for programs that list it as their protocol has it.
    pub fn word(self, key_authorization: &KeyAuthorization, at: ServicePort) -> String {
        let value = self.value(key_authorization, at);
        match self.place() {
            Place::Capability => format!("{DRAFTED}={value}"),
            Place::Greeting | Place::Record => in_greeting(&value),
        }
    }
}

/// The value of a word that stands for a capability of the draft's.
pub fn drafted(word: &str) -> Option<&str> {
    word.strip_prefix(DRAFTED)?.strip_prefix('=')
}
