//! A load generator for any ACME server, lean enough to share a machine with it.
//!
//! One client is one HTTPS connection that is kept and one loop of issuances: newOrder, authorization, challenge,
//! finalize, certificate, with polls where the server asks for them. Everything that is not the protocol is done
//! before the clock runs: accounts, certificate keys, requests. http-01 is answered from memory in this process.
//!
//! Figures are the rate, latencies, the server's CPU per issuance as the kernel accounts it, and every failure.

mod connection;
mod measure;
mod pebble;
mod prepare;
mod report;
mod run;
mod subscriber;
mod tls;
mod usage;
mod wire;

pub use self::{
    connection::Endpoint,
    measure::{Failures, Kind, Latency},
    pebble::Pebble,
    report::{Report, table},
    run::{Accounts, LoadError, Plan, Polling, Scenario, run},
    tls::{Trust, client_config},
    usage::Usage,
};
