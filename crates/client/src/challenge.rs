//! Challenges with what their solver needs, and nothing else (RFC 8555 §8, RFC 8737).

use std::fmt;

use acme::{ChallengeStatus, KeyAuthorization, Problem};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jose::Thumbprint;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{identifier::Identifier, printable::printable, wire};

/// A validation method that this client can solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    Http01,
    Dns01,
    TlsAlpn01,
    OnionCsr01,
    /// One that a solver from elsewhere knows, by its registered or private name.
    Other(&'static str),
}

impl Method {
    pub const ALL: [Self; 4] = [Self::Http01, Self::Dns01, Self::TlsAlpn01, Self::OnionCsr01];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::OnionCsr01 => "onion-csr-01",
            Self::Other(name) => name,
        }
    }

    /// RFC 8555 §8.3, RFC 8737 §3: a wildcard is proven by DNS alone; RFC 8738 §7: an address never is. RFC 9799 §3: a
    /// hidden service is never proven by DNS, and its wildcard by its key alone. A service or a mailbox of a domain is proven where DNS
    /// has it; of other methods their solvers know.
    pub fn can_prove(self, identifier: &Identifier) -> bool {
        match identifier {
            Identifier::Wildcard(base) if is_onion(base) => self == Self::OnionCsr01,
            Identifier::Dns(name) if is_onion(name) => self != Self::Dns01,
            _ if self == Self::OnionCsr01 => false,
            Identifier::Dns(_) => true,
            Identifier::Wildcard(_) => self == Self::Dns01,
            Identifier::Ip(_) => matches!(self, Self::Http01 | Self::TlsAlpn01),
            Identifier::Srv(_) | Identifier::Email(_) => self == Self::Dns01,
        }
    }
}

/// Whether a name is a hidden service's.
pub(crate) fn is_onion(name: &str) -> bool {
    name.ends_with(".onion")
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A challenge as the server offers it. Reading one never fails.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Challenge {
    Http01(TokenChallenge),
    Dns01(TokenChallenge),
    TlsAlpn01(TokenChallenge),
    OnionCsr01(TokenChallenge),
    /// A method that is not known here, or one of the known in a form that is not safe to use.
    Unknown {
        kind: String,
        why: &'static str,
        raw: Value,
    },
}

/// What the methods have in common. The nonce of RFC 9799 stands as a token: in base64url.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenChallenge {
    pub url: String,
    pub status: ChallengeStatus,
    pub token: Token,
    pub error: Option<Problem>,
    /// What its type adds.
    pub members: Map<String, Value>,
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
        let challenge = match TokenChallenge::read(method, raw.clone()) {
            Ok(challenge) => challenge,
            Err(why) => return Self::Unknown { kind, why, raw },
        };
        match method {
            Method::Http01 => Self::Http01(challenge),
            Method::Dns01 => Self::Dns01(challenge),
            Method::TlsAlpn01 => Self::TlsAlpn01(challenge),
            Method::OnionCsr01 => Self::OnionCsr01(challenge),
            Method::Other(_) => Self::Unknown {
                kind,
                why: "this client does not know it",
                raw,
            },
        }
    }

    /// What a solver of this method needs, if this is a challenge for it.
    pub fn of_method(&self, method: Method) -> Option<TokenChallenge> {
        match (self, method) {
            (Self::Unknown { kind, raw, .. }, Method::Other(name)) if kind == name => {
                TokenChallenge::read(method, raw.clone()).ok()
            }
            _ => self
                .known()
                .filter(|(known, _)| *known == method)
                .map(|(_, challenge)| challenge.clone()),
        }
    }

    /// The method and what it needs, unless it is unknown.
    pub fn known(&self) -> Option<(Method, &TokenChallenge)> {
        match self {
            Self::Http01(challenge) => Some((Method::Http01, challenge)),
            Self::Dns01(challenge) => Some((Method::Dns01, challenge)),
            Self::TlsAlpn01(challenge) => Some((Method::TlsAlpn01, challenge)),
            Self::OnionCsr01(challenge) => Some((Method::OnionCsr01, challenge)),
            Self::Unknown { .. } => None,
        }
    }
}

impl TokenChallenge {
    fn read(method: Method, raw: Value) -> Result<Self, &'static str> {
        let challenge = wire::challenge(raw).ok_or("it is not a challenge object")?;
        let (token, why) = match method {
            Method::OnionCsr01 => {
                let nonce = challenge.members.get("nonce").and_then(Value::as_str);
                (
                    nonce.and_then(Token::of_nonce),
                    "its nonce is missing, too short or not base64",
                )
            }
            _ => (
                challenge.token.as_deref().and_then(Token::new),
                "its token is missing or has characters outside of base64url",
            ),
        };
        Ok(Self {
            url: challenge.url,
            status: challenge.status,
            token: token.ok_or(why)?,
            error: challenge.error,
            members: challenge.members,
        })
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

    /// A nonce of at least 64 bits, in base64 with padding (RFC 9799 §3.2).
    fn of_nonce(text: &str) -> Option<Self> {
        let octets = STANDARD.decode(text).ok()?;
        (octets.len() >= SHORTEST_NONCE).then(|| Self::new(&jose::base64url::encode(octets)))?
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 64 bits.
const SHORTEST_NONCE: usize = 8;

/// The longest file name that every file system has, with room for a suffix.
const LONGEST: usize = 200;

/// What a solver is asked to show.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The name as the subscriber gave it; never a text of the server's.
    pub identifier: Identifier,
    pub token: Token,
    pub key_authorization: KeyAuthorization,
    /// What the challenge's type adds; a text of the server's.
    pub members: Map<String, Value>,
}

impl Proof {
    pub fn new(identifier: Identifier, token: Token, thumbprint: &Thumbprint) -> Self {
        let key_authorization = KeyAuthorization::new(token.as_str(), thumbprint);
        Self {
            identifier,
            token,
            key_authorization,
            members: Map::new(),
        }
    }

    #[must_use]
    pub fn with_members(self, members: Map<String, Value>) -> Self {
        Self { members, ..self }
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
        assert_eq!(proves("example.org"), [true, true, true, false]);
        assert_eq!(proves("*.example.org"), [false, true, false, false]);
        assert_eq!(proves("192.0.2.1"), [true, false, true, false]);
        // 9799-3.1-1
        assert_eq!(proves("a.onion"), [true, false, true, true]);
        assert_eq!(proves("*.a.onion"), [false, false, false, true]);
    }

    // 9799-3.2-1
    #[test]
    fn the_nonce_of_a_hidden_service_s_challenge_is_base64_with_padding_and_long_enough() {
        let read = |nonce: &str| {
            Challenge::read(
                json!({"type": "onion-csr-01", "url": "https://ca.test/1", "status": "pending", "nonce": nonce}),
            )
        };
        // The RFC's own example.
        let challenge = read("bI6/MRqV4gw=");
        let (method, known) = challenge.known().unwrap();
        assert_eq!((method, known.token.as_str()), (Method::OnionCsr01, "bI6_MRqV4gw"));
        for wrong in ["bI6/MRqV4gw", "bI6_MRqV4gw=", "bI6/MRqV4g==", "", "!"] {
            assert!(read(wrong).known().is_none(), "{wrong}");
        }
    }
}
