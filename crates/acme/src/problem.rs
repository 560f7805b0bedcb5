//! Problem documents and their types (RFC 9457, RFC 8555 §6.7).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Identifier;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Missing means `about:blank` (RFC 9457 §3.1.1).
    #[serde(rename = "type", default)]
    pub kind: ProblemType,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Equals the HTTP status when present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Only inside `subproblems` (RFC 8555 §6.7.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subproblems: Vec<Problem>,
    /// Only with `badSignatureAlgorithm` (RFC 8555 §6.2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Problem {
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            status: None,
            identifier: None,
            subproblems: Vec::new(),
            algorithms: Vec::new(),
            instance: None,
        }
    }

    /// Of several: one of a type gives that type, different ones `compound`, each as a subproblem; of a single one the
    /// detail is its own (RFC 8555 §6.7.1). `detail` is told how many there are.
    pub fn of_several(problems: Vec<Problem>, detail: impl FnOnce(usize) -> String) -> Self {
        let kind = match problems.as_slice() {
            [first, rest @ ..] if rest.iter().all(|problem| problem.kind == first.kind) => first.kind.clone(),
            _ => ProblemType::Compound,
        };
        let detail = match problems.as_slice() {
            [only] => only.detail.clone(),
            _ => detail(problems.len()),
        };
        Self::new(kind, detail).with_subproblems(problems)
    }

    pub fn about(mut self, identifier: Identifier) -> Self {
        self.identifier = Some(identifier);
        self
    }

    pub fn with_subproblems(mut self, subproblems: Vec<Problem>) -> Self {
        self.subproblems = subproblems;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)?;
        for sub in &self.subproblems {
            match &sub.identifier {
                Some(identifier) => write!(f, "; {identifier}: {}", sub.detail)?,
                None => write!(f, "; {}", sub.detail)?,
            }
        }
        Ok(())
    }
}

macro_rules! problem_types {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// The registered types of `urn:ietf:params:acme:error:` (RFC 8555 §6.7), and any other URI.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $($variant,)+
            /// A type from elsewhere. Never inside the IETF namespace when it is ours (RFC 8555 §6.7).
            Other(String),
        }

        impl ProblemType {
            /// Every registered type that this crate names.
            pub const REGISTERED: &[ProblemType] = &[$(Self::$variant),+];

            fn name(&self) -> Result<&'static str, &str> {
                match self {
                    $(Self::$variant => Ok($name),)+
                    Self::Other(uri) => Err(uri),
                }
            }

            pub fn from_uri(uri: &str) -> Self {
                match uri.strip_prefix(NAMESPACE) {
                    $(Some($name) => Self::$variant,)+
                    _ => Self::Other(uri.to_owned()),
                }
            }
        }
    };
}

problem_types! {
    AccountDoesNotExist = "accountDoesNotExist",
    AlreadyReplaced = "alreadyReplaced",
    AlreadyRevoked = "alreadyRevoked",
    BadCsr = "badCSR",
    BadNonce = "badNonce",
    BadPublicKey = "badPublicKey",
    BadRevocationReason = "badRevocationReason",
    BadSignatureAlgorithm = "badSignatureAlgorithm",
    Caa = "caa",
    Compound = "compound",
    Connection = "connection",
    Dns = "dns",
    ExternalAccountRequired = "externalAccountRequired",
    IncorrectResponse = "incorrectResponse",
    InvalidContact = "invalidContact",
    InvalidProfile = "invalidProfile",
    Malformed = "malformed",
    OnionCaaRequired = "onionCAARequired",
    OrderNotReady = "orderNotReady",
    RateLimited = "rateLimited",
    RejectedIdentifier = "rejectedIdentifier",
    ServerInternal = "serverInternal",
    Tls = "tls",
    Unauthorized = "unauthorized",
    UnsupportedContact = "unsupportedContact",
    UnsupportedIdentifier = "unsupportedIdentifier",
    UserActionRequired = "userActionRequired",
}

const NAMESPACE: &str = "urn:ietf:params:acme:error:";

impl Default for ProblemType {
    fn default() -> Self {
        Self::Other("about:blank".to_owned())
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Ok(name) => write!(f, "{NAMESPACE}{name}"),
            Err(uri) => f.write_str(uri),
        }
    }
}

impl Serialize for ProblemType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProblemType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_uri(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_type_survives_the_wire() {
        for kind in ProblemType::REGISTERED {
            assert_eq!(&ProblemType::from_uri(&kind.to_string()), kind);
        }
    }

    // 9457-2
    #[test]
    fn a_problem_without_type_is_about_blank_and_unknown_members_are_ignored() {
        let problem: Problem = serde_json::from_str(r#"{"detail":"x","extra":[1]}"#).unwrap();
        assert_eq!(problem.kind.to_string(), "about:blank");
    }
}
