//! The moment "code": return routability. A secret is sent to where only the holder of a name can read it, and comes back.

use std::time::Duration;

use super::BoxFuture;
use crate::{
    Limit,
    identifier::Name,
    model::{AccountId, SentCode},
};

/// How the codes of a validation method get out. How they come back is the method's: in the response, or by a way of its
/// own that ends in [`crate::Authority::code_returned`].
pub trait CodeTransport: Send + Sync {
    /// Random octets in a code.
    fn octets(&self) -> usize;

    /// How long after it was offered it may come back.
    fn window(&self) -> Duration;

    /// How many may go out, so that nobody is buried in them.
    fn limits(&self, account: AccountId, name: &Name) -> Vec<CodeLimit>;

    /// Tries once to get it out, within a minute. After a crash it may be sent again, with the same code.
    fn send(&self, code: SentCode) -> BoxFuture<'static, Dispatch>;
}

/// One bucket that a code is counted in.
#[derive(Clone, Debug)]
pub struct CodeLimit {
    pub limit: Limit,
    pub key: String,
    /// Completes the sentence "too many …".
    pub what: String,
}

/// What became of an attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// With who took it and what was said.
    Sent(String),
    /// Not now.
    Later(String),
    /// Never: there is nobody there.
    Refused(String),
}
