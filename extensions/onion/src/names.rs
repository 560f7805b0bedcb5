//! Names below `.onion` (RFC 9799 §2).

use std::sync::Arc;

use authority::identifier::{IdentifierType, Name, NameRefusal, Page, Target};
use pkix::name::{GeneralName, OnionAddress, OnionError};

/// `dns`, with all that is below `.onion` looked at.
pub struct OnionNames(pub Arc<dyn IdentifierType>);

/// The service that a name is of; `None` for every other name. An admitted one has no error.
pub fn service(name: &Name) -> Option<Result<OnionAddress, OnionError>> {
    match name.base().kind == crate::DNS {
        true => OnionAddress::of_host(&name.base().value),
        false => None,
    }
}

fn admitted(name: Name) -> Result<Name, NameRefusal> {
    let Some(service) = service(&name) else { return Ok(name) };
    let sentence = |why: OnionError| format!("{:?} {why}", name.identifier().value);
    match service {
        // Nothing on the network that this server reaches, and nothing in the DNS (RFC 9799 §3.1).
        Ok(_) => Ok(Name::admitted(
            name.identifier().clone(),
            name.base().clone(),
            Target::None,
        )),
        Err(why @ OnionError::VersionTwo) => Err(NameRefusal::Rejected(sentence(why))),
        Err(why) => Err(NameRefusal::Malformed(sentence(why))),
    }
}

impl IdentifierType for OnionNames {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn page(&self) -> Page {
        self.0.page()
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        self.0.admit(value).and_then(admitted)
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        self.0.to_general_name(name)
    }

    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        Some(self.0.read_general_name(general_name)?.and_then(admitted))
    }

    fn read_common_name(&self, common_name: &str) -> Option<Result<Name, NameRefusal>> {
        Some(self.0.read_common_name(common_name)?.and_then(admitted))
    }
}
