//! When to try again (RFC 8555 §6.6, RFC 9110 §10.2.3).

use std::time::Duration;

use http::{HeaderMap, header::RETRY_AFTER};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// Bounds for everything that is repeated: failed requests, refused nonces, polls.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How often a request is sent that ends in a network error or a 5xx answer.
    pub attempts: u32,
    /// How often a request is signed again after `badNonce`.
    pub bad_nonces: u32,
    /// The first pause; each next one is twice as long.
    pub first_pause: Duration,
    /// No pause is longer, whatever the server asks for. A refusal that asks for more is given to the caller.
    pub longest_pause: Duration,
    /// After this time polling ends.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            bad_nonces: 10,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            patience: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// The pause before repeat number `repeat` (from 0) of a request that failed; `None` when there is none.
    pub fn pause_after_failure(&self, repeat: u32, retry_after: Option<Duration>, jitter: f64) -> Option<Duration> {
        if repeat + 1 >= self.attempts {
            return None;
        }
        match retry_after {
            Some(asked) if asked > self.longest_pause => None,
            Some(asked) => Some(asked.max(self.backoff(repeat)) + spread(asked, jitter)),
            None => Some(self.backoff(repeat) + spread(self.backoff(repeat), jitter)),
        }
    }

    /// The pause before poll number `poll` (from 0).
    pub fn pause_before_poll(&self, poll: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
        let pause = match retry_after {
            // Zero would make a tight loop of it.
            Some(asked) => asked.clamp(SHORTEST_POLL, self.longest_pause),
            None => self.backoff(poll).min(LONGEST_UNASKED_POLL) / 2,
        };
        pause + spread(pause, jitter)
    }

    fn backoff(&self, repeat: u32) -> Duration {
        self.first_pause
            .saturating_mul(2_u32.saturating_pow(repeat))
            .min(self.longest_pause)
    }
}

/// Up to a tenth more, never less: the server named the earliest moment.
fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(jitter.clamp(0.0, 1.0) / 10.0)
}

/// Reads `Retry-After`, which is a number of seconds or a date; anything else is as good as absent.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait: SignedDuration = date.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

const SHORTEST_POLL: Duration = Duration::from_millis(100);
const LONGEST_UNASKED_POLL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, "2026-11-23T12:00:00Z".parse().unwrap())
    }

    // 8555-6.6-2
    #[test]
    fn retry_after_is_read_in_both_forms() {
        assert_eq!(header("7"), Some(Duration::from_secs(7)));
        assert_eq!(header("0"), Some(Duration::ZERO));
        assert_eq!(header("Mon, 23 Nov 2026 12:01:30 GMT"), Some(Duration::from_secs(90)));
    }

    // 8555-6.6-2
    #[test]
    fn a_date_in_the_past_means_now_and_nonsense_means_nothing() {
        assert_eq!(header("Mon, 23 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(
            header("99999999999999999999"),
            Some(Duration::from_secs(u64::from(u32::MAX)))
        );
        for nonsense in ["", "soon", "-1", "1.5", "Mon, 99 Nov 2026"] {
            assert_eq!(header(nonsense), None, "{nonsense}");
        }
    }

    // 8555-C-1
    #[test]
    fn pauses_grow_and_end() {
        let policy = RetryPolicy::default();
        let pauses: Vec<_> = (0..)
            .map_while(|repeat| policy.pause_after_failure(repeat, None, 0.0))
            .collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000].map(Duration::from_millis));
    }

    // 8555-6.6-2
    #[test]
    fn a_server_that_asks_for_more_than_the_bound_is_not_asked_again_too_early() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.pause_after_failure(0, Some(Duration::from_secs(61)), 0.0), None);
        assert_eq!(
            policy.pause_after_failure(0, Some(Duration::from_secs(10)), 1.0),
            Some(Duration::from_secs(11))
        );
        assert_eq!(
            policy.pause_before_poll(0, Some(Duration::from_secs(86_400)), 0.0),
            Duration::from_secs(60)
        );
    }

    // 8555-C-1
    #[test]
    fn a_poll_is_never_immediate() {
        let policy = RetryPolicy::default();
        for poll in 0..40 {
            for asked in [None, Some(Duration::ZERO)] {
                let pause = policy.pause_before_poll(poll, asked, 0.0);
                assert!(
                    pause >= SHORTEST_POLL && pause <= LONGEST_UNASKED_POLL,
                    "{poll}: {pause:?}"
                );
            }
        }
    }
}
