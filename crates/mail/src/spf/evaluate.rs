//! `check_host()` (RFC 7208 §4).

use std::{net::IpAddr, pin::Pin};

use super::{
    Delivery, DnsFailure, Family, Outcome, SpfDns, SpfResult,
    expand::{Facts, expand},
    record::{Mechanism, Prefix, Record},
};
use crate::message::domain::Domain;

/// Whether the domain of the return path lets this host send; for the null return path, the name of EHLO (§2.4).
pub async fn check<D: SpfDns>(dns: &D, delivery: &Delivery) -> Outcome {
    let domain = match &delivery.return_path {
        Some(mailbox) => Some(mailbox.domain().clone()),
        None => Domain::parse(&delivery.helo),
    };
    // §4.3: a single label is nobody's name.
    let Some(domain) = domain.filter(|domain| domain.labels() > 1) else {
        return Outcome {
            result: SpfResult::None,
            domain: None,
        };
    };
    let facts = Facts {
        host: delivery.host.to_canonical(),
        helo: &delivery.helo,
        local: delivery
            .return_path
            .as_ref()
            .map_or("postmaster", |mailbox| mailbox.local()),
        sender_domain: domain.as_str(),
    };
    let mut check = Check {
        dns,
        facts,
        lookups: 0,
        void: 0,
    };
    let result = match check.host(domain.as_str().to_owned()).await {
        Ok(result) => result,
        Err(Stop::Temporary) => SpfResult::TempError,
        Err(Stop::Permanent) => SpfResult::PermError,
    };
    Outcome {
        result,
        domain: Some(domain),
    }
}

struct Check<'a, D> {
    dns: &'a D,
    facts: Facts<'a>,
    lookups: usize,
    void: usize,
}

/// Why the whole evaluation ends.
enum Stop {
    Temporary,
    Permanent,
}

impl From<DnsFailure> for Stop {
    fn from(_: DnsFailure) -> Self {
        Self::Temporary
    }
}

impl<D: SpfDns> Check<'_, D> {
    /// The result for one domain. What it includes is evaluated within, so the future is boxed.
    fn host(&mut self, domain: String) -> Pin<Box<dyn Future<Output = Result<SpfResult, Stop>> + Send + '_>> {
        Box::pin(async move {
            let texts = self.dns.txt(&domain).await?;
            let mut records = texts.iter().filter(|text| Record::is_one(text));
            let record = match (records.next(), records.next()) {
                (None, _) => return Ok(SpfResult::None),
                (Some(record), None) => Record::parse(record).map_err(|_| Stop::Permanent)?,
                (Some(_), Some(_)) => return Err(Stop::Permanent),
            };
            for (result, mechanism) in &record.directives {
                if self.matches(mechanism, &domain).await? {
                    return Ok(*result);
                }
            }
            let Some(redirect) = &record.redirect else {
                return Ok(SpfResult::Neutral);
            };
            self.count()?;
            let target = expand(redirect, &domain, &self.facts).ok_or(Stop::Permanent)?;
            match self.host(target).await? {
                // §6.1: somebody is pointed at who says nothing.
                SpfResult::None => Err(Stop::Permanent),
                result => Ok(result),
            }
        })
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        let host = self.facts.host;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(network, bits) => Ok(is_within(host, *network, *bits)),
            Mechanism::Ptr => self.count().map(|()| false),
            Mechanism::Include(name) => {
                self.count()?;
                let target = expand(name, domain, &self.facts).ok_or(Stop::Permanent)?;
                match self.host(target).await? {
                    SpfResult::Pass => Ok(true),
                    // §5.2
                    SpfResult::None => Err(Stop::Permanent),
                    _ => Ok(false),
                }
            }
            Mechanism::Exists(name) => {
                self.count()?;
                let Some(name) = expand(name, domain, &self.facts) else {
                    return Ok(false);
                };
                // §5.7: A records, whatever the host's family.
                let addresses = self.dns.addresses(&name, Family::V4).await?;
                self.seen(addresses.len())?;
                Ok(!addresses.is_empty())
            }
            Mechanism::A(name, prefix) => {
                self.count()?;
                let Some(name) = self.target(name.as_deref(), domain) else {
                    return Ok(false);
                };
                self.has_host(&name, *prefix, true).await
            }
            Mechanism::Mx(name, prefix) => {
                self.count()?;
                let Some(name) = self.target(name.as_deref(), domain) else {
                    return Ok(false);
                };
                let exchanges = self.dns.mx(&name).await?;
                self.seen(exchanges.len())?;
                // §4.6.4
                if exchanges.len() > MAX_EXCHANGES {
                    return Err(Stop::Permanent);
                }
                for exchange in &exchanges {
                    if self.has_host(exchange, *prefix, false).await? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn target(&self, name: Option<&str>, domain: &str) -> Option<String> {
        name.map_or_else(|| Some(domain.to_owned()), |name| expand(name, domain, &self.facts))
    }

    /// Whether a name has an address of which so many bits are the host's.
    async fn has_host(&mut self, name: &str, prefix: Prefix, counts_void: bool) -> Result<bool, Stop> {
        let host = self.facts.host;
        let (family, bits) = if host.is_ipv4() {
            (Family::V4, prefix.v4)
        } else {
            (Family::V6, prefix.v6)
        };
        let addresses = self.dns.addresses(name, family).await?;
        if counts_void {
            self.seen(addresses.len())?;
        }
        Ok(addresses.iter().any(|address| is_within(host, *address, bits)))
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            Err(Stop::Permanent)
        } else {
            Ok(())
        }
    }

    fn seen(&mut self, records: usize) -> Result<(), Stop> {
        self.void += usize::from(records == 0);
        if self.void > MAX_VOID {
            Err(Stop::Permanent)
        } else {
            Ok(())
        }
    }
}

fn is_within(host: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            host.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            host.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

/// RFC 7208 §4.6.4.
pub const MAX_LOOKUPS: usize = 10;
/// RFC 7208 §4.6.4.
pub const MAX_VOID: usize = 2;
const MAX_EXCHANGES: usize = 10;
