//! What is fuzzed.

mod caa;
mod certificate;
mod chain;
mod crl;
mod csr;
mod dkim;
mod dns_answer;
mod http_answer;
mod jws;
mod mail_message;
mod mail_policy;
mod mail_replies;
mod names;
mod objects;
mod ocsp;
mod onion;

pub use self::{
    caa::caa, certificate::certificate, chain::chain, crl::crl, csr::csr, dkim::dkim, dns_answer::dns_answer,
    http_answer::http_answer, jws::jws, mail_message::mail_message, mail_policy::mail_policy,
    mail_replies::mail_replies, names::names, objects::objects, ocsp::ocsp, onion::onion,
};

/// A reader and its invariants.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also of its corpus, and of its binary below `cargo-fuzz/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// How much damage is done in one round of a replay: what takes longer gets less, for a debug build's sake.
    pub share: u32,
}

const fn target(name: &'static str, run: fn(&[u8]), share: u32) -> Target {
    Target { name, run, share }
}

pub const ALL: &[Target] = &[
    target("caa", caa, 4),
    target("certificate", certificate, 1),
    target("chain", chain, 1),
    target("crl", crl, 2),
    target("csr", csr, 1),
    target("dkim", dkim, 2),
    target("dns_answer", dns_answer, 2),
    target("http_answer", http_answer, 2),
    target("jws", jws, 1),
    target("mail_message", mail_message, 1),
    target("mail_policy", mail_policy, 2),
    target("mail_replies", mail_replies, 2),
    target("names", names, 4),
    target("objects", objects, 2),
    target("ocsp", ocsp, 2),
    target("onion", onion, 2),
];
