//! Reading orders and certificates (RFC 8555 §7.1.2.1, §7.4, §7.4.2).

use std::sync::Arc;

use acme::OrderStatus;

use super::Authority;
use crate::{
    Failure, Refusal,
    model::{Account, CertificateId, CertificateRecord, CertificateState, OrderFacts, OrderId},
};

impl Authority {
    /// An order of this account; somebody else's is as absent as one that never was.
    pub async fn order(&self, account: &Account, id: OrderId) -> Result<OrderFacts, Failure> {
        match self.store.order(id).await? {
            Some(facts) if facts.order.account == account.id => Ok(facts),
            _ => Err(Refusal::NotFound.into()),
        }
    }

    /// One page of an account's orders that are not invalid, and the number to continue after.
    pub async fn orders(
        &self,
        account: &Account,
        after: OrderId,
        limit: usize,
    ) -> Result<(Vec<OrderId>, Option<OrderId>), Failure> {
        let now = self.now();
        let page = self.store.orders_of(account.id, after, limit).await?;
        let next = (page.len() == limit)
            .then(|| page.last().map(|facts| facts.order.id))
            .flatten();
        let shown = page.iter().filter(|facts| facts.status(now) != OrderStatus::Invalid);
        Ok((shown.map(|facts| facts.order.id).collect(), next))
    }

    /// An issued certificate of this account, DER, with its record.
    pub async fn certificate(
        &self,
        account: &Account,
        id: CertificateId,
    ) -> Result<(Arc<CertificateRecord>, Vec<u8>), Failure> {
        match self.store.certificate(id).await? {
            Some(record) if record.account == account.id => match &record.state {
                CertificateState::Issued { certificate } => {
                    let certificate = certificate.clone();
                    Ok((record, certificate))
                }
                _ => Err(Refusal::NotFound.into()),
            },
            _ => Err(Refusal::NotFound.into()),
        }
    }
}
