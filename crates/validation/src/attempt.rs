//! One attempt at validation: what was seen so far, and how it ended.

use std::sync::Arc;

use acme::{Problem, ProblemType};
use authority::{
    model::{Evidence, Observation},
    ports::Report,
};
use jiff::Timestamp;

/// Where the times of evidence come from; composition hands in the world's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where unpredictable octets come from; composition hands in the world's dice.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// An attempt under way.
pub struct Attempt {
    method: &'static str,
    clock: Clock,
    started: Timestamp,
    observations: Vec<Observation>,
}

impl Attempt {
    pub fn begin(method: &'static str, clock: Clock) -> Self {
        let started = clock();
        Self {
            method,
            clock,
            started,
            observations: Vec::new(),
        }
    }

    pub fn saw(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// Takes over what another attempt, made beside this one, has seen.
    pub fn absorb(&mut self, other: Self) {
        self.observations.extend(other.observations);
    }

    pub fn conclude(self, outcome: Result<(), Failure>) -> Report {
        let evidence = Evidence {
            method: self.method.to_owned(),
            perspective: LOCAL.to_owned(),
            started: self.started,
            finished: (self.clock)(),
            observations: self.observations,
        };
        match outcome {
            Ok(()) => Report {
                evidence,
                verdict: Ok(()),
                transient: false,
            },
            Err(Failure {
                kind,
                detail,
                transient,
            }) => Report {
                evidence,
                verdict: Err(Problem::new(kind, detail)),
                transient,
            },
        }
    }
}

/// Why control was not proved.
#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: ProblemType,
    /// What was seen, and where, for the subscriber.
    pub detail: String,
    /// It may pass by itself.
    pub transient: bool,
}

impl Failure {
    /// It stays until somebody changes something.
    pub fn lasting(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            transient: false,
        }
    }

    /// It may pass by itself.
    pub fn passing(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            transient: true,
        }
    }
}

/// The perspective of this process.
const LOCAL: &str = "local";
