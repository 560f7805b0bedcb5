//! Buckets of the rate limits, and the one computation on them, for every store alike.

use std::time::Duration;

use jiff::Timestamp;

/// One drawn from a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    pub key: String,
    /// How long it takes for one to come back.
    pub interval: Duration,
    /// How long it takes until an empty bucket is full.
    pub depth: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Allowed,
    /// Nothing was spent: the bucket at this place is the one that is empty longest, and all allow it again at `until`.
    Refused {
        which: usize,
        until: Timestamp,
    },
}

/// What a bucket that will be full at `full` (`None`: never drawn on) becomes when one is drawn from it, or when one may
/// be drawn.
pub fn draw(spend: &Spend, full: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
    let next = full
        .map_or(now, |full| full.max(now))
        .checked_add(spend.interval)
        .unwrap_or(Timestamp::MAX);
    let allowed_from = next.checked_sub(spend.depth).unwrap_or(Timestamp::MIN);
    if allowed_from <= now {
        Ok(next)
    } else {
        Err(allowed_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-6.6-1
    #[test]
    fn as_many_as_the_bucket_holds_at_once_then_one_an_interval() {
        let spend = Spend {
            key: String::new(),
            interval: Duration::from_secs(10),
            depth: Duration::from_secs(30),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut full = None;
        for _ in 0..3 {
            full = Some(draw(&spend, full, at(1000)).unwrap());
        }
        assert_eq!(draw(&spend, full, at(1000)), Err(at(1010)));
        assert_eq!(draw(&spend, full, at(1009)), Err(at(1010)));
        full = Some(draw(&spend, full, at(1010)).unwrap());
        assert_eq!(draw(&spend, full, at(1010)), Err(at(1020)));
        // Left alone it is full again, and no fuller.
        for _ in 0..3 {
            full = Some(draw(&spend, full, at(9000)).unwrap());
        }
        assert_eq!(draw(&spend, full, at(9000)), Err(at(9010)));
    }
}
