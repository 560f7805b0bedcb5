//! What a back end returned: whether it is the certificate that the order is about, and its chain.

use std::collections::BTreeSet;

use pkix::{certificate::Certificate, csr::CertificateRequest};
use serde::{Deserialize, Serialize};

use super::Authority;
use crate::{
    Failure, Registry,
    identifier::Name,
    model::{CertificateId, CertificateRecord, Order, Record},
};

impl Authority {
    /// The chains above a certificate, the preferred one first, DER. Empty when its issuer is no longer known.
    pub async fn chains(&self, record: &CertificateRecord) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let chains = self.issuance.chains(&record.issuer);
        if !chains.is_empty() {
            return Ok(chains);
        }
        let Some(own) = self.store.record(KIND, &key(record.id)).await? else {
            return Ok(chains);
        };
        let own: StoredChain = own.read()?;
        let above = own.chain.iter().map(|text| {
            jose::base64url::decode(text)
                .map_err(|error| Failure::Unavailable(format!("the chain of {}: {error}", record.serial)))
        });
        Ok(vec![above.collect::<Result<_, _>>()?])
    }
}

/// A chain of one certificate's own: issuers that are not ours change theirs when they like.
#[derive(Serialize, Deserialize)]
struct StoredChain {
    /// base64url.
    chain: Vec<String>,
}

pub(super) fn chain_record(id: CertificateId, above: &[Vec<u8>]) -> Record {
    let chain = above.iter().map(jose::base64url::encode).collect();
    Record::new(KIND, key(id), &StoredChain { chain })
}

fn key(id: CertificateId) -> String {
    format!("{}.{}", id.order.0, id.n)
}

const KIND: &str = "chain";

/// The key of the CSR, the names of the order and no other, the dates as asked. `Err` says what is not.
pub(super) fn is_for(
    leaf: &Certificate,
    record: &CertificateRecord,
    order: &Order,
    registry: &Registry,
) -> Result<(), String> {
    let csr = CertificateRequest::parse(&record.to_be_signed).map_err(|error| format!("the stored CSR: {error}"))?;
    if leaf.spki_der() != csr.public_key().spki_der() {
        return Err("its key is not the CSR's".into());
    }
    let wanted: Result<BTreeSet<Name>, _> = order.identifiers.iter().map(|one| registry.admit(one)).collect();
    let wanted = wanted.map_err(|problem| problem.detail)?;
    let mut found = BTreeSet::new();
    for general_name in leaf.names() {
        match registry.read_general_name(general_name) {
            Some(Ok(name)) if wanted.contains(&name) => drop(found.insert(name)),
            _ => return Err(format!("it names {general_name}, which is not in the order")),
        }
    }
    if let Some(missing) = wanted.iter().find(|name| !found.contains(name)) {
        return Err(format!("it does not name {}", missing.identifier()));
    }
    let common_names = leaf.subject().common_names().map_err(|error| error.to_string())?;
    let known = |text: &String| {
        matches!(registry.read_common_name(text), Some(Ok(name)) if wanted.contains(&name))
            || wanted.iter().any(|name| name.identifier().value == *text)
    };
    if let Some(other) = common_names.iter().find(|text| !known(text)) {
        return Err(format!("its common name {other:?} is not in the order"));
    }
    let dates = [
        ("notBefore", order.not_before, leaf.not_before()),
        ("notAfter", order.not_after, leaf.not_after()),
    ];
    match dates
        .iter()
        .find(|(_, asked, given)| asked.is_some_and(|asked| asked != *given))
    {
        Some((member, _, given)) => Err(format!(
            "its {member} is {given}, which is not what the order asked for"
        )),
        None => Ok(()),
    }
}
