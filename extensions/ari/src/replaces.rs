//! `replaces`: which certificate an order is to replace (RFC 9773 §5).

use acme::{OrderStatus, Problem, ProblemType, RenewalId};
use authority::{
    Failure, Refusal,
    model::{CertificateRecord, OrderId, Record, RecordChange},
    ports::{Asked, BoxFuture, OrderMember, Taken},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::find::find;

pub struct Replaces;

/// The record of a predecessor, by its serial: which order replaces it.
#[derive(Serialize, Deserialize)]
struct Replaced {
    by: OrderId,
}

const KIND: &str = "replaces";

impl OrderMember for Replaces {
    fn name(&self) -> &'static str {
        "replaces"
    }

    fn admit<'a>(&'a self, value: Option<&'a Value>, asked: &'a Asked<'a>) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let text = match value {
                None | Some(Value::Null) => return Ok(Taken::default()),
                Some(Value::String(text)) => text,
                Some(_) => return Err(malformed("it is not a string").into()),
            };
            let id: RenewalId = text.parse().map_err(|error| malformed(&format!("{error}")))?;
            let predecessor = find(asked.store, &id).await?;
            // Nobody's and somebody else's are the same from here (INCIDENTS T35).
            let (predecessor, _) = predecessor
                .filter(|(record, _)| record.account == asked.account.id)
                .ok_or_else(|| malformed("this account has no certificate of that name"))?;
            require_shared_name(asked, &predecessor).await?;
            let mark = mark(asked, &predecessor).await?;
            Ok(Taken {
                shown: Some(id.to_string().into()),
                // After an order that became invalid the mark is free again, and orders for it are counted.
                first_renewal: matches!(mark, RecordChange::Create(_)),
                records: vec![mark],
                ..Taken::default()
            })
        })
    }
}

/// RFC 9773 §5: at least one identifier in common.
async fn require_shared_name(asked: &Asked<'_>, predecessor: &CertificateRecord) -> Result<(), Failure> {
    let Some(facts) = asked.store.order(predecessor.id.order).await? else {
        let why = format!("certificate {}: its order is missing", predecessor.serial);
        return Err(Failure::Unavailable(why));
    };
    let shares = |name: &authority::identifier::Name| facts.order.identifiers.contains(name.identifier());
    match asked.names.iter().any(shares) {
        true => Ok(()),
        false => Err(malformed("that certificate has none of the order's identifiers").into()),
    }
}

/// Marks the predecessor, unless another order has, which is not invalid.
async fn mark(asked: &Asked<'_>, predecessor: &CertificateRecord) -> Result<RecordChange, Failure> {
    let serial = predecessor.serial.to_string();
    let replaced = Replaced { by: asked.id };
    let Some(record) = asked.store.record(KIND, &serial).await? else {
        return Ok(RecordChange::Create(Record::new(KIND, serial, &replaced)));
    };
    let Replaced { by } = record.read()?;
    let other = asked.store.order(by).await?;
    if other.is_some_and(|facts| facts.status(asked.now) != OrderStatus::Invalid) {
        let detail =
            "\"replaces\": another order replaces that certificate already; leave it out to order all the same";
        let mut problem = Problem::new(ProblemType::AlreadyReplaced, detail);
        problem.status = Some(409);
        return Err(Refusal::Problem(problem).into());
    }
    Ok(RecordChange::Update(record.with(&replaced)))
}

/// CLIENTS 2, row 15: said so that a client sees what to leave out.
fn malformed(why: &str) -> Refusal {
    Refusal::Malformed(format!("\"replaces\": {why} (RFC 9773 §5)"))
}
