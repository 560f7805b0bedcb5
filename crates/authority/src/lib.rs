//! The authority: accounts, orders, authorizations, challenges; their states, decisions and operations; the ports.
//!
//! In scope: what is true and what follows from it (RFC 8555 §7.1.6 and every operation of §7). Each operation is
//! one file in [`operations`]: load the facts, decide (pure), commit (conditional; run again on conflict).
//! Out of scope: HTTP and JWS (`server`), rows (`storage`), the network (`validation`), keys (`issuance`).
//!
//! Nothing here knows a runtime, a database or a clock: all of it comes in through [`ports`].

pub mod identifier;
pub mod model;
pub mod operations;
pub mod places;
pub mod ports;
mod refusal;
mod registry;

pub use operations::{Authority, CodeReturn, ExternalAccounts, ExternalKey, Limit, Policy};
pub use refusal::{Failure, Refusal};
pub use registry::Registry;
