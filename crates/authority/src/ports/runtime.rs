//! Time, randomness and tasks.

use std::time::Duration;

use jiff::Timestamp;

use super::BoxFuture;
use crate::model::{AuthorizationId, OrderId};

/// The world's clock, dice and hands. Tests bring their own.
pub trait Runtime: Send + Sync {
    fn now(&self) -> Timestamp;
    /// Fills with bytes fit for keys and tokens.
    fn random(&self, bytes: &mut [u8]);
    fn spawn(&self, task: BoxFuture<'static, ()>);
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Told of every committed change, so that whoever waits for one need not poll.
pub trait Changes: Send + Sync {
    fn changed(&self, subject: Subject);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Authorization(AuthorizationId),
    Order(OrderId),
    /// Something was revoked: a CRL is due.
    Revocations,
}
