//! When to renew (RFC 9773 §4.2), computed from dates alone.

use acme::Window;
use authority::model::Revocation;
use jiff::{SignedDuration, Timestamp};

use crate::incident::Incident;

/// For a certificate that nothing is wrong with: a fiftieth of its lifetime, beginning when a third of it is left; of one
/// that lives less than ten days, when half is left, since less time remains to put right what fails.
pub fn suggested(not_before: Timestamp, not_after: Timestamp) -> Window {
    let lifetime = not_after.duration_since(not_before).max(SignedDuration::ZERO).as_secs();
    let start = match lifetime < SHORT_LIVED.as_secs() {
        true => lifetime / 2,
        false => lifetime - lifetime / 3,
    };
    let start = later(not_before, start);
    Window {
        start,
        end: later(start, (lifetime / 50).max(1)),
    }
}

/// For one that must be replaced now: so far back that it has passed for clients whose clocks are slow (RFC 9773 §6).
pub fn passed(since: Timestamp) -> Window {
    Window {
        start: later(since, -2 * SLOWEST_CLOCK.as_secs()),
        end: later(since, -SLOWEST_CLOCK.as_secs()),
    }
}

/// The window that counts, and the page that explains it.
pub fn decide<'a>(
    regular: Window,
    revocation: Option<&Revocation>,
    incidents: &'a [Incident],
    about_revocation: Option<&'a str>,
) -> (Window, Option<&'a str>) {
    if let Some(revocation) = revocation {
        let because = incidents.first().map(|incident| incident.explanation_url.as_str());
        return (passed(revocation.at), because.or(about_revocation));
    }
    let earliest = incidents.iter().min_by_key(|incident| incident.window.start);
    match earliest {
        // An incident brings a renewal forward and never puts one off.
        Some(incident) if incident.window.start < regular.start => (incident.window, Some(&incident.explanation_url)),
        Some(incident) => (regular, Some(&incident.explanation_url)),
        None => (regular, None),
    }
}

/// To whole seconds; at the end of time it stays there.
fn later(time: Timestamp, seconds: i64) -> Timestamp {
    let second = time.as_second().saturating_add(seconds);
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// What the CA/Browser Forum calls short-lived.
const SHORT_LIVED: SignedDuration = SignedDuration::from_hours(10 * 24);
/// A clock that is further behind refuses fresh certificates as well.
const SLOWEST_CLOCK: SignedDuration = SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn hours(window: Window) -> (f64, f64) {
        let since = |time: Timestamp| time.duration_since(at(0)).as_secs_f64() / 3600.0;
        (since(window.start), since(window.end))
    }

    fn incident(start: i64, end: i64) -> Incident {
        Incident {
            name: "i".into(),
            declared: at(0),
            window: Window {
                start: at(start),
                end: at(end),
            },
            explanation_url: format!("https://ca.example/{start}"),
            rule: None,
            withdrawn: false,
        }
    }

    // 9773-4.2-1
    #[test]
    fn a_window_is_a_fiftieth_of_the_lifetime_and_begins_when_a_third_is_left_or_a_half() {
        for (lifetime, start, end) in [
            (100 * 24, 1600.0, 1648.0),
            (90 * 24, 1440.0, 1483.2),
            (6 * 24, 72.0, 74.88),
            (8, 4.0, 4.16),
        ] {
            let window = suggested(at(0), at(lifetime));
            let (found_start, found_end) = hours(window);
            assert!(
                (found_start - start).abs() < 0.001 && (found_end - end).abs() < 0.001,
                "{lifetime}: {window:?}"
            );
            assert!(window.is_valid() && window.end < at(lifetime));
        }
    }

    // 9773-4.2-1
    #[test]
    fn every_window_is_valid_whatever_the_dates_are() {
        for (from, to) in [(0, 0), (5, 0), (0, 1)] {
            assert!(suggested(at(from), at(to)).is_valid());
        }
        assert!(suggested(Timestamp::MIN, Timestamp::MAX).is_valid());
        assert!(passed(Timestamp::UNIX_EPOCH).is_valid());
    }

    // 9773-5-4
    #[test]
    fn what_is_revoked_or_affected_is_to_be_renewed_before_its_time() {
        let regular = suggested(at(0), at(90 * 24));
        let revocation = Revocation {
            at: at(10),
            reason: None,
        };
        let (window, because) = decide(regular, Some(&revocation), &[], Some("https://ca.example/revoked"));
        assert!(window.is_valid() && window.end < at(10));
        assert_eq!(because, Some("https://ca.example/revoked"));

        let incidents = [incident(30, 40), incident(20, 50)];
        let (window, because) = decide(regular, None, &incidents, None);
        assert_eq!((window.start, because), (at(20), Some("https://ca.example/20")));
        // One that comes later puts nothing off, and is still explained.
        let late = [incident(80 * 24, 81 * 24)];
        assert_eq!(
            decide(regular, None, &late, None),
            (regular, Some("https://ca.example/1920"))
        );
        assert_eq!(
            decide(regular, None, &[], Some("https://ca.example/revoked")),
            (regular, None)
        );
    }
}
