//! What came of asking one perspective: a ballot, and evidence.

use acme::{Identifier, Problem, ProblemType};
use authority::model::Observation;

use super::{
    quorum::{Ballot, Objection},
    remote::{Remote, Silence},
    wire::{Answer, Verdict},
};

pub(super) struct Reading<'a> {
    pub remote: &'a Remote,
    pub outcome: Result<Answer, Silence>,
}

impl<'a> Reading<'a> {
    pub fn ballot(&self) -> Ballot<'a> {
        self.ballot_with(match &self.outcome {
            Ok(answer) => answer.verdict.objection(),
            Err(_) => Some(silence()),
        })
    }

    /// Of a check of several names: what it says of this one. A refusal that does not say which names it is about is about
    /// all of them.
    pub fn ballot_about(&self, name: &Identifier, names: &[Identifier]) -> Ballot<'a> {
        self.ballot_with(match &self.outcome {
            Ok(answer) => answer.verdict.objection_about(name, names),
            Err(_) => Some(silence()),
        })
    }

    fn ballot_with(&self, objection: Option<Objection>) -> Ballot<'a> {
        Ballot {
            name: self.remote.name(),
            region: self.remote.region(),
            verdict: objection.map_or(Ok(()), Err),
        }
    }

    pub fn into_observation(self) -> Observation {
        let (problem, observations) = match self.outcome {
            Ok(answer) => match answer.verdict {
                Verdict::Corroborated => (None, answer.observations),
                Verdict::Refused { problem, .. } => (Some(bounded(&problem.to_string())), answer.observations),
            },
            Err(silence) => (Some(format!("no answer that counts: {silence}")), Vec::new()),
        };
        Observation::Perspective {
            name: self.remote.name().to_owned(),
            region: self.remote.region().to_string(),
            corroborates: problem.is_none(),
            problem,
            observations,
        }
    }
}

impl Verdict {
    fn objection(&self) -> Option<Objection> {
        match self {
            Self::Corroborated => None,
            Self::Refused { problem, transient } => Some(objection(problem, *transient)),
        }
    }

    fn objection_about(&self, name: &Identifier, names: &[Identifier]) -> Option<Objection> {
        let Self::Refused { problem, transient } = self else {
            return None;
        };
        let parts = &problem.subproblems;
        let of_ours = |part: &Problem| part.identifier.as_ref().is_some_and(|about| names.contains(about));
        if parts.is_empty() || !parts.iter().all(of_ours) {
            return Some(objection(problem, *transient));
        }
        let part = parts.iter().find(|part| part.identifier.as_ref() == Some(name))?;
        Some(objection(part, *transient))
    }
}

/// Of its words only these go on: the type, if it is one of ACME's, and a bounded text.
fn objection(problem: &Problem, transient: bool) -> Objection {
    let kind = match &problem.kind {
        ProblemType::Other(_) => ProblemType::ServerInternal,
        kind => kind.clone(),
    };
    Objection {
        kind,
        detail: bounded(&without_resolvers(&problem.detail)),
        transient,
        looked: true,
    }
}

/// Why is for the operator: it tells where perspectives are, and how they fail.
fn silence() -> Objection {
    Objection {
        kind: ProblemType::ServerInternal,
        detail: "it could not be asked".to_owned(),
        transient: true,
        looked: false,
    }
}

/// Whom a remote asks in the DNS is in evidence, and not for subscribers.
fn without_resolvers(text: &str) -> String {
    let mut parts = text.split(" (asked ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        told + part.split_once(')').map_or("", |(_, rest)| rest)
    })
}

fn bounded(text: &str) -> String {
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(LONGEST_DETAIL).map(printable).collect()
}

/// Longer than any text of a method's own.
const LONGEST_DETAIL: usize = 2000;
