//! `dns-persist-01`: control shown by a record that stays (draft-ietf-acme-dns-persist-00).
//!
//! The record names the authority and the account, not a token, so it is set once and good for every order. One
//! validation method; off unless configured. Every order looks anew: a record that was taken away proves nothing, and its
//! TTL bounds nothing that is kept (§7.8).

mod record;

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    Registry,
    identifier::{Name, Target},
    ports::{AccountUrl, BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};
use validation::{
    attempt::{Attempt, Failure},
    dial::Network,
    dns01,
};

pub use record::{Asked, judge};

/// Adds what this document adds. `issuers` are the names by which records mean this authority, in lower case, and at
/// least one; the first ten are offered (§3.1).
pub fn register(registry: &mut Registry, network: Arc<Network>, account_url: AccountUrl, mut issuers: Vec<String>) {
    issuers.truncate(MOST_ISSUERS);
    registry.add_method(Arc::new(DnsPersist {
        network,
        account_url,
        issuers: issuers.into(),
    }));
}

struct DnsPersist {
    network: Arc<Network>,
    account_url: AccountUrl,
    issuers: Arc<[String]>,
}

impl ValidationMethod for DnsPersist {
    fn name(&self) -> &'static str {
        NAME
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Host(_))
    }

    fn has_token(&self) -> bool {
        false
    }

    fn members(&self, _name: &Name, _token: &str) -> Map<String, Value> {
        let issuers = self.issuers.iter().cloned().map(Value::String).collect();
        [("issuer-domain-names".to_owned(), Value::Array(issuers))]
            .into_iter()
            .collect()
    }

    fn reusable(&self) -> bool {
        false
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let (network, issuers) = (self.network.clone(), self.issuers.clone());
        let account_url = (self.account_url)(request.account);
        Box::pin(async move {
            let mut attempt = network.begin(NAME);
            let asked = Asked {
                issuers: &issuers,
                account_url: &account_url,
                wildcard: request.name.is_wildcard(),
                now: (network.clock)().as_second(),
            };
            let look = prove(&network, &request.name, &asked, &mut attempt);
            let outcome = network.in_time(ProblemType::Dns, look).await;
            attempt.conclude(outcome)
        })
    }
}

async fn prove(network: &Network, name: &Name, asked: &Asked<'_>, attempt: &mut Attempt) -> Result<(), Failure> {
    let Target::Host(host) = name.target() else {
        return Err(Failure::lasting(
            ProblemType::RejectedIdentifier,
            "The identifier has no place in the DNS.",
        ));
    };
    let at = format!("_validation-persist.{host}");
    let answer = dns01::texts_at(network, &at, attempt).await;
    judge(&at, dns01::records_of(&at, &answer)?, asked)
}

const NAME: &str = "dns-persist-01";
/// §3.1 of the draft.
const MOST_ISSUERS: usize = 10;

#[cfg(test)]
mod tests;
