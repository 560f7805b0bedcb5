//! When a certificate is renewed (pure: a timer, a daemon and a test agree).
//!
//! By itself a certificate is due when a third of its lifetime is left. Where the CA suggests a window (RFC 9773), one
//! moment in it is chosen, once, and kept with everything else that a run must know of those before it.

use std::time::Duration;

use acme::{RenewalId, RenewalInfo, Window};
use jiff::{SignedDuration, Timestamp};
use pkix::certificate::Certificate;
use serde::{Deserialize, Serialize};

/// What is to be done about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalPlan {
    /// From here on it is due, in whole seconds.
    pub due: Timestamp,
    pub not_after: Timestamp,
    /// Whether the CA had its say.
    pub is_suggested: bool,
}

impl RenewalPlan {
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Self {
        let lifetime = not_after.duration_since(not_before).max(SignedDuration::ZERO);
        Self {
            due: whole(not_after - lifetime / 3),
            not_after,
            is_suggested: false,
        }
    }

    /// What the CA suggests goes before; a moment when nothing is left to renew does not count.
    fn suggested(self, suggestion: &Suggestion) -> Self {
        match suggestion.renewal < self.not_after {
            true => Self {
                due: suggestion.renewal,
                is_suggested: true,
                ..self
            },
            false => self,
        }
    }

    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due
    }

    /// RFC 9773 §4.2, step 5: who wakes up from time to time does not let the moment pass.
    pub fn is_due_before(&self, next_look: Option<Timestamp>, now: Timestamp) -> bool {
        self.is_due(now) || (self.is_suggested && next_look.is_some_and(|next| self.due < next))
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.not_after
    }
}

/// What is kept between runs about one certificate's renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalState {
    pub schema: u32,
    /// Of the certificate it is about; it says nothing about the next one.
    pub serial: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// The CA is not asked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_question: Option<Timestamp>,
    /// The last time somebody looked whether it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Timestamp>,
    /// How often renewing it has failed, and when it did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Failures>,
}

/// What the CA said last, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// By the CA's clock.
    pub window: Window,
    /// In the window, by this machine's clock.
    pub renewal: Timestamp,
    #[serde(rename = "explanationURL", default, skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    pub count: u32,
    pub last: Timestamp,
}

/// An answer of the CA.
#[derive(Clone, Debug)]
pub struct Heard {
    pub info: RenewalInfo,
    pub retry_after: Option<Duration>,
    /// What the CA's clock showed.
    pub date: Option<Timestamp>,
}

impl RenewalState {
    pub fn of(leaf: &Certificate) -> Self {
        Self {
            schema: 1,
            serial: leaf.serial().to_string(),
            suggestion: None,
            next_question: None,
            looked: None,
            failures: None,
        }
    }

    pub fn plan(&self, leaf: &Certificate) -> RenewalPlan {
        let plan = RenewalPlan::new(leaf.not_before(), leaf.not_after());
        match &self.suggestion {
            Some(suggestion) => plan.suggested(suggestion),
            None => plan,
        }
    }

    /// RFC 9773 §4.3: not before the CA wants it, and never about what has expired.
    pub fn wants_to_ask(&self, now: Timestamp, not_after: Timestamp) -> bool {
        now <= not_after && self.next_question.is_none_or(|next| next <= now)
    }

    /// RFC 9773 §4.2, §4.3.2. `chance` from 0 to 1 chooses the moment in a window that is new.
    pub fn hear(&mut self, heard: Heard, now: Timestamp, chance: f64) {
        let Heard {
            info,
            retry_after,
            date,
        } = heard;
        let window = info.suggested_window;
        if !window.is_valid() {
            return self.hear_nothing(now);
        }
        let chosen = match &self.suggestion {
            Some(known) if known.window == window => known.renewal,
            _ => on_this_clock(choose(window, chance), date, now),
        };
        self.suggestion = Some(Suggestion {
            window,
            renewal: chosen,
            explanation_url: info.explanation_url,
        });
        let pause = retry_after.map_or(AFTER_ERROR, |asked| asked.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
        self.next_question = Some(whole(later(now, pause)));
    }

    /// RFC 9773 §4.3.3: what was known stays, and the question rests for six hours.
    pub fn hear_nothing(&mut self, now: Timestamp) {
        self.next_question = Some(whole(later(now, AFTER_ERROR)));
    }

    /// Notes that somebody looks; gives when the next look may be expected, as this one came after the last.
    pub fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
        let before = self.looked.replace(whole(now))?;
        let pause = Duration::try_from(now.duration_since(before)).unwrap_or_default();
        Some(later(now, pause.min(LONGEST_PAUSE)))
    }

