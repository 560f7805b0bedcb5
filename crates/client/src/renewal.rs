//! When a certificate is due (pure: a timer, a daemon and a test agree).

use jiff::{SignedDuration, Timestamp};

/// What is to be done about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalPlan {
    /// From here on it is due: a third of its lifetime is left.
    pub due: Timestamp,
    pub not_after: Timestamp,
}

impl RenewalPlan {
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Self {
        let lifetime = not_after.duration_since(not_before).max(SignedDuration::ZERO);
        Self {
            due: not_after - lifetime / 3,
            not_after,
        }
    }

    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.due
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.not_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_when_a_third_is_left_however_long_it_lives() {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        for (lifetime, due) in [(24 * 90, 24 * 60), (24 * 6, 24 * 4), (3, 2)] {
            let plan = RenewalPlan::new(start, start + SignedDuration::from_hours(lifetime));
            assert_eq!(plan.due, start + SignedDuration::from_hours(due));
            assert!(!plan.is_due(plan.due - SignedDuration::from_secs(1)) && plan.is_due(plan.due));
        }
    }

    #[test]
    fn dates_in_the_wrong_order_are_due_at_the_end() {
        let plan = RenewalPlan::new(
            "2026-11-02T00:00:00Z".parse().unwrap(),
            "2026-11-01T00:00:00Z".parse().unwrap(),
        );
        assert_eq!(plan.due, plan.not_after);
    }
}
