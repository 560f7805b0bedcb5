//! Certification Authority Authorization: whom a domain lets issue for it (RFC 8659), with accounts and methods
//! (RFC 8657) and mailboxes (RFC 9495).
//!
//! One check before issuance. Every DNS name of an order is asked about at every issuance, so no answer is older than
//! the certificate that rests on it. Reading a record is [`property`], deciding by a set of them is [`decision`] (both
//! pure), finding the set that counts is [`climb`], and putting it together for an order is [`check`]. What is not known
//! forbids.

mod check;
mod climb;
mod decision;
mod method;
mod property;

pub use check::CaaCheck;
pub use climb::Patience;
pub use decision::{Asked, Objection, Permission, Refused, Scope, decide};
pub use method::label;
pub use property::{Property, Unreadable};

#[cfg(test)]
mod tests;
