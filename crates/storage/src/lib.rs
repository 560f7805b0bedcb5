//! The store port on SQLite and PostgreSQL.
//!
//! In scope: rows, the conditional changes of [`authority::ports::Store`], migrations of the schema, and the few facts
//! that belong to the store as a whole ([`Shared`]). Out of scope: what a change means (the authority decided that).
//!
//! If the store is lost, every account, order and record of what was signed is lost with it: back it up. Whoever can
//! write to it can have certificates issued for any name, by marking an authorization valid; whoever can read it learns
//! contacts, names and evidence, and the key that seals identifiers, but no signing key.

mod change;
mod fault;
mod limit;
mod migration;
mod numbers;
mod open;
pub mod postgres;
mod row;
mod shared;
pub mod sqlite;

pub use fault::{CommitFault, CommitFaults};
pub use open::{OnFatal, OpenError, open};
pub use shared::{Database, Shared, Statistics};
