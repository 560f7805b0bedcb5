//! Profiles to choose from (draft-ietf-acme-profiles).
//!
//! The directory says which there are, newOrder may name one, and every order shows the one it has. What a profile makes
//! of a certificate is the issuing side's business; an order whose profile has gone is refused at finalize there.

use acme::{Problem, ProblemType};
use authority::{
    Failure, Refusal, Registry,
    ports::{Asked, BoxFuture, Issuance, OrderMember, Taken},
};
use serde_json::{Map, Value};

/// Adds what this document adds to orders.
pub fn register(registry: &mut Registry) {
    registry.add_order_member(Profile);
}

/// What it adds to the directory's meta (§3): each profile with what it is for.
pub fn meta(profiles: impl IntoIterator<Item = (String, String)>) -> (&'static str, Value) {
    let profiles: Map<String, Value> = profiles
        .into_iter()
        .map(|(name, description)| (name, Value::from(description)))
        .collect();
    ("profiles", profiles.into())
}

struct Profile;

impl OrderMember for Profile {
    fn name(&self) -> &'static str {
        "profile"
    }

    fn admit<'a>(&'a self, value: Option<&'a Value>, asked: &'a Asked<'a>) -> BoxFuture<'a, Result<Taken, Failure>> {
        let chosen = choose(value, asked.issuance, asked.default_profile);
        Box::pin(async move {
            let profile = chosen?;
            Ok(Taken {
                shown: Some(profile.clone().into()),
                profile: Some(profile),
                ..Taken::default()
            })
        })
    }
}

/// §4. An order that names none gets the directory's own, and shows it.
fn choose(value: Option<&Value>, issuance: &dyn Issuance, default_profile: &str) -> Result<String, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(default_profile.to_owned()),
        Some(Value::String(name)) if issuance.has_profile(name) => Ok(name.clone()),
        Some(Value::String(name)) => {
            let seen: String = name.chars().take(64).collect();
            let offered: Vec<_> = issuance.profiles().into_iter().map(|(name, _)| name).collect();
            let detail = format!(
                "there is no profile {seen:?}; choose one of {}, or leave \"profile\" out",
                offered.join(", ")
            );
            Err(Refusal::Problem(Problem::new(ProblemType::InvalidProfile, detail)))
        }
        Some(_) => Err(Refusal::Malformed("\"profile\" is not a string".into())),
    }
}
