//! Renewal information: when a subscriber should renew, and which certificate an order replaces (RFC 9773).
//!
//! Three parts. [`RenewalInfo`](resource::RenewalInfo) answers anybody who asks about a certificate; when is computed in
//! [`window`] (pure). [`Replaces`](replaces::Replaces) reads `replaces` in newOrder and marks the predecessor.
//! [`incident`] is the operator's hand: certificates that must be replaced early, and a page that says why.

mod find;
pub mod incident;
mod operator;
mod replaces;
mod resource;
mod window;

use std::{sync::Arc, time::Duration};

use authority::Registry;
use server::OpenResource;

pub use window::suggested;

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How soon clients should ask again (RFC 9773 §4.3.1).
    pub retry_after: Duration,
    /// A page that explains why certificates are to be replaced early.
    pub explanation_url: Option<String>,
}

/// Adds what this document adds to orders, and to what operators can ask for.
pub fn register(registry: &mut Registry) {
    registry.add_order_member(replaces::Replaces);
    operator::register(registry);
}

/// The resource it adds.
pub fn resource(settings: Settings) -> Arc<dyn OpenResource> {
    Arc::new(resource::RenewalInfo::new(settings))
}
