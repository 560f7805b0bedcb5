//! Several buckets of the rate limits at once: all or none.

use authority::ports::{Spend, Spent, draw};
use jiff::Timestamp;

/// The buckets as they become, in milliseconds, if every one of them allows it.
pub(crate) fn decide(spends: &[Spend], fills: &[Option<i64>], now: Timestamp) -> Result<Vec<i64>, Spent> {
    let mut drawn = Vec::with_capacity(spends.len());
    let mut refused: Option<(usize, Timestamp)> = None;
    for (which, (spend, full_at)) in spends.iter().zip(fills).enumerate() {
        let full_at = full_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        match draw(spend, full_at, now) {
            Ok(next) => drawn.push(next.as_millisecond()),
            // RFC 8555 §6.6: when all of them allow it again.
            Err(until) if refused.is_none_or(|(_, latest)| until > latest) => refused = Some((which, until)),
            Err(_) => {}
        }
    }
    match refused {
        None => Ok(drawn),
        Some((which, until)) => Err(Spent::Refused { which, until }),
    }
}
