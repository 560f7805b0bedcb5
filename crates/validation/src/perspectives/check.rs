//! A check before issuance that is believed only when others see the same: CAA above all (Baseline Requirements
//! §3.2.2.9: "CAA permission").

use std::{collections::BTreeMap, sync::Arc};

use acme::{Identifier, Problem, ProblemType};
use authority::{
    identifier::Target,
    model::{Evidence, Observation},
    ports::{BoxFuture, PreIssuance, PreIssuanceCheck},
};

use super::{
    Perspectives,
    quorum::Tally,
    reading::Reading,
    wire::{LONGEST_CHECK, Look, NamedProof},
};

pub(super) struct CorroboratedCheck {
    check: Arc<dyn PreIssuanceCheck>,
    perspectives: Arc<Perspectives>,
}

impl CorroboratedCheck {
    pub fn new(check: Arc<dyn PreIssuanceCheck>, perspectives: Arc<Perspectives>) -> Self {
        Self { check, perspectives }
    }

    async fn look(&self, request: &PreIssuance<'_>) -> Result<Vec<Evidence>, Problem> {
        let mut seen = self.check.check(request).await?;
        let names: Vec<_> = request
            .names
            .iter()
            // What is nowhere on the network looks the same from everywhere.
            .filter(|proven| *proven.name.target() != Target::None)
            .map(|proven| NamedProof {
                identifier: proven.name.identifier().clone(),
                method: proven.method.to_owned(),
                validated: proven.validated,
            })
            .collect();
        // Who saw nothing had nothing to look at: an order of addresses alone has no CAA.
        if seen.is_empty() || names.is_empty() {
            return Ok(seen);
        }
        seen.push(self.perspectives.agree(self.check.name(), names, request).await?);
        Ok(seen)
    }
}

impl PreIssuanceCheck for CorroboratedCheck {
    fn name(&self) -> &'static str {
        self.check.name()
    }

    fn is_probe(&self) -> bool {
        self.check.is_probe()
    }

    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>> {
        Box::pin(self.look(request))
    }
}

impl Perspectives {
    /// A quorum for each name: a server that fails here and another that fails there are not one failure.
    async fn agree(&self, check: &str, names: Vec<NamedProof>, request: &PreIssuance<'_>) -> Result<Evidence, Problem> {
        let started = (self.clock)();
        let identifiers: Vec<_> = names.iter().map(|name| name.identifier.clone()).collect();
        let look = Look::Check {
            check: check.to_owned(),
            profile: request.profile.to_owned(),
            names,
            spki: jose::base64url::encode(request.spki_der),
            members: request.members.clone(),
            now: request.now,
        };
        let readings = self.ask_all(request.account, &look, LONGEST_CHECK).await;
        let (mut results, mut problems) = (BTreeMap::<String, Vec<String>>::new(), Vec::new());
        for identifier in &identifiers {
            let ballots: Vec<_> = readings
                .iter()
                .map(|reading| reading.ballot_about(identifier, &identifiers))
                .collect();
            let tally = Tally::of(&ballots, &self.rule);
            if !tally.is_met() {
                let failure = tally.failure();
                problems.push(Problem::new(failure.kind, failure.detail).about(identifier.clone()));
            }
            results
                .entry(tally.to_string())
                .or_default()
                .push(identifier.value.clone());
        }
        if !problems.is_empty() {
            return Err(together(problems, &identifiers));
        }
        let quorums = results
            .into_iter()
            .map(|(result, about)| Observation::Quorum { about, result });
        Ok(Evidence {
            method: check.to_owned(),
            perspective: "remote".to_owned(),
            started,
            finished: (self.clock)(),
            observations: readings
                .into_iter()
                .map(Reading::into_observation)
                .chain(quorums)
                .collect(),
        })
    }
}

fn together(problems: Vec<Problem>, names: &[Identifier]) -> Problem {
    let mut problem = Problem::of_several(problems, |count| {
        format!(
            "Too few other perspectives on the network permit {count} of the order's {} names; each has a subproblem",
            names.len()
        )
    });
    // Nobody forbids: too few of ours could be asked.
    if problem.kind == ProblemType::ServerInternal {
        problem.status = Some(500);
    }
    problem
}