    pub fn fail(&mut self, now: Timestamp) {
        let count = self.failures.map_or(0, |failures| failures.count).saturating_add(1);
        self.failures = Some(Failures {
            count,
            last: whole(now),
        });
    }

    /// Until when nothing is tried again: longer after each failure, but never so long that too little time is left.
    pub fn rests_until(&self, now: Timestamp, not_after: Timestamp) -> Option<Timestamp> {
        let Failures { count, last } = self.failures?;
        let left = Duration::try_from(not_after.duration_since(last)).unwrap_or_default();
        let longest = (left / 8).clamp(FIRST_REST, LONGEST_REST);
        let rest = FIRST_REST.saturating_mul(2_u32.saturating_pow(count.saturating_sub(1)));
        let until = later(last, rest.min(longest));
        (now < until).then_some(until)
    }
}

/// The certificate's name in requests; `None` for one whose issuer has no key identifier.
pub fn renewal_id(leaf: &Certificate) -> Option<RenewalId> {
    let key_identifier = leaf.authority_key_identifier()?;
    Some(RenewalId::new(key_identifier, leaf.serial().der_content()))
}

/// RFC 9773 §4.2, step 2: uniformly, to the second.
fn choose(window: Window, chance: f64) -> Timestamp {
    let length = window.end.duration_since(window.start);
    whole(window.start + length.mul_f64(chance.clamp(0.0, 1.0)))
}

