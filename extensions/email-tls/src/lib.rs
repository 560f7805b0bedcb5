//! Certificates for mail services: SMTP, submission, IMAP, POP, LMTP and ManageSieve.
//!
//! What is spoken where stands in [`service`], what is published as a proof in [`value`]; [`server`] asks for it,
//! [`client`] answers.

pub mod client;
pub mod server;
pub mod service;
pub mod value;
