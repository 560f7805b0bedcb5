//! What this authority knows how to name, prove and check: the base and every extension, registered at start.

use std::sync::Arc;

use acme::{Identifier, Problem, ProblemType};
use pkix::name::GeneralName;

use crate::{
    identifier::{IdentifierType, Name, NameRefusal, Target},
    ports::{OperatorOperation, OrderMember, PreIssuanceCheck, Satisfaction, ValidationMethod},
};

#[derive(Clone, Default)]
pub struct Registry {
    identifier_types: Vec<Arc<dyn IdentifierType>>,
    methods: Vec<Arc<dyn ValidationMethod>>,
    checks: Vec<Arc<dyn PreIssuanceCheck>>,
    members: Vec<Arc<dyn OrderMember>>,
    operations: Vec<Arc<dyn OperatorOperation>>,
    satisfactions: Vec<Arc<dyn Satisfaction>>,
}

impl Registry {
    pub fn add_identifier_type(&mut self, identifier_type: impl IdentifierType + 'static) {
        self.identifier_types.push(Arc::new(identifier_type));
    }

    /// Challenges are offered in the sequence of registration: base methods first.
    pub fn add_method(&mut self, method: Arc<dyn ValidationMethod>) {
        self.methods.push(method);
    }

    /// Puts something around every method that is registered by now.
    pub fn wrap_methods(&mut self, wrap: impl Fn(Arc<dyn ValidationMethod>) -> Arc<dyn ValidationMethod>) {
        self.methods = self.methods.drain(..).map(wrap).collect();
    }

    /// Puts something around every check that is registered by now.
    pub fn wrap_checks(&mut self, wrap: impl Fn(Arc<dyn PreIssuanceCheck>) -> Arc<dyn PreIssuanceCheck>) {
        self.checks = self.checks.drain(..).map(wrap).collect();
    }

    /// Puts something around every identifier type that is registered by now.
    pub fn wrap_identifier_types(&mut self, wrap: impl Fn(Arc<dyn IdentifierType>) -> Arc<dyn IdentifierType>) {
        self.identifier_types = self.identifier_types.drain(..).map(wrap).collect();
    }

    pub fn add_check(&mut self, check: Arc<dyn PreIssuanceCheck>) {
        self.checks.push(check);
    }

    pub fn add_order_member(&mut self, member: impl OrderMember + 'static) {
        self.members.push(Arc::new(member));
    }

    pub fn add_operation(&mut self, operation: impl OperatorOperation + 'static) {
        self.operations.push(Arc::new(operation));
    }

    pub fn operation(&self, name: &str) -> Option<&Arc<dyn OperatorOperation>> {
        self.operations.iter().find(|operation| operation.name() == name)
    }

    pub fn add_satisfaction(&mut self, satisfaction: impl Satisfaction + 'static) {
        self.satisfactions.push(Arc::new(satisfaction));
    }

    pub fn satisfactions(&self) -> &[Arc<dyn Satisfaction>] {
        &self.satisfactions
    }

    pub fn order_members(&self) -> &[Arc<dyn OrderMember>] {
        &self.members
    }

    pub fn identifier_types(&self) -> &[Arc<dyn IdentifierType>] {
        &self.identifier_types
    }

    pub fn checks(&self) -> &[Arc<dyn PreIssuanceCheck>] {
        &self.checks
    }

    pub fn check(&self, name: &str) -> Option<&Arc<dyn PreIssuanceCheck>> {
        self.checks.iter().find(|check| check.name() == name)
    }

    pub fn method(&self, name: &str) -> Option<&Arc<dyn ValidationMethod>> {
        self.methods.iter().find(|method| method.name() == name)
    }

    pub fn methods_for<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Arc<dyn ValidationMethod>> {
        self.methods.iter().filter(|method| method.offered_for(name))
    }

