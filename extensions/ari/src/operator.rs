//! Incidents over the operator's API.

use acme::Window;
use authority::{
    Authority, Failure, Refusal, Registry,
    model::AccountId,
    ports::{BoxFuture, OperatorOperation, OperatorRequest},
};
use jiff::Timestamp;
use pkix::certificate::Serial;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::incident::{self, Declaration, Incident, Rule};

pub(crate) fn register(registry: &mut Registry) {
    registry.add_operation(Declare);
    registry.add_operation(Extend);
    registry.add_operation(List);
    registry.add_operation(Withdraw);
}

struct Declare;
struct Extend;
struct List;
struct Withdraw;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    name: String,
    explanation_url: String,
    /// When subscribers should renew; without it at once.
    window: Option<Window>,
    /// SHA-256 of SubjectPublicKeyInfo, hexadecimal.
    key: Option<String>,
    /// Issued at or after, and before.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Hexadecimal.
    #[serde(default)]
    serials: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extended {
    name: String,
    serials: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

impl Declared {
    fn declaration(self, account: Option<AccountId>) -> Result<Declaration, Failure> {
        let key_sha256 = self.key.as_deref().map(read_key).transpose()?;
        let (from, until) = (self.from, self.to);
        let rule = Rule {
            account,
            key_sha256,
            from,
            until,
        };
        Ok(Declaration {
            name: self.name,
            window: self.window,
            explanation_url: self.explanation_url,
            rule: (rule != Rule::default()).then_some(rule),
            serials: read_serials(&self.serials)?,
        })
    }
}

impl OperatorOperation for Declare {
    fn name(&self) -> &'static str {
        "incident/declare"
    }

    fn answer<'a>(
        &'a self,
        authority: &'a Authority,
        request: OperatorRequest,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let account = request.account;
            let declaration = read::<Declared>(request)?.declaration(account)?;
            Ok(object(&incident::declare(authority, declaration).await?))
        })
    }
}

impl OperatorOperation for Extend {
    fn name(&self) -> &'static str {
        "incident/extend"
    }

    fn answer<'a>(
        &'a self,
        authority: &'a Authority,
        request: OperatorRequest,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let asked: Extended = read(request)?;
            incident::extend(authority, &asked.name, &read_serials(&asked.serials)?).await?;
            Ok(json!({ "name": asked.name }))
        })
    }
}

impl OperatorOperation for List {
    fn name(&self) -> &'static str {
        "incident/list"
    }

    fn answer<'a>(&'a self, authority: &'a Authority, _: OperatorRequest) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let incidents = incident::list(authority).await?;
            Ok(json!({ "incidents": incidents.iter().map(object).collect::<Vec<_>>() }))
        })
    }
}

impl OperatorOperation for Withdraw {
    fn name(&self) -> &'static str {
        "incident/withdraw"
    }

    fn answer<'a>(
        &'a self,
        authority: &'a Authority,
        request: OperatorRequest,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let asked: Named = read(request)?;
            incident::withdraw(authority, &asked.name).await?;
            Ok(json!({ "name": asked.name }))
        })
    }
}

fn object(incident: &Incident) -> Value {
    json!({
        "name": incident.name,
        "declared": incident.declared,
        "window": incident.window,
        "explanation_url": incident.explanation_url,
        "withdrawn": incident.withdrawn,
    })
}

fn read<T: DeserializeOwned>(request: OperatorRequest) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(request.members)).map_err(|error| Refusal::Malformed(error.to_string()).into())
}

fn read_serials(texts: &[String]) -> Result<Vec<Serial>, Failure> {
    let read = |text: &String| {
        Serial::from_hex(&text.replace(':', ""))
            .map_err(|error| Refusal::Malformed(format!("the serial number {text:.80?}: {error}")).into())
    };
    texts.iter().map(read).collect()
}

fn read_key(text: &str) -> Result<[u8; 32], Failure> {
    let octets = pkix::hex::decode(text).and_then(|octets| octets.try_into().ok());
    octets.ok_or_else(|| {
        Refusal::Malformed(format!("the key {text:.80?} is not 64 hexadecimal digits of a SHA-256")).into()
    })
}
