//! What is counted while the clock runs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    Authorization,
    Challenge,
    PollAuthorization,
    Finalize,
    PollOrder,
    Certificate,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Self::Directory,
        Self::NewNonce,
        Self::NewAccount,
        Self::NewOrder,
        Self::Authorization,
        Self::Challenge,
        Self::PollAuthorization,
        Self::Finalize,
        Self::PollOrder,
        Self::Certificate,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "newNonce",
            Self::NewAccount => "newAccount",
            Self::NewOrder => "newOrder",
            Self::Authorization => "authorization",
            Self::Challenge => "challenge",
            Self::PollAuthorization => "poll authorization",
            Self::Finalize => "finalize",
            Self::PollOrder => "poll order",
            Self::Certificate => "certificate",
        }
    }
}

/// One client's counts; merged when the clock has stopped, so that nothing is shared while it runs.
#[derive(Default)]
pub(super) struct Recorder {
    /// Microseconds of whole rounds (issuances, or what the scenario repeats) that succeeded.
    pub(super) rounds: Vec<u32>,
    pub(super) requests: [Vec<u32>; Kind::ALL.len()],
    pub(super) failures: Failures,
    /// Requests that were repeated with the fresh nonce of a `badNonce`.
    pub(super) nonce_retries: u64,
}

impl Recorder {
    pub(super) fn request(&mut self, kind: Kind, took: Duration) {
        self.requests[kind as usize].push(micros(took));
    }

    pub(super) fn round(&mut self, took: Duration) {
        self.rounds.push(micros(took));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rounds.extend(other.rounds);
        for (all, more) in self.requests.iter_mut().zip(other.requests) {
            all.extend(more);
        }
        self.failures.merge(other.failures);
        self.nonce_retries += other.nonce_retries;
    }
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

/// Why a round ended without success.
#[derive(Debug)]
pub(super) struct Failure {
    /// What it is counted under: the problem's type or the kind of trouble, and the request.
    pub(super) label: String,
    pub(super) detail: String,
    pub(super) hang: bool,
}

/// Failures by what happened, each with the first detail that was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failures {
    pub total: u64,
    /// Those among them where an answer did not come in time.
    pub hangs: u64,
    pub by_label: BTreeMap<String, (u64, String)>,
}

impl Failures {
    pub(super) fn count(&mut self, failure: Failure) {
        self.total += 1;
        self.hangs += u64::from(failure.hang);
        self.by_label.entry(failure.label).or_insert((0, failure.detail)).0 += 1;
    }

    fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.hangs += other.hangs;
        for (label, (count, detail)) in other.by_label {
            self.by_label.entry(label).or_insert((0, detail)).0 += count;
        }
    }
}

/// Milliseconds at percentiles (nearest rank).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub count: usize,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latency {
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let count = micros.len();
        let at = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1);
            micros.get(rank - 1).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        Self {
            count,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let latency = Latency::of((1..=1000).rev().map(|n| n * 1000).collect());
        assert_eq!(
            latency,
            Latency {
                count: 1000,
                p50: 500.0,
                p90: 900.0,
                p99: 990.0,
                max: 1000.0
            }
        );
        assert_eq!(
            Latency::of(vec![7000]),
            Latency {
                count: 1,
                p50: 7.0,
                p90: 7.0,
                p99: 7.0,
                max: 7.0
            }
        );
        assert_eq!(Latency::of(vec![]), Latency::default());
    }

    #[test]
    fn kinds_index_their_own_list() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }

    #[test]
    fn failures_of_many_clients_add_up_and_keep_the_first_detail() {
        let failure = |label: &str, detail: &str, hang| Failure {
            label: label.into(),
            detail: detail.into(),
            hang,
        };
        let (mut a, mut b) = (Failures::default(), Failures::default());
        a.count(failure("timeout (finalize)", "first", true));
        b.count(failure("timeout (finalize)", "second", true));
        b.count(failure("rateLimited (newOrder)", "slow down", false));
        a.merge(b);
        assert_eq!((a.total, a.hangs), (3, 2));
        assert_eq!(a.by_label["timeout (finalize)"], (2, "first".into()));
    }
}
