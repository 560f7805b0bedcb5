//! The mail services: what each is called, where it listens, how it comes to speak TLS.

use std::fmt;

/// A service by its name in the registry of service names (RFC 6335), and `lmtp`, which has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    Smtp,
    Submission,
    Submissions,
    Imap,
    Imaps,
    Pop3,
    Pop3s,
    Lmtp,
    Sieve,
}

/// How a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// The handshake comes first (RFC 8314 §3).
    Implicit,
    /// In the clear, until STARTTLS or STLS (RFC 3207, RFC 2595, RFC 5804).
    StartTls,
}

/// What is spoken, whoever listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
    Imap,
    Pop3,
    Sieve,
}

impl Service {
    pub const ALL: [Self; 9] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Lmtp,
        Self::Sieve,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Lmtp => "lmtp",
            Self::Sieve => "sieve",
        }
    }

    /// Exactly as registered: lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The registered port; `lmtp` has none (RFC 2033 §5 only forbids 25).
    pub fn registered_port(self) -> Option<u16> {
        match self {
            Self::Smtp => Some(25),
            Self::Submission => Some(587),
            Self::Submissions => Some(465),
            Self::Imap => Some(143),
            Self::Imaps => Some(993),
            Self::Pop3 => Some(110),
            Self::Pop3s => Some(995),
            Self::Lmtp => None,
            Self::Sieve => Some(4190),
        }
    }

    pub fn tls_mode(self) -> TlsMode {
        match self {
            Self::Submissions | Self::Imaps | Self::Pop3s => TlsMode::Implicit,
            _ => TlsMode::StartTls,
        }
    }

    pub fn protocol(self) -> Protocol {
        match self {
            Self::Smtp | Self::Submission | Self::Submissions => Protocol::Smtp,
            Self::Imap | Self::Imaps => Protocol::Imap,
            Self::Pop3 | Self::Pop3s => Protocol::Pop3,
            Self::Lmtp => Protocol::Lmtp,
            Self::Sieve => Protocol::Sieve,
        }
    }

    /// Whether clients find it by an SRV record `_name._tcp` (RFC 6186 §3, RFC 8314 §5.1, RFC 5804 §1.3), so that a
    /// certificate may name it by an SRV-ID. Mail is relayed by MX, and LMTP has no name.
    pub fn has_srv(self) -> bool {
        !matches!(self, Self::Smtp | Self::Lmtp)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A service at a port, as it stands in a proof: `imaps:993`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    pub service: Service,
    pub port: u16,
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 6186-3-1
    #[test]
    fn a_service_is_found_by_its_registered_name_only() {
        for service in Service::ALL {
            assert_eq!(Service::from_name(service.name()), Some(service));
            assert_eq!(Service::from_name(&service.name().to_uppercase()), None);
        }
        assert_eq!(Service::from_name("ftp"), None);
    }
}
