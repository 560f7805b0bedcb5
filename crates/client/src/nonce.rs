//! Nonces that are at hand (RFC 8555 §6.5, §7.2).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// A value of `Replay-Nonce` that has the grammar of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A header that is not `1*base64url` must be ignored (RFC 8555 §6.5.1).
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get("replay-nonce")?.to_str().ok()?;
        let is_base64url = !value.is_empty()
            && value
                .bytes()
                .all(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        is_base64url.then(|| Self(value.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One pool for all requests to one server, however many run at once.
#[derive(Debug, Default)]
pub struct NoncePool(Mutex<VecDeque<(Timestamp, Nonce)>>);

impl NoncePool {
    /// The youngest nonce: it is the likeliest to be still good. Old ones are dropped unused.
    pub fn take(&self, now: Timestamp) -> Option<Nonce> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, nonce) = pool.pop_back()?;
        if now.duration_since(since) > SignedDuration::try_from(LONGEST_USE).unwrap_or(SignedDuration::MAX) {
            pool.clear();
            return None;
        }
        Some(nonce)
    }

    pub fn put(&self, nonce: Nonce, now: Timestamp) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() == CAPACITY {
            pool.pop_front();
        }
        pool.push_back((now, nonce));
    }
}

/// As many as requests run at once for a large order.
const CAPACITY: usize = 64;
/// Servers keep nonces for some minutes to hours; a fresh one costs less than a refused request.
const LONGEST_USE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(value: &'static str) -> Option<Nonce> {
        let mut headers = HeaderMap::new();
        headers.insert("replay-nonce", http::HeaderValue::from_static(value));
        Nonce::from_headers(&headers)
    }

    // 8555-6.5-6
    #[test]
    fn what_is_not_base64url_is_no_nonce() {
        assert_eq!(nonce("ab-_09").unwrap().as_str(), "ab-_09");
        for value in ["ab=c", "", "a b", "a+b", "a/b", "\"ab\""] {
            assert_eq!(nonce(value), None, "{value}");
        }
    }

    // 8555-6.5-9
    #[test]
    fn a_pool_that_lay_idle_gives_nothing() {
        let pool = NoncePool::default();
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        pool.put(nonce("one").unwrap(), now);
        pool.put(nonce("two").unwrap(), now);
        assert_eq!(pool.take(now), nonce("two"));
        assert_eq!(pool.take(now + SignedDuration::from_secs(301)), None);
    }

    #[test]
    fn a_pool_is_bounded_and_keeps_the_youngest() {
        let pool = NoncePool::default();
        for second in 0..100 {
            pool.put(nonce("n").unwrap(), Timestamp::from_second(second).unwrap());
        }
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(std::iter::from_fn(|| pool.take(now)).count(), CAPACITY);
    }
}
