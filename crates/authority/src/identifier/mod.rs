//! The moment "identifier type": all knowledge of one kind of name in one file.

mod dns;

use std::net::IpAddr;

use acme::Identifier;
use pkix::name::GeneralName;

pub use dns::Dns;

/// One kind of name. Registered at start; the base's `dns` and those of extensions are alike.
pub trait IdentifierType: Send + Sync {
    /// The `type` member, for example `dns`.
    fn kind(&self) -> &'static str;

    /// From which the page of identifier types is generated.
    fn page(&self) -> Page;

    /// Reads a value from an order; what comes back is canonical.
    fn admit(&self, value: &str) -> Result<Name, NameRefusal>;

    /// Its place in certificate and CSR.
    fn to_general_name(&self, name: &Name) -> GeneralName;

    /// Reads a name of this kind from a CSR; `None` when it is not this kind's form.
    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>>;

    /// Reads a CSR's common name; `None` where a common name never means this kind.
    fn read_common_name(&self, _common_name: &str) -> Option<Result<Name, NameRefusal>> {
        None
    }
}

/// A name that its type has admitted. Two names are the same if their identifiers are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// As in the order, canonical; a DNS wildcard with its `*.`.
    identifier: Identifier,
    /// As in the authorization: a DNS wildcard without its `*.`.
    base: Identifier,
    target: Target,
}

impl Name {
    /// For identifier types; everybody else gets a name by having it admitted.
    pub fn admitted(identifier: Identifier, base: Identifier, target: Target) -> Self {
        Self {
            identifier,
            base,
            target,
        }
    }

    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    pub fn base(&self) -> &Identifier {
        &self.base
    }

    pub fn is_wildcard(&self) -> bool {
        self.identifier != self.base
    }

    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// What a network probe of a name would look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A DNS name in A-labels, lower case, no trailing dot.
    Host(String),
    /// An address, dialled as it is.
    Address(IpAddr),
    /// A service of a domain, by its name without the underscore; where it runs is the DNS's to say.
    Service { service: String, domain: String },
    /// A mailbox of a domain.
    Mailbox { domain: String },
    /// Nothing on the network.
    None,
}

/// Why a value is no name, or not one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameRefusal {
    /// Outside the grammar: `malformed`.
    #[error("{0}")]
    Malformed(String),
    /// Well formed, but not issued for: `rejectedIdentifier`.
    #[error("{0}")]
    Rejected(String),
}

/// An identifier type described for its page in the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub kind: &'static str,
    pub document: &'static str,
    pub grammar: &'static str,
    pub canonical: &'static str,
    pub equality: &'static str,
    pub wildcard: &'static str,
    pub certificate: &'static str,
    pub csr: &'static str,
    pub examples: &'static [&'static str],
    pub refused: &'static [&'static str],
}