    /// Those that are offered in orders of a profile.
    pub fn methods_in<'a>(
        &'a self,
        profile: &'a str,
        name: &'a Name,
    ) -> impl Iterator<Item = &'a Arc<dyn ValidationMethod>> {
        self.methods_for(name)
            .filter(move |method| method.serves(name, profile))
    }

    /// Reads an identifier as it came. `Err` is a subproblem about it.
    pub fn admit(&self, identifier: &Identifier) -> Result<Name, Problem> {
        let (kind, value) = (identifier.kind.len(), identifier.value.len());
        if kind > LONGEST_KIND || value > LONGEST_VALUE {
            // Not repeated: an answer is not longer than its question.
            let detail = format!(
                "an identifier's type has {kind} octets and its value {value}; {LONGEST_KIND} and {LONGEST_VALUE} are the most"
            );
            return Err(Problem::new(ProblemType::Malformed, detail));
        }
        let Some(identifier_type) = self.of_kind(&identifier.kind) else {
            let known: Vec<_> = self.identifier_types.iter().map(|t| t.kind()).collect();
            let detail = format!(
                "identifiers of type {:?} are not supported; {} are",
                identifier.kind,
                known.join(", ")
            );
            return Err(Problem::new(ProblemType::UnsupportedIdentifier, detail).about(identifier.clone()));
        };
        identifier_type
            .admit(&identifier.value)
            .and_then(in_the_dns)
            .map_err(|refusal| {
                let kind = match refusal {
                    NameRefusal::Malformed(_) => ProblemType::Malformed,
                    NameRefusal::Rejected(_) => ProblemType::RejectedIdentifier,
                };
                Problem::new(kind, refusal.to_string()).about(identifier.clone())
            })
    }

    /// Reads an identifier that some method can prove.
    pub fn admit_provable(&self, identifier: &Identifier) -> Result<Name, Problem> {
        let name = self.admit(identifier)?;
        if self.methods_for(&name).next().is_none() {
            let detail = format!("no validation method of this server can prove control of {identifier}");
            return Err(Problem::new(ProblemType::RejectedIdentifier, detail).about(identifier.clone()));
        }
        Ok(name)
    }

    /// The place of an admitted name in a certificate. `None` when its type is no longer registered.
    pub fn to_general_name(&self, name: &Name) -> Option<GeneralName> {
        self.of_kind(&name.identifier().kind)
            .map(|identifier_type| identifier_type.to_general_name(name))
    }

    /// The name that a general name stands for; `None` when no registered type has this form.
    pub fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        self.identifier_types
            .iter()
            .find_map(|identifier_type| identifier_type.read_general_name(general_name))
    }

    /// The name that a common name stands for, in the first type that reads common names.
    pub fn read_common_name(&self, common_name: &str) -> Option<Result<Name, NameRefusal>> {
        self.identifier_types
            .iter()
            .find_map(|identifier_type| identifier_type.read_common_name(common_name))
    }

    fn of_kind(&self, kind: &str) -> Option<&Arc<dyn IdentifierType>> {
        self.identifier_types
            .iter()
            .find(|identifier_type| identifier_type.kind() == kind)
    }
}

/// RFC 7686 §2: what is below `.onion` is never looked up in the DNS. An extension that knows hidden services gives them
/// another target.
fn in_the_dns(name: Name) -> Result<Name, NameRefusal> {
    match name.target() {
        Target::Host(host) if host == "onion" || host.ends_with(".onion") => Err(NameRefusal::Rejected(format!(
            "{:?} is a hidden service, which is not in the DNS (RFC 7686); this directory does not issue for those",
            name.identifier().value
        ))),
        _ => Ok(name),
    }
}

/// The longest registered type has 20 octets.
const LONGEST_KIND: usize = 64;
/// Every name that fits a DNS message, a mail path or an address is shorter (RFC 1034 §3.1, RFC 5321 §4.5.3.1).
const LONGEST_VALUE: usize = 512;
