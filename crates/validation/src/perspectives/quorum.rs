//! How many perspectives have to agree (Baseline Requirements §3.2.2.9). Pure.

use std::{collections::BTreeSet, fmt, time::Duration};

use acme::ProblemType;

use crate::attempt::Failure;

/// The service region of an Internet registry: what tells places on the network that no one hijack reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    Afrinic,
    Apnic,
    Arin,
    Lacnic,
    Ripe,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Afrinic => "AFRINIC",
            Self::Apnic => "APNIC",
            Self::Arin => "ARIN",
            Self::Lacnic => "LACNIC",
            Self::Ripe => "RIPE NCC",
        })
    }
}

/// What an operator decides about agreement.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The fewest remote perspectives that there may be.
    pub remotes_at_least: usize,
    /// The fewest regions from which there must be one that corroborates.
    pub regions_at_least: usize,
    /// How long one perspective may take for one answer.
    pub time_limit: Duration,
}

/// How many of so many remote perspectives may not corroborate.
pub const fn may_differ(remotes: usize) -> usize {
    match remotes {
        0 | 1 => 0,
        2..=5 => 1,
        _ => 2,
    }
}

/// What one remote perspective said about one thing. Silence is an objection.
#[derive(Clone, Debug)]
pub struct Ballot<'a> {
    pub name: &'a str,
    pub region: Region,
    pub verdict: Result<(), Objection>,
}

/// Why a perspective does not corroborate.
#[derive(Clone, Debug)]
pub struct Objection {
    pub kind: ProblemType,
    pub detail: String,
    pub transient: bool,
    /// Whether it has looked and seen something else, in contrast to one from which nothing came that counts.
    pub looked: bool,
}

/// The ballots, counted.
#[derive(Debug)]
pub struct Tally<'a> {
    ballots: &'a [Ballot<'a>],
    regions_at_least: usize,
}

impl<'a> Tally<'a> {
    pub fn of(ballots: &'a [Ballot<'a>], rule: &Rule) -> Self {
        Self {
            ballots,
            regions_at_least: rule.regions_at_least,
        }
    }

    pub fn is_met(&self) -> bool {
        self.is_met_with(|objection| objection.is_none())
    }

    /// As it would be if those agreed that `agrees` picks by their objection.
    fn is_met_with(&self, agrees: impl Fn(Option<&Objection>) -> bool) -> bool {
        let agreeing = self
            .ballots
            .iter()
            .filter(|ballot| agrees(ballot.verdict.as_ref().err()));
        let (mut count, mut regions) = (0, BTreeSet::new());
        for ballot in agreeing {
            count += 1;
            regions.insert(ballot.region);
        }
        let all = self.ballots.len();
        all - count <= may_differ(all) && regions.len() >= self.regions_at_least
    }

    fn differing(&self) -> impl Iterator<Item = (&'a str, &'a Objection)> {
        self.ballots
            .iter()
            .filter_map(|ballot| Some((ballot.name, ballot.verdict.as_ref().err()?)))
    }

    /// What the subscriber learns where the quorum is not met: the first that has seen something else, how many in all,
    /// and nothing of where they are.
    pub fn failure(&self) -> Failure {
        let (all, differing) = (self.ballots.len(), self.differing().count());
        let told = self
            .differing()
            .find(|(_, objection)| objection.looked)
            .or_else(|| self.differing().next());
        let (kind, first) = match told {
            Some((_, objection)) => (objection.kind.clone(), objection.detail.as_str()),
            None => (ProblemType::ServerInternal, "there is none"),
        };
        let most = may_differ(all);
        let rule = match differing <= most {
            true => format!("the others are in fewer than {} regions", self.regions_at_least),
            false => format!("at most {most} may fail to"),
        };
        let detail = format!(
            "This was seen from here, but {differing} of {all} other perspectives on the network did not corroborate it, \
             and {rule}. The first of them: {first}"
        );
        Failure {
            kind,
            detail,
            transient: self.is_met_with(|objection| objection.is_none_or(|objection| objection.transient)),
        }
    }
}

