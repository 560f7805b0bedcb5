//! Time and chance, as arguments: what waits here can be tested without waiting.

use std::time::Duration;

use aws_lc_rs::rand;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// What a client needs to know of time and chance.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// A number from 0 to 1, a new one each time: clients that failed together should not return together.
    fn jitter(&self) -> f64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the edge where a client reads the time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn jitter(&self) -> f64 {
        f64::from(u32::from_be_bytes(random())) / f64::from(u32::MAX)
    }
}

/// For names and numbers that must not repeat; keys are made by their own libraries.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge where a client reads randomness"
)]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("invariant: the operating system has randomness once it runs programs");
    bytes
}
