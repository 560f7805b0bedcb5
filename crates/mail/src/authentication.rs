//! Which of a message's signatures binds it to the domain of its author, as RFC 8823 wants it: a `d=` that is equal to
//! the domain of From, and the right header fields.

use std::fmt;

use crate::{
    dkim::{
        self, Algorithm, Fault, Limits, Signature,
        coverage::{self, Coverage, Kind, Uncovered},
    },
    dns::{Answers, Step},
    message::{Message, domain::Domain},
};

/// What is wanted of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub coverage: Coverage,
    /// 1024 as RFC 8301 has it; a profile may want 2048.
    pub least_rsa_bits: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            coverage: Coverage::default(),
            least_rsa_bits: dkim::LEAST_RSA_BITS,
        }
    }
}

/// One signature and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// `d=`, as far as it could be read.
    pub domain: Option<Domain>,
    pub selector: Option<String>,
    pub algorithm: Option<Algorithm>,
    /// `h=`
    pub names: Vec<String>,
    /// Whether fields of mailing lists are covered, too.
    pub covers_lists: bool,
    pub result: Result<(), Flaw>,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error(transparent)]
    Dkim(#[from] Fault),
    #[error("its domain is not that of From, which is {0}")]
    Foreign(Domain),
    #[error("{0}")]
    Uncovered(Uncovered),
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.domain.as_ref().map_or("an unknown domain", Domain::as_str);
        let selector = self.selector.as_deref().unwrap_or("unknown");
        match &self.result {
            Ok(()) => write!(f, "signature of {domain} (selector {selector}) passes"),
            Err(Flaw::Uncovered(uncovered)) => write!(f, "{uncovered}"),
            Err(flaw) => write!(f, "signature of {domain} (selector {selector}): {flaw}"),
        }
    }
}

/// Every signature judged, or the names of the keys that are wanted first: at most [`dkim::MAX_SIGNATURES`].
pub(crate) fn judge(
    message: &Message<'_>,
    author: &Domain,
    kind: Kind,
    policy: &Policy,
    now: jiff::Timestamp,
    answers: &Answers,
) -> Step<Vec<Judged>> {
    let limits = Limits {
        now,
        least_rsa_bits: policy.least_rsa_bits,
    };
    let signatures = dkim::signatures(message);
    let own = |signature: &&Signature<'_>| signature.domain == *author;
    let wanted = signatures.iter().flatten().filter(own).map(Signature::key_name);
    let mut wanted: Vec<String> = wanted.filter(|name| answers.of(name).is_none()).collect();
    wanted.sort();
    wanted.dedup();
    if !wanted.is_empty() {
        return Step::Ask(wanted);
    }
    let judged = signatures.into_iter().map(|signature| match signature {
        Err(unreadable) => Judged {
            domain: unreadable.domain,
            selector: unreadable.selector,
            algorithm: None,
            names: Vec::new(),
            covers_lists: false,
            result: Err(unreadable.fault.into()),
        },
        Ok(signature) => Judged {
            result: flaw(message, &signature, author, kind, policy, &limits, answers),
            covers_lists: coverage::covers_lists(&signature),
            domain: Some(signature.domain),
            selector: Some(signature.selector),
            algorithm: Some(signature.algorithm),
            names: signature.names,
        },
    });
    Step::Done(judged.collect())
}

fn flaw(
    message: &Message<'_>,
    signature: &Signature<'_>,
    author: &Domain,
    kind: Kind,
    policy: &Policy,
    limits: &Limits,
    answers: &Answers,
) -> Result<(), Flaw> {
    let key = match answers.of(&signature.key_name()) {
        Some(key) if signature.domain == *author => key,
        _ => return Err(Flaw::Foreign(author.clone())),
    };
    signature.verify(message, key, limits)?;
    let missing = policy.coverage.missing(kind, message, signature);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Flaw::Uncovered(Uncovered {
        domain: signature.domain.to_string(),
        selector: signature.selector.clone(),
        missing,
    }))
}

/// Why no signature of a message counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned(pub Vec<Judged>);

impl Unsigned {
    /// Whether the DNS may only have been silent for the moment.
    pub(crate) fn is_temporary(&self) -> bool {
        let temporary = |judged: &Judged| matches!(&judged.result, Err(Flaw::Dkim(fault)) if fault.is_temporary());
        self.0.iter().any(temporary)
    }
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it has no DKIM signature; sign it with the domain of From");
        }
        let each: Vec<String> = self.0.iter().map(Judged::to_string).collect();
        f.write_str(&each.join("; "))
    }
}
