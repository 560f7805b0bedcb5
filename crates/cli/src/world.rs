//! The real world: the one place where a program of ours reads clock and dice.

use std::time::Duration;

use authority::ports::{BoxFuture, Runtime};
use jiff::Timestamp;

#[derive(Clone, Copy)]
pub struct World;

impl Runtime for World {
    fn now(&self) -> Timestamp {
        now()
    }

    fn random(&self, bytes: &mut [u8]) {
        random(bytes);
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge where time enters")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the edge where randomness enters")]
pub fn random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("invariant: the operating system has randomness, or nothing here may go on");
}

pub fn random_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}
