//! S/MIME certificates (RFC 8823): mailboxes as identifiers, and how a mailbox is proved.
//!
//! In scope: the identifier type `email`, `email-reply-00` with its mail out and in, `dns-01` at a mailbox's domain, and
//! the command `smime`. Out of scope: what a message is and who vouches for it (the crate `mail`), what a certificate for
//! mail looks like (the profile with `purpose = "email"`), and `issuemail` (the extension `caa`).

mod by_domain;
pub mod client;
mod dns;
mod mailbox;
pub mod server;
mod smtp;

use std::sync::Arc;

use authority::Registry;
use validation::dial::Network;

use self::{by_domain::DnsOfMailboxes, mailbox::Email};

/// Adds mailboxes. To be called once the base's methods are registered.
pub fn register(registry: &mut Registry, network: &Arc<Network>) {
    registry.add_identifier_type(Email);
    registry.wrap_methods(|method| match method.name() {
        "dns-01" => Arc::new(DnsOfMailboxes::around(method, network.clone())),
        _ => method,
    });
}
