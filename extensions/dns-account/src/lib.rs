//! `dns-account-01`: dns-01 at a name of the account's own (draft-ietf-acme-dns-account-label-03).
//!
//! A domain may delegate `_acme-challenge` by one CNAME only; the label here is made of the account's URL, so that each of
//! several clients has a place for its records. One validation method; off unless configured.

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    Registry,
    identifier::{Name, Target},
    ports::{AccountUrl, BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use aws_lc_rs::digest::{SHA256, digest};
use validation::{
    attempt::{Attempt, Failure},
    dial::Network,
    dns01,
};

/// Adds what this document adds.
pub fn register(registry: &mut Registry, network: Arc<Network>, account_url: AccountUrl) {
    registry.add_method(Arc::new(DnsAccount { network, account_url }));
}

/// The name of the TXT record by which an account proves control of a domain.
pub fn record_name(account_url: &str, domain: &str) -> String {
    let digest = digest(&SHA256, account_url.as_bytes());
    let label: String = digest.as_ref()[..10].chunks(5).map(base32).collect();
    format!("_{label}._acme-challenge.{domain}")
}

struct DnsAccount {
    network: Arc<Network>,
    account_url: AccountUrl,
}

impl ValidationMethod for DnsAccount {
    fn name(&self) -> &'static str {
        NAME
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Host(_))
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let network = self.network.clone();
        // The account as it names itself in its responses: its URL, which survives a new key (§3.1 of the draft).
        let account_url = (self.account_url)(request.account);
        Box::pin(async move {
            let mut attempt = network.begin(NAME);
            let look = prove(&network, &account_url, &request, &mut attempt);
            let outcome = network.in_time(ProblemType::Dns, look).await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(
    network: &Network,
    account_url: &str,
    request: &ValidationRequest,
    attempt: &mut Attempt,
) -> Result<(), Failure> {
    let Target::Host(host) = request.name.target() else {
        return Err(Failure::lasting(
            ProblemType::RejectedIdentifier,
            "The identifier has no place in the DNS.",
        ));
    };
    let name = record_name(account_url, host);
    let looked = dns01::digest_at(network, &name, &request.key_authorization, attempt).await;
    // What the label was made of, for whoever made another.
    looked.map_err(|failure| Failure {
        detail: format!("{} The label is that of the account {account_url}.", failure.detail),
        ..failure
    })
}

/// Five octets as eight characters (RFC 4648 §6), in lower case.
fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = octets.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
    let characters = (0..8)
        .rev()
        .map(|at| char::from(ALPHABET[(bits >> (5 * at)) as usize & 31]));
    characters.collect()
}

const NAME: &str = "dns-account-01";

#[cfg(test)]
mod tests;
