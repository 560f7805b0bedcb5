//! Issuers that are not ours.
//!
//! In scope: asking a program of the operator's ([`Command`]), or another ACME authority ([`Relay`]). Out of scope: when it is asked, again or for the first
//! time, and whether its answer is the certificate of the order (the `authority` and `issuance`).

mod acme;
mod command;

pub use acme::{Relay, RelaySettings};
pub use command::Command;