/// As it stands in evidence (Baseline Requirements §5.4.1: "3/4" are three of four remote perspectives).
impl fmt::Display for Tally<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agreeing: Vec<_> = self
            .ballots
            .iter()
            .filter(|ballot| ballot.verdict.is_ok())
            .map(|ballot| ballot.name)
            .collect();
        let differing: Vec<_> = self.differing().map(|(name, _)| name).collect();
        write!(f, "{}/{} (primary", agreeing.len(), self.ballots.len())?;
        if !agreeing.is_empty() {
            write!(f, " + {}", agreeing.join(", "))?;
        }
        if !differing.is_empty() {
            write!(f, "; not {}", differing.join(", "))?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

    fn objection(transient: bool) -> Objection {
        Objection {
            kind: ProblemType::Unauthorized,
            detail: "saw another".to_owned(),
            transient,
            looked: true,
        }
    }

    fn rule(regions_at_least: usize) -> Rule {
        Rule {
            remotes_at_least: 2,
            regions_at_least,
            time_limit: Duration::from_secs(1),
        }
    }

    fn ballots(remotes: usize, differing: usize, regions: &[Region]) -> Vec<Ballot<'static>> {
        let ballot = |at: usize| Ballot {
            name: NAMES[at],
            region: regions[at % regions.len()],
            verdict: if at < remotes - differing {
                Ok(())
            } else {
                Err(objection(false))
            },
        };
        (0..remotes).map(ballot).collect()
    }

    // T16: the table of the Baseline Requirements, §3.2.2.9.
    #[test]
    fn t16_of_two_to_five_remotes_one_may_differ_and_of_six_or_more_two() {
        let most = [0, 0, 1, 1, 1, 1, 2, 2, 2];
        for (remotes, most) in most.into_iter().enumerate() {
            assert_eq!(may_differ(remotes), most);
            for differing in 0..=remotes {
                let ballots = ballots(remotes, differing, &[Region::Arin]);
                let tally = Tally::of(&ballots, &rule(usize::from(remotes > 0)));
                assert_eq!(tally.is_met(), differing <= most, "{tally}");
            }
        }
    }

    // T16
    #[test]
    fn t16_those_that_corroborate_must_be_in_enough_regions() {
        let two = [Region::Arin, Region::Ripe];
        let met = |remotes, differing, regions: &[Region], least| {
            Tally::of(&ballots(remotes, differing, regions), &rule(least)).is_met()
        };
        assert!(met(2, 0, &two, 2));
        assert!(!met(2, 1, &two, 2), "what is left is in one region");
        assert!(met(3, 1, &two, 2));
        assert!(!met(3, 0, &[Region::Apnic], 2), "all of them are in one region");
        assert!(!met(4, 0, &two, 3));
        let ballots = ballots(2, 1, &two);
        let tally = Tally::of(&ballots, &rule(2));
        let detail = tally.failure().detail;
        assert!(
            detail.contains("1 of 2") && detail.contains("fewer than 2 regions"),
            "{detail}"
        );
    }

    // T16
    #[test]
    fn t16_no_remote_at_all_is_no_quorum_where_a_region_is_asked_for() {
        assert!(!Tally::of(&[], &rule(1)).is_met());
    }

    #[test]
    fn a_quorum_is_written_as_the_remotes_that_agree_of_all_remotes() {
        let shown = |remotes, differing| Tally::of(&ballots(remotes, differing, &[Region::Arin]), &rule(1)).to_string();
        assert_eq!(shown(4, 1), "3/4 (primary + a, b, c; not d)");
        assert_eq!(shown(2, 0), "2/2 (primary + a, b)");
        assert_eq!(shown(2, 2), "0/2 (primary; not a, b)");
    }

    #[test]
    fn trying_again_is_worth_it_where_it_may_pass_for_enough_of_them() {
        let mut ballots = ballots(3, 2, &[Region::Arin]);
        assert!(!Tally::of(&ballots, &rule(1)).failure().transient);
        ballots[2].verdict = Err(objection(true));
        let failure = Tally::of(&ballots, &rule(1)).failure();
        assert!(failure.transient);
        assert!(
            failure.detail.contains("2 of 3") && failure.detail.contains("at most 1"),
            "{failure:?}"
        );
    }

    #[test]
    fn one_that_has_seen_something_else_is_told_before_one_that_is_silent() {
        let mut ballots = ballots(3, 2, &[Region::Arin]);
        ballots[1].verdict = Err(Objection {
            kind: ProblemType::ServerInternal,
            detail: "silence".to_owned(),
            transient: true,
            looked: false,
        });
        let failure = Tally::of(&ballots, &rule(1)).failure();
        assert_eq!(failure.kind, ProblemType::Unauthorized);
        assert!(failure.detail.ends_with("saw another"), "{failure:?}");
    }
}
