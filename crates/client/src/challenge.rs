//! Challenges with what their solver needs, and nothing else (RFC 8555 §8, RFC 8737).

use std::fmt;

use acme::{ChallengeStatus, KeyAuthorization, Problem};
use jose::Thumbprint;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{identifier::Identifier, printable::printable, wire};

/// A validation method that this client can solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Method {
    #[serde(rename = "http-01")]
    Http01,
    #[serde(rename = "dns-01")]
    Dns01,
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::Http01, Self::Dns01, Self::TlsAlpn01];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// RFC 8555 §8.3, RFC 8737 §3: a wildcard is proven by DNS alone; RFC 8738 §7: an address never is.
    pub fn can_prove(self, identifier: &Identifier) -> bool {
        match identifier {
            Identifier::Dns(_) => true,
            Identifier::Wildcard(_) => self == Self::Dns01,
            Identifier::Ip(_) => self != Self::Dns01,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A challenge as the server offers it. Reading one never fails.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Challenge {
    Http01(TokenChallenge),
    Dns01(TokenChallenge),
    TlsAlpn01(TokenChallenge),
    /// A method that is not known here, or one of the known in a form that is not safe to use.
    Unknown {
        kind: String,
        why: &'static str,
        raw: Value,
    },
}

/// What the three methods of RFC 8555 and RFC 8737 have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenChallenge {
    pub url: String,
    pub status: ChallengeStatus,
    pub token: Token,
    pub error: Option<Problem>,
}

impl Challenge {
    pub fn read(raw: Value) -> Self {
        let kind = raw.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(method) = Method::ALL.into_iter().find(|method| method.as_str() == kind) else {
            return Self::Unknown {
                kind,
                why: "this client does not know it",
                raw,
            };
        };
        let Some(challenge) = wire::challenge(raw.clone()) else {
            return Self::Unknown {
                kind,
                why: "it is not a challenge object",
                raw,
            };
        };
        let Some(token) = challenge.token.as_deref().and_then(Token::new) else {
            return Self::Unknown {
                kind,
                why: "its token is missing or has characters outside of base64url",
                raw,
            };
        };
        let challenge = TokenChallenge {
            url: challenge.url,
            status: challenge.status,
            token,
            error: challenge.error,
        };
        match method {
            Method::Http01 => Self::Http01(challenge),
            Method::Dns01 => Self::Dns01(challenge),
            Method::TlsAlpn01 => Self::TlsAlpn01(challenge),
        }
    }

    /// The method and what it needs, unless it is unknown.
    pub fn known(&self) -> Option<(Method, &TokenChallenge)> {
        match self {
            Self::Http01(challenge) => Some((Method::Http01, challenge)),
            Self::Dns01(challenge) => Some((Method::Dns01, challenge)),
            Self::TlsAlpn01(challenge) => Some((Method::TlsAlpn01, challenge)),
            Self::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.known(), self) {
            (Some((method, _)), _) => f.write_str(method.as_str()),
            (None, Self::Unknown { kind, why, .. }) => write!(f, "{} ({why})", printable(kind)),
            (None, _) => Ok(()),
        }
    }
}

/// A token that is safe in a path, a URL and an argument: base64url and nothing else (RFC 8555 §8.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    pub fn new(text: &str) -> Option<Self> {
        let is_base64url = |byte: u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        ((1..=LONGEST).contains(&text.len()) && text.bytes().all(is_base64url)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest file name that every file system has, with room for a suffix.
const LONGEST: usize = 200;

/// What a solver is asked to show.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The name as the subscriber gave it; never a text of the server's.
    pub identifier: Identifier,
    pub token: Token,
    pub key_authorization: KeyAuthorization,
}

impl Proof {
    pub fn new(identifier: Identifier, token: Token, thumbprint: &Thumbprint) -> Self {
        let key_authorization = KeyAuthorization::new(token.as_str(), thumbprint);
        Self {
            identifier,
            token,
            key_authorization,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_method_is_kept_as_it_came() {
        let raw = json!({"type": "dns-persist-01", "url": "https://ca.test/1", "status": "pending", "issuer-domain-names": ["ca.test"]});
        let challenge = Challenge::read(raw.clone());
        assert!(
            matches!(&challenge, Challenge::Unknown { kind, raw: kept, .. } if kind == "dns-persist-01" && *kept == raw)
        );
        assert!(matches!(Challenge::read(json!("x")), Challenge::Unknown { .. }));
        assert!(matches!(
            Challenge::read(json!({"type": "http-01", "url": 7})),
            Challenge::Unknown { .. }
        ));
    }

    // t44
    #[test]
    fn t44_a_token_that_could_be_a_path_or_a_command_is_no_token() {
        for token in [
            "",
            "../../etc/cron.d/x",
            "a/b",
            "a.b",
            "..",
            "$(id)",
            "`id`",
            "a;b",
            "a b",
            "a\nb",
            "a\0b",
            "a=",
            "ä",
            "<script>",
        ] {
            assert_eq!(Token::new(token), None, "{token}");
            let challenge = Challenge::read(
                json!({"type": "http-01", "url": "https://ca.test/1", "status": "pending", "token": token}),
            );
            assert!(challenge.known().is_none(), "{token}");
        }
        assert_eq!(Token::new(&"a".repeat(201)), None);
        assert!(Token::new("DGyRejmCefe7v4NfDGDKfA").is_some());
    }

    // 8737-5-1, 8738-7-1
    #[test]
    fn wildcards_are_proven_by_dns_alone_and_addresses_never() {
        let proves = |text: &str| Method::ALL.map(|method| method.can_prove(&text.parse().unwrap()));
        assert_eq!(proves("example.org"), [true, true, true]);
        assert_eq!(proves("*.example.org"), [false, true, false]);
        assert_eq!(proves("192.0.2.1"), [true, false, true]);
    }
}
