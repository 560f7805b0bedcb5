//! Errors, sorted by what is to be done about them.

use std::{fmt, time::Duration};

use acme::{Problem, ProblemType};

use crate::{
    chain::ChainError, challenge::Method, identifier::Identifier, printable::printable, solver::SolverError,
    store::StoreError, transport::TransportError, trust::TrustError,
};

/// Why there is no certificate, account or revocation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The subscriber changes the request.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The subscriber waits.
    #[error("{0}")]
    RateLimited(Box<Refusal>),
    /// A person visits a page (RFC 8555 §7.3.3).
    #[error("{0}")]
    ActionRequired(Box<Refusal>),
    /// A person decides (RFC 8555 §7.3).
    #[error("the CA wants its terms of service agreed to: {}", printable(url))]
    TermsNotAgreed { url: String },
    /// The subscriber repairs what the CA looked at.
    #[error("{}", listed(.0))]
    Unproven(Vec<Failure>),
    /// The CA gave the order up after it had taken it (RFC 8555 §7.1.6).
    #[error("the order {} failed{}", printable(url), problem.as_ref().map(|problem| format!(": {}", shown(problem))).unwrap_or_default())]
    OrderFailed { url: String, problem: Option<Box<Problem>> },
    /// No answer came; nobody but the network is at fault.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// The server does not speak the protocol.
    #[error("{} answered what RFC 8555 does not allow: {}", printable(url), printable(what))]
    Protocol { url: String, what: String },
    /// The server gave a certificate that must not be installed.
    #[error("the certificate from {} is not installed: {source}", printable(url))]
    Chain { url: String, source: ChainError },
    /// The server did not finish in time; the order can be taken up again.
    #[error("{what} at {} took longer than {} s", printable(url), waited.as_secs())]
    TimedOut {
        what: &'static str,
        url: String,
        waited: Duration,
    },
    #[error("{0}")]
    Solver(#[from] SolverError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// A person or the system said stop; what was shown has been taken away.
    #[error("interrupted")]
    Interrupted,
    /// The command line or the request is wrong.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited(_) | Self::TimedOut { .. } => true,
            Self::Transport(error) => error.is_transient(),
            Self::Refused(refusal) => refusal.status >= 500,
            _ => false,
        }
    }

    /// The problem document behind it, whole.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(refusal) | Self::RateLimited(refusal) | Self::ActionRequired(refusal) => {
                refusal.problem.as_ref()
            }
            Self::OrderFailed { problem, .. } => problem.as_deref(),
            Self::Unproven(failures) => failures.iter().find_map(|failure| failure.problem.as_ref()),
            _ => None,
        }
    }

    /// Whether the server refused for this reason.
    pub fn is(&self, kind: &ProblemType) -> bool {
        self.problem().is_some_and(|problem| problem.kind == *kind)
    }

    /// Whether the order is to be placed again with its request: what a directory that was read too long ago did not say.
    pub(crate) fn wants_csr_first(&self) -> bool {
        let kind = self.problem().map(|problem| &problem.kind);
        matches!(kind, Some(ProblemType::Other(uri)) if uri.ends_with("/errors/csrRequired"))
    }

    /// The names that subproblems single out (RFC 8555 §6.7.1).
    pub fn rejected_identifiers(&self) -> Vec<Identifier> {
        let subproblems = self
            .problem()
            .map(|problem| problem.subproblems.as_slice())
            .unwrap_or_default();
        subproblems
            .iter()
            .filter_map(|problem| Identifier::from_wire(problem.identifier.as_ref()?))
            .collect()
    }

    /// A word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::RateLimited(_) => "rateLimited",
            Self::ActionRequired(_) => "actionRequired",
            Self::TermsNotAgreed { .. } => "termsNotAgreed",
            Self::Unproven(_) => "unproven",
            Self::OrderFailed { .. } => "orderFailed",
            Self::Transport(_) => "transport",
            Self::Protocol { .. } => "protocol",
            Self::Chain { .. } => "chain",
            Self::TimedOut { .. } => "timedOut",
            Self::Solver(_) => "solver",
            Self::Store(_) => "store",
            Self::Trust(_) => "trust",
            Self::Interrupted => "interrupted",
            Self::Input(_) => "usage",
        }
    }

    /// What to do next, in a sentence.
    pub fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Refused(refusal) => return refusal.next_step(),
            Self::RateLimited(refusal) => match refusal.retry_after {
                Some(wait) => format!("Try again in {} s.", wait.as_secs()),
                None => "Try again later.".to_owned(),
            },
            Self::ActionRequired(refusal) => {
                let page = refusal
                    .problem
                    .as_ref()
                    .and_then(|problem| problem.instance.as_deref())
                    .or(refusal.terms.as_deref());
                match page {
                    Some(page) => format!("Visit {} and then repeat the command.", printable(page)),
                    None => "Ask the CA what it wants, then repeat the command.".to_owned(),
                }
            }
            Self::TermsNotAgreed { .. } => "Read them; if you agree, repeat the command with --agree-tos.".to_owned(),
            Self::Unproven(failures) => {
                let mut hints: Vec<&str> = failures
                    .iter()
                    .map(|failure| failure.hint.as_str())
                    .filter(|hint| !hint.is_empty())
                    .collect();
                hints.sort_unstable();
                hints.dedup();
                return (!hints.is_empty()).then(|| hints.join(" "));
            }
            Self::OrderFailed { .. } => "Mend what the CA names and repeat the command.".to_owned(),
            Self::Transport(error) => return error.next_step(),
            Self::TimedOut { .. } => "Repeat the command: what has been proven stays proven for a while.".to_owned(),
            Self::Chain { .. } => "The old certificate is untouched. Tell the CA; this should not happen.".to_owned(),
            Self::Protocol { .. } => "Check that --server is the URL of an ACME directory.".to_owned(),
            Self::Solver(error) => return error.next_step(),
            Self::Store(error) => return error.next_step(),
            Self::Trust(_) | Self::Interrupted | Self::Input(_) => return None,
        })
    }

    pub(crate) fn protocol(url: &str, what: impl Into<String>) -> Self {
        Self::Protocol {
            url: url.to_owned(),
            what: what.into(),
        }
    }
}

