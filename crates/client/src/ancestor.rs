//! Domains that are proven in place of names below them (RFC 9444).

use acme::{Authorization, RequestedIdentifier};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::Error, identifier::Identifier};

/// The domains up to which the subscriber can go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ancestors(Vec<Identifier>);

impl Ancestors {
    pub fn new(domains: Vec<Identifier>) -> Self {
        Self(domains)
    }

    /// `Err` when one of them is above none of the names.
    pub(crate) fn check(&self, names: &[Identifier]) -> Result<(), Error> {
        let is_useless = |domain: &&Identifier| !names.iter().any(|name| is_ancestor(domain, name));
        match self.0.iter().find(is_useless) {
            Some(domain) => Err(Error::Input(format!(
                "{domain} is no domain above any of the names: leave it out of --ancestor"
            ))),
            None => Ok(()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As newOrder names it (RFC 9444 §4.3).
    pub(crate) fn request(&self, name: &Identifier) -> RequestedIdentifier {
        let mut requested = RequestedIdentifier::from(name.to_wire());
        if let Some(ancestor) = self.above(name) {
            requested
                .members
                .insert("ancestorDomain".to_owned(), ancestor.to_string().into());
        }
        requested
    }

    /// The domain that an authorization is for, if it may stand for one of the names: at or below the domain that the CA
    /// was told of, and above the name.
    pub(crate) fn proven_by(&self, names: &[Identifier], authorization: &Authorization) -> Option<Identifier> {
        if authorization.members.get(COVERS) != Some(&Value::Bool(true)) {
            return None;
        }
        let domain = Identifier::from_wire(&authorization.identifier)?;
        let stands_for = |name: &Identifier| {
            self.above(name)
                .is_some_and(|told| is_ancestor(&domain, name) && (domain == *told || is_ancestor(told, &domain)))
        };
        names.iter().any(stands_for).then_some(domain)
    }

    /// The nearest domain above a name.
    fn above(&self, name: &Identifier) -> Option<&Identifier> {
        let above = self.0.iter().filter(|domain| is_ancestor(domain, name));
        above.max_by_key(|domain| domain.to_string().len())
    }
}

/// By whole labels, and none of itself (RFC 9444 §2). A wildcard has one label more than the domain it is for.
fn is_ancestor(domain: &Identifier, name: &Identifier) -> bool {
    let Identifier::Dns(domain) = domain else {
        return false;
    };
    let is_below = |name: &str| {
        name.strip_suffix(domain.as_str())
            .is_some_and(|rest| rest.ends_with('.'))
    };
    match name {
        Identifier::Dns(name) => is_below(name),
        Identifier::Wildcard(base) => base == domain || is_below(base),
        Identifier::Ip(_) | Identifier::Srv(_) | Identifier::Email(_) => false,
    }
}

/// The member of meta and of an authorization.
pub(crate) const COVERS: &str = "subdomainAuthAllowed";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(texts: &[&str]) -> Vec<Identifier> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    // 9444-4.3-1
    #[test]
    fn each_name_goes_out_with_the_nearest_of_the_domains_above_it() {
        let ordered = names(&["a.b.example.org", "*.example.org", "example.org", "192.0.2.1"]);
        let ancestors = Ancestors::new(names(&["example.org", "b.example.org"]));
        ancestors.check(&ordered).unwrap();
        let asked = ordered.iter().map(|name| ancestors.request(name).members);
        let asked: Vec<_> = asked.map(|members| members.get("ancestorDomain").cloned()).collect();
        let expected = [Some(json!("b.example.org")), Some(json!("example.org")), None, None];
        assert_eq!(asked, expected);
        for useless in [
            "example.com",
            "ample.org",
            "a.b.example.org",
            "*.example.org",
            "192.0.2.1",
        ] {
            assert!(Ancestors::new(names(&[useless])).check(&ordered).is_err(), "{useless}");
        }
    }

    // 9444-4.1-1
    #[test]
    fn an_authorization_stands_for_a_name_below_it_only_as_far_up_as_was_said() {
        let ordered = names(&["a.b.example.org"]);
        let authorized = |domain: &str, covers: Value| -> Authorization {
            let object = json!({"identifier": {"type": "dns", "value": domain}, "status": "pending", "challenges": [],
                                "subdomainAuthAllowed": covers});
            serde_json::from_value(object).unwrap()
        };
        let ancestors = Ancestors::new(names(&["example.org"]));
        let by = |ancestors: &Ancestors, domain, covers| ancestors.proven_by(&ordered, &authorized(domain, covers));
        for domain in ["example.org", "b.example.org"] {
            assert_eq!(by(&ancestors, domain, true.into()), Some(domain.parse().unwrap()));
            assert_eq!(by(&ancestors, domain, false.into()), None);
            assert_eq!(by(&ancestors, domain, Value::Null), None);
            assert_eq!(by(&Ancestors::default(), domain, true.into()), None);
        }
        for domain in ["org", "example.com", "ample.org", "c.example.org", "x.a.b.example.org"] {
            assert_eq!(by(&ancestors, domain, true.into()), None, "{domain}");
        }
    }
}
