//! What goes wrong in a session, in words.

use acme::ProblemType;
use validation::{attempt::Failure, excerpt};

/// `Display` completes the sentence "imaps:993 of mail.example.org: …". What the server said in it is escaped and bounded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("nothing came within 10 s where {0} was expected")]
    Slow(&'static str),
    #[error("the session was not finished after 25 s")]
    Late,
    #[error("the server ended the connection where {0} was expected")]
    Closed(&'static str),
    #[error("the connection broke where {0} was expected ({1})")]
    Broken(&'static str, String),
    #[error("the server sent {0}; no greeting or list of capabilities needs that")]
    Endless(&'static str),
    #[error("a line of the server has NUL or a lone CR in it")]
    Control,
    #[error("{0}, which is no greeting of this protocol")]
    NoGreeting(Said),
    #[error("the server has too much to do for now: {0}")]
    Busy(Said),
    /// Greylisting, or a look-up of its own that failed.
    #[error("the server asks to come back later: {0}; greylist the probe no more, or respond again")]
    Later(Said),
    #[error("the server turned the probe away: {0}; permit it to connect")]
    Away(Said),
    #[error("{0} was answered with {1}")]
    Answer(&'static str, Said),
    #[error("the greeting has a literal ({0}); greetings and capabilities are lines")]
    Literal(Said),
    #[error("{0} is not offered, and a service without TLS needs no certificate for it; switch TLS on")]
    NoTls(&'static str),
    #[error("text in the clear came after {0} and before TLS; whoever is between could have put it there")]
    PipelinedAfter(&'static str),
    #[error("text in the clear came before TLS; whoever is between could have put it there")]
    Pipelined,
    #[error("the TLS handshake failed ({0}); the server must speak TLS 1.2 or 1.3 here, with any certificate")]
    Handshake(String),
}

/// A line of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(String);

impl Said {
    pub fn of(line: &[u8]) -> Self {
        Self(excerpt::quoted(line, SHOWN))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fault {
    /// As a failure of a validation; `whose` is the service, the host and the address.
    pub fn of(self, whose: &str) -> Failure {
        let kind = match self {
            Self::Slow(_)
            | Self::Late
            | Self::Closed(_)
            | Self::Broken(..)
            | Self::Busy(_)
            | Self::Later(_)
            | Self::Away(_) => ProblemType::Connection,
            Self::NoTls(_) | Self::PipelinedAfter(_) | Self::Pipelined | Self::Handshake(_) => ProblemType::Tls,
            Self::Endless(_) | Self::Control | Self::NoGreeting(_) | Self::Answer(..) | Self::Literal(_) => {
                ProblemType::IncorrectResponse
            }
        };
        let transient = matches!(
            self,
            Self::Slow(_) | Self::Late | Self::Closed(_) | Self::Broken(..) | Self::Busy(_) | Self::Later(_)
        );
        Failure {
            kind,
            detail: format!("{whose}: {self}."),
            transient,
        }
    }
}

/// An escaped octet has four characters at the most: 30 are 120.
const SHOWN: usize = 30;
