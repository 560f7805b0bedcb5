//! Where a mail server is: `imaps://mail.example:993`. There is no form without TLS.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A server, its port, and how TLS begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerUrl {
    pub protocol: MailProtocol,
    pub host: String,
    pub port: u16,
    /// From the first octet; otherwise by STARTTLS, without which nothing is said.
    pub is_implicit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailProtocol {
    Imap,
    Submission,
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is none of imaps://HOST, imap://HOST, submissions://HOST and submission://HOST, with :PORT or \
                 without; those without s use STARTTLS"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (protocol, is_implicit, usual) = match scheme {
            "imaps" => (MailProtocol::Imap, true, 993),
            "imap" => (MailProtocol::Imap, false, 143),
            "submissions" | "smtps" => (MailProtocol::Submission, true, 465),
            "submission" => (MailProtocol::Submission, false, 587),
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (rest, usual),
        };
        let host = host.trim_matches(['[', ']']);
        let is_host = |octet: u8| octet.is_ascii_alphanumeric() || b"-.:".contains(&octet);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(wrong());
        }
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port,
            is_implicit,
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_says_the_protocol_and_how_tls_begins() {
        let read = |text: &str| {
            text.parse::<ServerUrl>()
                .map(|url| (url.protocol, url.to_string(), url.is_implicit))
        };
        let imap = |place: &str, implicit| Ok((MailProtocol::Imap, place.to_owned(), implicit));
        assert_eq!(read("imaps://mail.alpha.test"), imap("mail.alpha.test:993", true));
        assert_eq!(
            read("imap://mail.alpha.test:1143/"),
            imap("mail.alpha.test:1143", false)
        );
        assert_eq!(read("imaps://[::1]:993"), imap("::1:993", true));
        assert_eq!(
            read("submission://127.0.0.1"),
            Ok((MailProtocol::Submission, "127.0.0.1:587".to_owned(), false))
        );
        for wrong in [
            "mail.alpha.test",
            "pop3://a.test",
            "imaps://",
            "imaps://a b",
            "imaps://a:x",
            "imaps://u@a",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
