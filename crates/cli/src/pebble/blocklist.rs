//! Names that are refused because the configuration says so.

use std::sync::Arc;

use authority::identifier::{IdentifierType, Name, NameRefusal, Page, Target};
use pkix::name::GeneralName;

/// An identifier type without the domains of a list, and without everything below them.
pub struct Blocked {
    pub names: Arc<dyn IdentifierType>,
    pub domains: Arc<[String]>,
}

impl Blocked {
    fn check(&self, name: Name) -> Result<Name, NameRefusal> {
        let Target::Host(host) = name.target() else {
            return Ok(name);
        };
        match self.domains.iter().find(|domain| is_within(host, domain)) {
            Some(domain) => Err(NameRefusal::Rejected(format!(
                "{:?} is within {domain:?}, which this server's domainBlocklist names",
                name.identifier().value
            ))),
            None => Ok(name),
        }
    }
}

impl IdentifierType for Blocked {
    fn kind(&self) -> &'static str {
        self.names.kind()
    }

    fn page(&self) -> Page {
        self.names.page()
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        self.names.admit(value).and_then(|name| self.check(name))
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        self.names.to_general_name(name)
    }

    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        self.names.read_general_name(general_name)
    }

    fn read_common_name(&self, common_name: &str) -> Option<Result<Name, NameRefusal>> {
        self.names.read_common_name(common_name)
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_refused_with_all_that_is_below_it() {
        let blocked = Blocked {
            names: Arc::new(authority::identifier::Dns),
            domains: ["blocked.example".to_owned()].into(),
        };
        for refused in [
            "blocked.example",
            "a.b.blocked.example",
            "*.blocked.example",
            "BLOCKED.example",
        ] {
            let refusal = blocked.admit(refused);
            assert!(
                matches!(refusal, Err(NameRefusal::Rejected(_))),
                "{refused}: {refusal:?}"
            );
        }
        for admitted in ["example.com", "unblocked.example", "blocked.example.com"] {
            assert!(blocked.admit(admitted).is_ok(), "{admitted}");
        }
    }
}