/// RFC 9773 §6: a window that has passed by the CA's clock must not lie ahead by ours. What a message takes on its way is no
/// difference.
fn on_this_clock(moment: Timestamp, date: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let ahead = date.map_or(SignedDuration::ZERO, |date| date.duration_since(now));
    match ahead.abs() > SAME_TIME {
        true => whole(moment.checked_sub(ahead).unwrap_or(moment)),
        false => moment,
    }
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn later(time: Timestamp, pause: Duration) -> Timestamp {
    time.checked_add(pause).unwrap_or(Timestamp::MAX)
}

const SHORTEST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
const AFTER_ERROR: Duration = Duration::from_secs(6 * 60 * 60);
const FIRST_REST: Duration = Duration::from_secs(5 * 60);
const LONGEST_REST: Duration = Duration::from_secs(12 * 60 * 60);
const SAME_TIME: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    fn at(hours: i64) -> Timestamp {
        start() + SignedDuration::from_hours(hours)
    }

    fn state() -> RenewalState {
        RenewalState {
            schema: 1,
            serial: "01".to_owned(),
            suggestion: None,
            next_question: None,
            looked: None,
            failures: None,
        }
    }

    fn heard(from: i64, to: i64) -> Heard {
        Heard {
            info: RenewalInfo {
                suggested_window: Window {
                    start: at(from),
                    end: at(to),
                },
                explanation_url: None,
            },
            retry_after: Some(Duration::from_secs(21_600)),
            date: None,
        }
    }

    #[test]
    fn a_certificate_is_due_when_a_third_is_left_however_long_it_lives() {
        for (lifetime, due) in [(24 * 90, 24 * 60), (24 * 6, 24 * 4), (3, 2)] {
            let plan = RenewalPlan::new(start(), at(lifetime));
            assert_eq!(plan.due, at(due));
            assert!(!plan.is_due(plan.due - SignedDuration::from_secs(1)) && plan.is_due(plan.due));
        }
    }

    #[test]
    fn dates_in_the_wrong_order_are_due_at_the_end() {
        let plan = RenewalPlan::new(at(24), at(0));
        assert_eq!(plan.due, plan.not_after);
    }

    // 9773-4.2-3
    #[test]
    fn a_moment_is_chosen_once_for_each_window_in_whole_seconds() {
        let mut state = state();
        state.hear(heard(10, 20), at(0), 0.123_456_789);
        let chosen = state.suggestion.clone().unwrap().renewal;
        assert!(
            at(11) < chosen && chosen < at(12) && chosen.subsec_nanosecond() == 0,
            "{chosen}"
        );
        state.hear(heard(10, 20), at(6), 0.9);
        assert_eq!(state.suggestion.clone().unwrap().renewal, chosen);
        state.hear(heard(10, 21), at(12), 1.0);
        assert_eq!(state.suggestion.unwrap().renewal, at(21));
    }

    // 9773-4.2-3, 9773-4.3.3-1
    #[test]
    fn a_window_that_ends_before_it_begins_is_no_answer() {
        let mut state = state();
        state.hear(heard(10, 20), at(0), 0.0);
        let known = state.suggestion.clone();
        for (from, to) in [(5, 5), (5, 4)] {
            state.hear(heard(from, to), at(1), 0.0);
            assert_eq!((&state.suggestion, state.next_question), (&known, Some(at(7))));
        }
    }

    // 9773-4.3.2-1, 9773-4.3.3-1
    #[test]
    fn the_ca_is_asked_again_when_it_says_within_bounds() {
        for (asked, seconds) in [
            (Some(1), 60),
            (Some(0), 60),
            (Some(7200), 7200),
            (Some(864_000), 86_400),
            (None, 21_600),
        ] {
            let mut state = state();
            let answer = Heard {
                retry_after: asked.map(Duration::from_secs),
                ..heard(10, 20)
            };
            state.hear(answer, at(0), 0.0);
            let next = at(0) + SignedDuration::from_secs(seconds);
            assert_eq!(state.next_question, Some(next), "{asked:?}");
            assert!(
                !state.wants_to_ask(next - SignedDuration::from_secs(1), at(100)) && state.wants_to_ask(next, at(100))
            );
        }
        assert!(state().wants_to_ask(at(0), at(100)));
        // 9773-4.3-1
        assert!(
            !state().wants_to_ask(at(101), at(100)),
            "what has expired is not asked about"
        );
    }

    // 9773-S-2
    #[test]
    fn a_window_is_read_by_the_clock_of_whoever_wrote_it() {
        let answer = |hours| Heard {
            date: Some(at(hours)),
            ..heard(-2, -1)
        };
        // Our clock is three hours slow: at(-3) here is at(0) there.
        let mut slow = state();
        slow.hear(answer(0), at(-3), 1.0);
        assert!(slow.suggestion.unwrap().renewal < at(-3));
        let mut right = state();
        right.hear(answer(0), at(0), 1.0);
        assert_eq!(right.suggestion.unwrap().renewal, at(-1));
    }

    // CLIENTS 2, row 16
    #[test]
    fn a_moment_that_comes_before_the_next_look_is_now() {
        let mut state = state();
        state.hear(heard(30, 40), at(0), 0.0);
        assert_eq!(state.look(at(0)), None);
        let next = state.look(at(24)).unwrap();
        assert_eq!(next, at(48));
        let plan = RenewalPlan::new(start(), at(24 * 90)).suggested(&state.suggestion.unwrap());
        assert_eq!(plan.due, at(30));
        assert!(!plan.is_due(at(24)) && plan.is_due_before(Some(next), at(24)));
        assert!(!plan.is_due_before(Some(at(29)), at(24)) && !plan.is_due_before(None, at(24)));
        // Without a suggestion there is time.
        let own = RenewalPlan::new(start(), at(72));
        assert!(!own.is_due_before(Some(at(49)), at(47)));
    }

    #[test]
    fn a_moment_after_the_end_does_not_count() {
        let mut state = state();
        state.hear(heard(30, 40), at(0), 0.0);
        let plan = RenewalPlan::new(start(), at(24));
        assert_eq!(plan.suggested(&state.suggestion.unwrap()), plan);
    }

    // CLIENTS 2, row 16
    #[test]
    fn failures_make_longer_pauses_that_leave_time_enough() {
        let mut state = state();
        let until = |state: &RenewalState, not_after| {
            let until = state.rests_until(at(0), not_after).unwrap();
            until.duration_since(at(0)).as_mins()
        };
        let pauses: Vec<_> = (0..10)
            .map(|_| {
                state.fail(at(0));
                until(&state, at(24 * 30))
            })
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 720, 720]);
        assert_eq!(until(&state, at(8)), 60);
        assert_eq!(until(&state, at(-5)), 5);
        assert_eq!(state.rests_until(at(12), at(24 * 30)), None);
    }
}
