//! Certificates for hidden services, by an authority that does not reach Tor (RFC 9799).
//!
//! A name below `.onion` is a `dns` identifier whose last label but one is the service's key ([`names`]). Nothing about it
//! is in the DNS or can be dialled from here, so it has no target on the network, and every method that looks there leaves
//! it alone by itself. What is left is `onion-csr-01` ([`method`]): the service signs a request with a nonce of ours.
//! Whom the service lets issue comes with finalize ([`in_band`]), since its descriptor cannot be fetched, and what is not
//! sent forbids.

mod in_band;
mod method;
mod names;
mod proof;
pub mod records;

use std::{sync::Arc, time::Duration};

use authority::{Registry, ports::AccountUrl};
use serde_json::{Map, Value};
use validation::attempt::Clock;

use self::{in_band::InBandCaa, method::OnionCsr, names::OnionNames};

pub use self::proof::judge;

/// Adds what this document adds. `identities` are the names by which CAA records mean this authority, in lower case.
pub fn register(registry: &mut Registry, identities: Vec<String>, account_url: AccountUrl, clock: Clock) {
    registry.wrap_identifier_types(|names| match names.kind() {
        DNS => Arc::new(OnionNames(names)),
        _ => names,
    });
    registry.add_method(Arc::new(OnionCsr { clock: clock.clone() }));
    registry.add_check(Arc::new(InBandCaa {
        identities,
        account_url,
        clock,
    }));
}

/// RFC 9799 §6.4.1.
pub fn describe(meta: &mut Map<String, Value>) {
    meta.insert("inBandOnionCAARequired".to_owned(), Value::from(true));
}

/// For how long a challenge may be answered (RFC 9799 §3.2, Baseline Requirements B.2.b): an authorization that waits
/// longer would take an older nonce.
pub const OLDEST_NONCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const DNS: &str = "dns";

#[cfg(test)]
mod tests;
