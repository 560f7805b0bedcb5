//! Certificate requests: whether one is fit to be issued from, for these names (RFC 8555 §7.4).
//!
//! Asked of the CSR that comes with an order and, again, of the one that is issued from: what was true at newOrder
//! counts for nothing at finalize.

use std::collections::BTreeSet;

use acme::Identifier;
use jose::Jwk;
use pkix::{csr::CertificateRequest, name::GeneralName};

use super::Authority;
use crate::{Failure, Refusal, Registry, identifier::Name};

/// The order's names, in the order's sequence, with their places in a certificate.
pub(super) type Names = Vec<(Name, GeneralName)>;

impl Authority {
    /// All that is asked of a CSR.
    pub(super) async fn admit_csr(
        &self,
        der: &[u8],
        identifiers: &[Identifier],
    ) -> Result<(CertificateRequest, Names), Failure> {
        let csr = read(der)?;
        let names = match_names(&csr, identifiers, &self.registry)?;
        self.check_key(&csr).await?;
        Ok((csr, names))
    }

    /// 8555-7.4-9, INCIDENTS T25: neither weak, nor blocked, nor anybody's account key.
    async fn check_key(&self, csr: &CertificateRequest) -> Result<(), Failure> {
        let key = csr.public_key();
        if let Some(weakness) = key.weakness() {
            return Err(Refusal::BadCsr(format!("the CSR's key is weak: {weakness}; generate another")).into());
        }
        if self.is_blocked(&key.fingerprint()).await? {
            return Err(Refusal::BadCsr("the CSR's key is known to be compromised; generate another".into()).into());
        }
        if let Ok(jwk) = Jwk::from_spki_der(key.spki_der())
            && !self.store.accounts_of_key(jwk.thumbprint()).await?.is_empty()
        {
            return Err(Refusal::BadCsr(
                "the CSR's key is an account key; a certificate needs a key of its own".into(),
            )
            .into());
        }
        Ok(())
    }
}

fn read(der: &[u8]) -> Result<CertificateRequest, Refusal> {
    let csr =
        CertificateRequest::parse(der).map_err(|error| Refusal::BadCsr(format!("the CSR cannot be read: {error}")))?;
    csr.verify_self_signature()
        .map_err(|error| Refusal::BadCsr(format!("the CSR's own signature does not verify: {error}")))?;
    if csr.asks_for_ca() {
        return Err(Refusal::BadCsr(
            "the CSR asks for a CA certificate; this order is for an end entity".into(),
        ));
    }
    Ok(csr)
}

/// 8555-7.4-8, INCIDENTS T3: the CSR's names are the order's, as sets; the common name counts where a type reads it.
fn match_names(csr: &CertificateRequest, identifiers: &[Identifier], registry: &Registry) -> Result<Names, Refusal> {
    let bad = |why: String| Err(Refusal::BadCsr(why));
    let mut ordered = Vec::with_capacity(identifiers.len());
    for identifier in identifiers {
        let name = registry
            .admit(identifier)
            .map_err(|problem| Refusal::BadCsr(format!("{identifier} is no longer issued for: {}", problem.detail)))?;
        let Some(general_name) = registry.to_general_name(&name) else {
            return bad(format!("{identifier} has no place in a certificate"));
        };
        ordered.push((name, general_name));
    }
    let wanted: BTreeSet<&Name> = ordered.iter().map(|(name, _)| name).collect();

    let mut found = BTreeSet::new();
    for general_name in csr.subject_alternative_names() {
        match registry.read_general_name(general_name) {
            Some(Ok(name)) if wanted.contains(&name) => drop(found.insert(name)),
            Some(Ok(name)) => {
                return bad(format!(
                    "the CSR names {}, which is not in the order",
                    name.identifier()
                ));
            }
            Some(Err(refusal)) => return bad(format!("the CSR has a name that cannot be issued: {refusal}")),
            None => {
                return bad(format!(
                    "the CSR has a name of a kind that is not in the order: {general_name}"
                ));
            }
        }
    }
    for common_name in csr.common_names() {
        match registry.read_common_name(common_name) {
            Some(Ok(name)) if wanted.contains(&name) => drop(found.insert(name)),
            // A text that repeats an identifier of another type says nothing and counts for nothing.
            _ if wanted.iter().any(|name| name.identifier().value == *common_name) => {}
            _ => return bad(format!("the CSR's common name {common_name:?} is not in the order")),
        }
    }
    if let Some(missing) = wanted.iter().find(|name| !found.contains(**name)) {
        return bad(format!(
            "the CSR does not name {}, which is in the order",
            missing.identifier()
        ));
    }
    Ok(ordered)
}
