//! `dns-01` for mailboxes: whoever controls the domain controls its mailboxes (S/MIME Baseline Requirements §3.2.2.1).

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::{Name, Target},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
use serde_json::{Map, Value};
use validation::{dial::Network, dns01};

/// The base's method, which knows what is to be done for every other name.
pub struct DnsOfMailboxes {
    base: Arc<dyn ValidationMethod>,
    network: Arc<Network>,
}

impl DnsOfMailboxes {
    pub fn around(base: Arc<dyn ValidationMethod>, network: Arc<Network>) -> Self {
        Self { base, network }
    }
}

impl ValidationMethod for DnsOfMailboxes {
    fn name(&self) -> &'static str {
        self.base.name()
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Mailbox { .. }) || self.base.offered_for(name)
    }

    fn serves(&self, name: &Name, profile: &str) -> bool {
        matches!(name.target(), Target::Mailbox { .. }) || self.base.serves(name, profile)
    }

    fn has_token(&self) -> bool {
        self.base.has_token()
    }

    fn members(&self, name: &Name) -> Map<String, Value> {
        self.base.members(name)
    }

    fn instead_of_token(&self, token: &str) -> Option<(&'static str, Value)> {
        self.base.instead_of_token(token)
    }

    fn take_response(&self, payload: &Map<String, Value>) -> Result<Option<Value>, String> {
        self.base.take_response(payload)
    }

    fn reusable(&self) -> bool {
        self.base.reusable()
    }

    fn is_probe(&self) -> bool {
        self.base.is_probe()
    }

    fn validate(&self, request: ValidationRequest) -> BoxFuture<'static, Report> {
        let Target::Mailbox { domain } = request.name.target() else {
            return self.base.validate(request);
        };
        let record = format!("_acme-challenge.{domain}");
        let (network, method) = (self.network.clone(), self.name());
        Box::pin(async move {
            let mut attempt = network.begin(method);
            let look = dns01::digest_at(&network, &record, &request.key_authorization, &mut attempt);
            let outcome = network.in_time(ProblemType::Dns, look).await;
            attempt.conclude(outcome)
        })
    }
}
