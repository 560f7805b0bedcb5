//! SPF's questions, asked of a resolver.

use std::net::IpAddr;

use mail::spf::{DnsFailure, Family, SpfDns};

use crate::client::dns::{Dns as _, Recursor};

/// The resolver that the authority's own looks go to.
pub struct SpfView(pub Recursor);

impl SpfDns for SpfView {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.0.txt(name).await
    }

    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, DnsFailure> {
        self.0.addresses(name, family).await
    }

    async fn mx(&self, name: &str) -> Result<Vec<String>, DnsFailure> {
        self.0.mx(name).await
    }
}