/// A server's no, with everything that it said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// What was asked for, as it reads after "refused": "the order for a.example".
    pub asked: String,
    pub url: String,
    pub status: u16,
    pub problem: Option<Problem>,
    /// The beginning of a body that is no problem document.
    pub body: String,
    pub retry_after: Option<Duration>,
    /// The target of `Link: rel="terms-of-service"`.
    pub terms: Option<String>,
    /// The target of `Link: rel="help"`.
    pub help: Option<String>,
}

impl Refusal {
    fn next_step(&self) -> Option<String> {
        let help = self.help.as_deref().map(|url| format!("See {}.", printable(url)));
        let Some(problem) = &self.problem else {
            return match self.status {
                300..=399 => Some("Give the final address of the directory as --server.".to_owned()),
                404 => Some("Check that --server is the URL of an ACME directory.".to_owned()),
                500.. => Some("Try again later.".to_owned()),
                _ => help,
            };
        };
        let step = match &problem.kind {
            ProblemType::AccountDoesNotExist => "The CA does not know this account key; order again to register it.",
            ProblemType::BadCsr => "Check the key type and the names of the request.",
            ProblemType::ExternalAccountRequired => {
                "Get a key id and a MAC key from the CA and give them as --eab-kid and --eab-hmac-key-file."
            }
            ProblemType::InvalidContact | ProblemType::UnsupportedContact => "Correct --contact.",
            ProblemType::RejectedIdentifier | ProblemType::UnsupportedIdentifier => {
                "Leave out the names that the CA refuses, or order with --skip-rejected."
            }
            ProblemType::InvalidProfile => "Choose one of the CA's profiles with --profile.",
            ProblemType::Caa => "Add the CA to the CAA records of the name.",
            ProblemType::BadRevocationReason => "Choose another --reason.",
            ProblemType::ServerInternal => "Try again later.",
            _ if self.status == 404 && self.asked == "the directory" => {
                "Check that --server is the URL of an ACME directory."
            }
            _ => return help,
        };
        Some(step.to_owned())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server refused {} with HTTP status {}",
            printable(&self.asked),
            self.status
        )?;
        match &self.problem {
            Some(problem) => write!(f, ": {}", shown(problem)),
            None if self.body.is_empty() => Ok(()),
            None => write!(f, ": {}", self.body),
        }
    }
}

/// One name that the CA could not be convinced of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    pub identifier: Identifier,
    pub method: Option<Method>,
    pub problem: Option<Problem>,
    /// Said where there is no problem document.
    pub what: String,
    /// What usually helps, by the solver that was used.
    pub hint: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.identifier)?;
        if let Some(method) = self.method {
            write!(f, " by {method}")?;
        }
        match &self.problem {
            Some(problem) => write!(f, ": {}", shown(problem)),
            None => write!(f, ": {}", printable(&self.what)),
        }
    }
}

fn listed(failures: &[Failure]) -> String {
    let lines: Vec<String> = failures.iter().map(Failure::to_string).collect();
    format!("not proven: {}", lines.join("; "))
}

/// Type, detail and what each subproblem adds to them.
fn shown(problem: &Problem) -> String {
    let mut text = format!("{}: {}", problem.kind, problem.detail);
    let mut said = vec![problem.detail.clone()];
    for sub in &problem.subproblems {
        let part = match &sub.identifier {
            Some(identifier) => format!("{identifier}: {}", sub.detail),
            None => sub.detail.clone(),
        };
        if !said.contains(&part) {
            text.push_str("; ");
            text.push_str(&part);
            said.push(part);
        }
    }
    if let Some(instance) = &problem.instance {
        text.push_str(&format!(" (see {instance})"));
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(problem: &str) -> Refusal {
        Refusal {
            asked: "the order".to_owned(),
            url: "https://ca.test/new-order".to_owned(),
            status: 403,
            problem: serde_json::from_str(problem).ok(),
            body: String::new(),
            retry_after: None,
            terms: None,
            help: None,
        }
    }

    // 8555-6.7-3
    #[test]
    fn a_refusal_shows_type_detail_and_subproblems() {
        let text = refusal(
            r#"{"type":"urn:ietf:params:acme:error:malformed","detail":"Some names","subproblems":[
                {"type":"urn:ietf:params:acme:error:malformed","detail":"Invalid underscore","identifier":{"type":"dns","value":"_example.org"}}]}"#,
        )
        .to_string();
        for part in [
            "urn:ietf:params:acme:error:malformed",
            "Some names",
            "_example.org",
            "Invalid underscore",
            "403",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    // 8555-7.3.3-2
    #[test]
    fn the_page_to_visit_is_shown() {
        let error = Error::ActionRequired(Box::new(refusal(
            r#"{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"Terms changed","instance":"https://ca.test/agree/7"}"#,
        )));
        assert!(error.to_string().contains("https://ca.test/agree/7"));
        assert!(error.next_step().unwrap().contains("https://ca.test/agree/7"));
    }
}
