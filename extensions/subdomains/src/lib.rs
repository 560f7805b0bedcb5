//! Authorizations that cover a domain and everything below it (RFC 9444).
//!
//! Whoever controls a zone proves so once, through the DNS, and orders names below it: after newAuthz with
//! `subdomainAuthAllowed`, or with `ancestorDomain` in newOrder. One satisfaction rule; off unless configured.
//!
//! Such an authorization is that of the domain's wildcard with one member more: it says `wildcard: true` (RFC 9444 §4.1)
//! and is proved by whatever proves wildcards. A web server speaks for its own name alone, so that http-01 and
//! tls-alpn-01 are never offered for it.

mod ancestor;

use acme::{Identifier, Problem, ProblemType};
use authority::{
    Registry,
    identifier::Name,
    model::Authorization,
    operations::RegisteredDomain,
    ports::{Satisfaction, Ways, Wider},
};
use serde_json::{Map, Value};

use self::ancestor::{domains_above, is_at_or_below, is_below};

/// Adds what this document adds. `registered_domain` knows the public suffixes: nobody controls what is below those.
pub fn register(registry: &mut Registry, registered_domain: RegisteredDomain) {
    registry.add_satisfaction(Subdomains { registered_domain });
}

/// RFC 9444 §4.4.
pub fn describe(meta: &mut Map<String, Value>) {
    meta.insert(ALLOWED.to_owned(), true.into());
}

struct Subdomains {
    registered_domain: RegisteredDomain,
}

impl Satisfaction for Subdomains {
    fn ways(&self, name: &Name, members: &Map<String, Value>) -> Result<Ways, Problem> {
        let ancestor = match members.get(ANCESTOR) {
            None => None,
            Some(named) => Some(self.ancestor(name, named)?),
        };
        let Some(domain) = domain(name) else {
            return Ok(Ways::default());
        };
        // What was proved further up than the client says it can go is none of this name's business.
        let within = |above: &&str| match &ancestor {
            Some(ancestor) => is_at_or_below(above, ancestor),
            None => self.is_registered(above),
        };
        let others = domains_above(domain).take_while(within).take(MOST_LABELS);
        let mut others: Vec<_> = others.map(Identifier::dns).collect();
        if let Some(ancestor) = &ancestor
            && !others.iter().any(|other| other.value == *ancestor)
        {
            others.push(Identifier::dns(ancestor));
        }
        Ok(Ways {
            others,
            wider: ancestor.as_deref().map(covering),
        })
    }

    fn ahead(&self, name: &Name, members: &Map<String, Value>) -> Result<Option<Wider>, Problem> {
        let asked = match members.get(ALLOWED) {
            None => false,
            Some(Value::Bool(asked)) => *asked,
            Some(other) => {
                let detail = format!("\"{ALLOWED}\" is {}, which is neither true nor false", excerpt(other));
                return Err(Problem::new(ProblemType::Malformed, detail));
            }
        };
        // RFC 9444 §4.2: what is not given is left out of the answer.
        let given = domain(name).filter(|domain| asked && self.is_registered(domain));
        Ok(given.map(covering))
    }

    fn covers(&self, authorization: &Authorization, name: &Name) -> bool {
        authorization.members.get(ALLOWED) == Some(&Value::Bool(true))
            && authorization.identifier.kind == DNS
            && domain(name).is_some_and(|domain| is_at_or_below(domain, &authorization.identifier.value))
    }
}

impl Subdomains {
    /// RFC 9444 §2: a domain that contains the name and is another.
    fn ancestor(&self, name: &Name, named: &Value) -> Result<String, Problem> {
        let refused = |kind, what: &str| {
            let detail = format!("\"{ANCESTOR}\" of {} is {}, {what}", name.identifier(), excerpt(named));
            Err(Problem::new(kind, detail))
        };
        let malformed = |what| refused(ProblemType::Malformed, what);
        let Some(domain) = domain(name) else {
            return malformed("but only names of type dns have ancestors; leave it out");
        };
        let Some(text) = named.as_str() else {
            return malformed("which is not a string");
        };
        let ancestor = text.to_ascii_lowercase();
        // A wildcard has one label more than the domain it is for.
        let is_above = match name.is_wildcard() {
            true => is_at_or_below(domain, &ancestor),
            false => is_below(domain, &ancestor),
        };
        if !is_above {
            return malformed("which is no domain above it; name one whose labels are the name's last ones, and fewer");
        }
        if !self.is_registered(&ancestor) {
            return refused(
                ProblemType::RejectedIdentifier,
                "below which anybody may register names (it is a public suffix); name a domain that is yours",
            );
        }
        Ok(ancestor)
    }

    /// Whether a domain is somebody's, and no public suffix.
    fn is_registered(&self, domain: &str) -> bool {
        (self.registered_domain)(domain).is_some()
    }
}

/// The domain of a DNS name, for a wildcard the one that it is for.
fn domain(name: &Name) -> Option<&str> {
    (name.base().kind == DNS).then_some(name.base().value.as_str())
}

/// What is made for an ancestor. In the form of its wildcard, so that only what proves wildcards is offered.
fn covering(ancestor: &str) -> Wider {
    Wider {
        identifier: Identifier::dns(format!("*.{ancestor}")),
        members: [(ALLOWED.to_owned(), true.into())].into_iter().collect(),
    }
}

/// What was sent, as far as it fits an answer.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_EXCERPT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

const ALLOWED: &str = "subdomainAuthAllowed";
const ANCESTOR: &str = "ancestorDomain";
const DNS: &str = "dns";
/// Each domain that may have been authorized is a question to the store.
const MOST_LABELS: usize = 10;
const LONGEST_EXCERPT: usize = 100;

#[cfg(test)]
mod tests;
