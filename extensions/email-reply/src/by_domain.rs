//! `dns-01` for mailboxes: whoever controls the domain controls its mailboxes (S/MIME Baseline Requirements §3.2.2.1).

use std::sync::Arc;

use acme::ProblemType;
use authority::{
    identifier::{Name, Target},
    ports::{BoxFuture, Report, ValidationMethod, ValidationRequest},
};
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

    fn wraps(&self) -> Option<&dyn ValidationMethod> {
        Some(&*self.base)
    }

    fn offered_for(&self, name: &Name) -> bool {
        matches!(name.target(), Target::Mailbox { .. }) || self.base.offered_for(name)
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
