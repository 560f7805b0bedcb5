//! Whom a service lets issue, as it says in the finalize request (RFC 9799 §6.4).
//!
//! This server cannot fetch descriptors, so the set must be sent: a service whose descriptor says `caa-critical` (§6.3) has
//! nothing issued without its set, since nobody has. All names of a service share the one set, there is nothing above it
//! (§6.1), and it is decided by as a set of the DNS is.

use std::collections::BTreeMap;

use acme::{OnionCaa, Problem, ProblemType};
use authority::{
    model::{Evidence, Observation},
    ports::{AccountUrl, BoxFuture, PreIssuance, PreIssuanceCheck, Proven},
};
use caa::{Asked, Property, Scope, decide, label};
use jiff::Timestamp;
use pkix::name::OnionAddress;
use serde::Deserialize as _;
use serde_json::{Map, Value};
use validation::attempt::Clock;

use crate::{names::service, records};

pub struct InBandCaa {
    /// The names by which records mean this authority, in lower case. With none, every record that restricts forbids.
    pub identities: Vec<String>,
    pub account_url: AccountUrl,
    pub clock: Clock,
}

impl PreIssuanceCheck for InBandCaa {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The set comes with the request, and is the same from everywhere.
    fn is_probe(&self) -> bool {
        false
    }

    fn check<'a>(&'a self, request: &'a PreIssuance<'a>) -> BoxFuture<'a, Result<Vec<Evidence>, Problem>> {
        Box::pin(std::future::ready(self.look(request)))
    }
}

impl InBandCaa {
    fn look(&self, request: &PreIssuance<'_>) -> Result<Vec<Evidence>, Problem> {
        let mut services: BTreeMap<OnionAddress, Vec<&Proven<'_>>> = BTreeMap::new();
        for proven in request.names {
            if let Some(Ok(service)) = service(proven.name) {
                services.entry(service).or_default().push(proven);
            }
        }
        if services.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(service) = services.keys().find(|service| service.spki_der() == request.spki_der) {
            return Err(own_key(service));
        }
        let started = (self.clock)();
        let sent = sent(request.members)?;
        let account = (self.account_url)(request.account);
        let (mut problems, mut observations) = (Vec::new(), Vec::new());
        for (service, names) in &services {
            match sets(service, sent, request.now) {
                Ok(sets) => {
                    problems.extend(
                        sets.iter()
                            .flat_map(|set| self.forbidden(service, set, names, &account)),
                    );
                    observations.extend(sets.into_iter().map(Set::observation));
                }
                Err(problem) => {
                    problems.extend(names.iter().map(|proven| about(problem.clone(), proven)));
                }
            }
        }
        if !problems.is_empty() {
            return Err(together(problems));
        }
        Ok(vec![Evidence {
            method: NAME.to_owned(),
            perspective: LOCAL.to_owned(),
            started,
            finished: (self.clock)(),
            observations,
        }])
    }

