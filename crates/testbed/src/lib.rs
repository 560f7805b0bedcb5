//! A world in a box: what an authority talks to, and who talks to it.
//!
//! In scope: a DNS that answers what a script says ([`dns`]), responders of every challenge that do the same
//! ([`challenges`]), a responder of http-01 that answers from memory ([`responder`]), load and its measurement
//! ([`load`]), a PostgreSQL ([`postgres`]). Out of scope: assertions about the protocol (`conformance`).

pub mod challenges;
pub mod dns;
pub mod load;
pub mod postgres;
pub mod responder;
