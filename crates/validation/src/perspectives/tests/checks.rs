//! Checks before issuance, name by name.

use std::sync::Arc;

use acme::{Identifier, Problem, ProblemType};
use authority::{
    Registry,
    model::{AccountId, Evidence, Observation},
    ports::{BoxFuture, PreIssuance, PreIssuanceCheck, Proven},
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::far::{Far, Reply, agreement, perspectives, refusal};
use crate::double::World;

/// Permits everything, or has nothing to look at.
struct Permits {
    looks: bool,
    probe: bool,
}

impl PreIssuanceCheck for Permits {
    fn name(&self) -> &'static str {
        "caa"
    }

    fn is_probe(&self) -> bool {
        self.probe
    }

    fn check<'a>(&'a self, _request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>> {
        let seen = Evidence {
            method: "caa".to_owned(),
            perspective: "local".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            observations: Vec::new(),
        };
        let seen = self.looks.then_some(seen).into_iter().collect();
        Box::pin(std::future::ready(Ok(seen)))
    }
}

const LOOKS: Permits = Permits {
    looks: true,
    probe: true,
};

async fn checked(check: Permits, far: &[&Far]) -> Result<Vec<Evidence>, Problem> {
    let urls: Vec<_> = far.iter().map(|far| far.url.as_str()).collect();
    let mut registry = Registry::default();
    registry.add_check(Arc::new(check));
    Arc::new(perspectives(&urls, 2).unwrap()).wrap(&mut registry);
    let names = ["a.example", "b.example"].map(World::name);
    let names = names.each_ref().map(|name| Proven {
        name,
        method: "http-01",
        validated: Timestamp::UNIX_EPOCH,
    });
    let request = PreIssuance {
        account: AccountId(1),
        profile: "default",
        names: &names,
        spki_der: &[1, 2],
        members: &Map::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    registry.check("caa").unwrap().check(&request).await
}

/// One for which CAA forbids these names.
async fn forbidding(names: &'static [&'static str]) -> Far {
    Far::that(move |question: &Value| {
        let part =
            |name: &&str| Problem::new(ProblemType::Caa, format!("CAA forbids {name}")).about(Identifier::dns(*name));
        let problem = Problem::new(ProblemType::Caa, "CAA forbids").with_subproblems(names.iter().map(part).collect());
        Reply::Json(refusal(question, &problem, true))
    })
    .await
}

fn quorums(seen: &[Evidence]) -> Vec<(&str, Vec<&str>)> {
    let observations = seen.iter().flat_map(|evidence| &evidence.observations);
    observations
        .filter_map(|observation| match observation {
            Observation::Quorum { about, result } => {
                Some((result.as_str(), about.iter().map(String::as_str).collect()))
            }
            _ => None,
        })
        .collect()
}

// T16
#[tokio::test]
async fn t16_caa_has_to_permit_from_a_quorum_too() {
    let far = [Far::agreeing().await, Far::agreeing().await, Far::agreeing().await];
    let seen = checked(LOOKS, &[&far[0], &far[1], &far[2]]).await.unwrap();
    let both = vec!["a.example", "b.example"];
    assert_eq!(quorums(&seen), [("3/3 (primary + p0, p1, p2)", both)]);
    assert_eq!(seen[1].observations.len(), 4, "one of each, and the quorum");

    let far = [
        forbidding(&["b.example"]).await,
        forbidding(&["b.example"]).await,
        Far::agreeing().await,
    ];
    let problem = checked(LOOKS, &[&far[0], &far[1], &far[2]]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemType::Caa);
    assert!(
        problem.detail.contains("2 of 3") && problem.detail.ends_with("CAA forbids b.example"),
        "{problem}"
    );
    let [part] = &problem.subproblems[..] else {
        panic!("{problem}")
    };
    assert_eq!(part.identifier, Some(Identifier::dns("b.example")));
}

// T16
#[tokio::test]
async fn t16_names_that_fail_in_different_places_each_have_a_quorum() {
    let far = [
        forbidding(&["a.example"]).await,
        forbidding(&["b.example"]).await,
        Far::agreeing().await,
    ];
    let seen = checked(LOOKS, &[&far[0], &far[1], &far[2]]).await.unwrap();
    assert_eq!(
        quorums(&seen),
        [
            ("2/3 (primary + p0, p2; not p1)", vec!["b.example"]),
            ("2/3 (primary + p1, p2; not p0)", vec!["a.example"]),
        ]
    );
}

// T16
#[tokio::test]
async fn t16_a_refusal_that_does_not_say_of_which_names_is_of_all() {
    let vague = |question: &Value| {
        let other = Problem::new(ProblemType::Caa, "forbidden").about(Identifier::dns("other.example"));
        let problem = Problem::new(ProblemType::Caa, "forbidden").with_subproblems(vec![other]);
        Reply::Json(refusal(question, &problem, true))
    };
    let far = [Far::that(vague).await, Far::that(vague).await, Far::agreeing().await];
    let problem = checked(LOOKS, &[&far[0], &far[1], &far[2]]).await.unwrap_err();
    assert_eq!(problem.subproblems.len(), 2, "{problem}");
    assert_eq!(problem.status, None);
}

// T16, T17
#[tokio::test]
async fn t17_silence_about_caa_permits_nothing_and_forbids_nothing() {
    let silent = |_: &Value| Reply::HangUp;
    let far = [Far::that(silent).await, Far::that(silent).await, Far::agreeing().await];
    let problem = checked(LOOKS, &[&far[0], &far[1], &far[2]]).await.unwrap_err();
    assert_eq!((problem.kind, problem.status), (ProblemType::ServerInternal, Some(500)));
    assert_eq!(problem.subproblems.len(), 2);
    assert!(far.iter().all(|far| far.asked() == 1));
}

#[tokio::test]
async fn a_check_that_had_nothing_to_look_at_needs_no_others() {
    let answer = |question: &Value| Reply::Json(agreement(question));
    let far = [Far::that(answer).await, Far::that(answer).await];
    for check in [
        Permits {
            looks: false,
            probe: true,
        },
        Permits {
            looks: true,
            probe: false,
        },
    ] {
        let seen = checked(check, &[&far[0], &far[1]]).await.unwrap();
        assert!(quorums(&seen).is_empty());
        assert!(far.iter().all(|far| far.asked() == 0));
    }
}