    /// A problem for each name that the set does not permit.
    fn forbidden(&self, service: &OnionAddress, set: &Set, names: &[&Proven<'_>], account: &str) -> Vec<Problem> {
        let refused = names.iter().filter_map(|proven| {
            let asked = Asked {
                scope: match proven.name.is_wildcard() {
                    true => Scope::Wildcard,
                    false => Scope::Name,
                },
                identities: &self.identities,
                account,
                method: &label(proven.method),
            };
            let refused = decide(&set.records, &asked).err()?;
            let listed: Vec<_> = refused.iter().take(LISTED).map(ToString::to_string).collect();
            let permit = match self.identities.first() {
                Some(identity) => format!(
                    "To permit it, sign a set with the line caa 0 {} \"{identity}\"",
                    asked.scope.tag()
                ),
                None => "This authority has no name that a record could permit it by".to_owned(),
            };
            let detail = format!(
                "The CAA set of {service} forbids {}: {}. {permit}",
                proven.name.identifier().value,
                listed.join("; "),
            );
            Some(about(Problem::new(ProblemType::Caa, detail), proven))
        });
        refused.collect()
    }
}

/// A set that its service signed, and that still counts.
struct Set {
    records: Vec<Vec<u8>>,
    observation: Observation,
}

impl Set {
    fn observation(self) -> Observation {
        self.observation
    }
}

/// RFC 9799 §3.2: the service's key proves, and is not certified.
fn own_key(service: &OnionAddress) -> Problem {
    let detail = format!("the CSR has the key of {service} itself; a certificate needs a key of its own");
    refusal(ProblemType::BadCsr, detail)
}

/// The member, which is an object.
fn sent(members: &Map<String, Value>) -> Result<&Map<String, Value>, Problem> {
    match members.get(MEMBER) {
        None | Some(Value::Null) => Err(Problem::new(
            ProblemType::OnionCaaRequired,
            format!(
                "this server does not fetch descriptors: send the CAA set of each hidden service of the order, signed by \
                 it, as \"{MEMBER}\" beside \"csr\" (RFC 9799 §6.4)"
            ),
        )),
        Some(Value::Object(sets)) => Ok(sets),
        Some(_) => Err(refusal(
            ProblemType::Malformed,
            format!("\"{MEMBER}\" is not an object"),
        )),
    }
}

/// What was sent for one service, under its own name or that of any host of it. Where there is more than one, each counts.
fn sets(service: &OnionAddress, sent: &Map<String, Value>, now: Timestamp) -> Result<Vec<Set>, Problem> {
    let mut sets = Vec::new();
    for (name, value) in sent {
        let host = name.strip_prefix("*.").unwrap_or(name);
        if OnionAddress::of_host(host) == Some(Ok(*service)) {
            sets.push(set(service, value, now)?);
        }
    }
    match sets.is_empty() {
        true => Err(Problem::new(
            ProblemType::OnionCaaRequired,
            format!("\"{MEMBER}\" has no set for {service}, which is in the order"),
        )),
        false => Ok(sets),
    }
}

fn set(service: &OnionAddress, value: &Value, now: Timestamp) -> Result<Set, Problem> {
    let set = OnionCaa::deserialize(value).map_err(|error| {
        let detail = format!("the set of {service} in \"{MEMBER}\" cannot be read: {error}");
        refusal(ProblemType::Malformed, detail)
    })?;
    let signed = OnionCaa::signed_text(set.expiry, set.caa.as_deref());
    // The RFC's own example has padding where the rest of ACME has none.
    let signature = set.signature.strip_suffix("==").unwrap_or(&set.signature);
    let signature = jose::base64url::decode(signature).map_err(|error| {
        let detail = format!("the signature of the set of {service} is not base64url: {error}");
        refusal(ProblemType::Malformed, detail)
    })?;
    if service.verify(signed.as_bytes(), &signature).is_err() {
        let detail = format!(
            "the set of {service} is not signed by it; what is signed is onion-caa, the expiry and the set, with | between"
        );
        return Err(Problem::new(ProblemType::Unauthorized, detail));
    }
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    if set.expiry <= seconds {
        let detail = format!(
            "the set of {service} expired at {}, and it is {seconds} now; sign it anew",
            set.expiry
        );
        return Err(Problem::new(ProblemType::OnionCaaRequired, detail));
    }
    let records = records::read(set.caa.as_deref().unwrap_or_default()).map_err(|why| {
        let detail =
            format!("Whether {service} permits anything is not known: {why}; correct the set and sign it anew");
        Problem::new(ProblemType::Caa, detail)
    })?;
    let says = records.iter().map(|record| Property::show(record));
    let observation = Observation::Document {
        what: format!("CAA set signed by {service}, good until {}", set.expiry),
        sha256: pkix::hex::encode(&pkix::key::sha256(signed.as_bytes())),
        says: says.collect(),
    };
    Ok(Set { records, observation })
}

fn about(problem: Problem, proven: &Proven<'_>) -> Problem {
    problem.about(proven.name.identifier().clone())
}

/// What is wrong with the request itself.
fn refusal(kind: ProblemType, detail: String) -> Problem {
    Problem {
        status: Some(400),
        ..Problem::new(kind, detail)
    }
}

/// One type for all of them, or `compound` (RFC 8555 §6.7.1).
fn together(mut problems: Vec<Problem>) -> Problem {
    let status = problems[0]
        .status
        .filter(|_| problems.iter().all(|problem| problem.status.is_some()));
    problems.iter_mut().for_each(|problem| problem.status = None);
    let problem = Problem::of_several(problems, |count| {
        format!("what hidden services say keeps {count} names from being issued for; each has a subproblem")
    });
    Problem { status, ..problem }
}

const NAME: &str = "onion-caa";
const MEMBER: &str = "onionCAA";
/// The perspective of this process.
const LOCAL: &str = "local";
/// Records named in one refusal.
const LISTED: usize = 4;
