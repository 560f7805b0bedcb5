//! Rate limits (RFC 8555 §6.6): a bucket for each account, name or network, filled at a steady rate.
//!
//! The generic cell rate algorithm: of a bucket one time is kept, the one at which it would be full again. What is spent
//! moves it on; what would move it further than the bucket is deep is refused, with the time to come back.

use std::{net::IpAddr, time::Duration};

use jiff::Timestamp;

use super::{Authority, later};
use crate::{
    Failure, Refusal,
    model::{Account, Authorization},
    ports::{CodeLimit, Spend, Spent, StoreError},
};

/// So many in so long, the first so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub count: u32,
    pub period: Duration,
}

/// What becomes of a request when nobody can say how often there were others (INCIDENTS T39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Uncounted {
    /// Refused as if there were too many, with a time to come back.
    #[default]
    Refuse,
    /// Served: an outage of the counters is no outage of the authority.
    Serve,
}

/// When a request that could not be counted may come back.
const UNCOUNTED_RETRY: Duration = Duration::from_secs(10);

/// What is limited; `None` where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// newAccount from one address; for IPv6 from one /64.
    pub new_accounts_per_address: Option<Limit>,
    /// newAccount from one network: /24 of IPv4, /48 of IPv6.
    pub new_accounts_per_network: Option<Limit>,
    pub new_orders_per_account: Option<Limit>,
    /// Certificates for one registered domain, by anybody; renewals are not counted.
    pub certificates_per_domain: Option<Limit>,
    /// Certificates for exactly the same names, by anybody.
    pub certificates_per_name_set: Option<Limit>,
    /// Validations of one name that failed, by one account.
    pub failed_validations: Option<Limit>,
    /// After so many failures of a name in a row it is refused until its holder asks to go on (INCIDENTS T38).
    pub pause_after: Option<u32>,
    pub uncounted: Uncounted,
    /// A page about the limits, for people.
    pub help: Option<String>,
}

/// The label before the public suffix, with it: whose name a name is. From the operator's list of suffixes.
pub type RegisteredDomain = fn(&str) -> Option<String>;

impl Limits {
    /// Nothing is limited: for closed networks whose clients are one's own.
    pub fn none() -> Self {
        Self::default()
    }

    /// Against accidents of one's own: loops and storms, not people.
    pub fn private() -> Self {
        let hour = Duration::from_secs(3600);
        let limit = |count| Some(Limit { count, period: hour });
        Self {
            new_accounts_per_address: limit(500),
            new_orders_per_account: limit(3000),
            failed_validations: limit(60),
            ..Self::default()
        }
    }

    /// For everybody on the Internet.
    pub fn public() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let limit = |count, period| Some(Limit { count, period });
        Self {
            new_accounts_per_address: limit(10, hours(3)),
            new_accounts_per_network: limit(500, hours(3)),
            new_orders_per_account: limit(300, hours(3)),
            certificates_per_domain: limit(50, hours(24 * 7)),
            certificates_per_name_set: limit(5, hours(24 * 7)),
            failed_validations: limit(5, hours(1)),
            pause_after: Some(120),
            uncounted: Uncounted::Refuse,
            help: None,
        }
    }
}

/// RFC 9773 §5: the member of an order that makes it a renewal.
pub(super) const REPLACES: &str = "replaces";

/// One of several buckets that a request draws on.
struct Draw {
    limit: Limit,
    key: String,
    /// For the refusal: what there were too many of.
    what: String,
}

impl Authority {
    pub(super) async fn limit_new_account(&self, from: Option<IpAddr>) -> Result<(), Failure> {
        let Some(from) = from else { return Ok(()) };
        let limits = &self.policy.limits;
        let mut draws = Vec::new();
        if let Some(limit) = limits.new_accounts_per_address {
            let network = network_of(from, 32, 64);
            draws.push(Draw {
                limit,
                key: format!("new-account/{network}"),
                what: format!("new accounts from {network}"),
            });
        }
        if let Some(limit) = limits.new_accounts_per_network {
            let network = network_of(from, 24, 48);
            draws.push(Draw {
                limit,
                key: format!("new-account-network/{network}"),
                what: format!("new accounts from {network}"),
            });
        }
        self.spend(draws).await
    }

    pub(super) async fn limit_new_order(&self, account: &Account) -> Result<(), Failure> {
        let Some(limit) = self.policy.limits.new_orders_per_account else {
            return Ok(());
        };
        let draw = Draw {
            limit,
            key: format!("new-order/{}", account.id),
            what: "new orders of this account".to_owned(),
        };
        self.spend(vec![draw]).await
    }

    /// Whether more certificates for these names may be ordered; they are counted when they are issued.
    pub(super) async fn limit_certificates(
        &self,
        names: &[String],
        is_renewal: bool,
        count: bool,
    ) -> Result<(), Failure> {
        let limits = &self.policy.limits;
        let mut draws = Vec::new();
        if let Some(limit) = limits.certificates_per_domain
            && !is_renewal
        {
            let mut domains: Vec<_> = names
                .iter()
                .filter_map(|name| (self.policy.registered_domain)(name))
                .collect();
            domains.sort_unstable();
            domains.dedup();
            draws.extend(domains.into_iter().map(|domain| Draw {
                limit,
                key: format!("domain/{domain}"),
                what: format!("certificates for {domain} and names below it"),
            }));
        }
        if let Some(limit) = limits.certificates_per_name_set {
            let mut sorted = names.to_vec();
            sorted.sort_unstable();
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, sorted.join(",").as_bytes());
            draws.push(Draw {
                limit,
                key: format!("names/{}", jose::base64url::encode(digest)),
                what: "certificates for exactly these names".to_owned(),
            });
        }
        if count {
            self.spend(draws).await
        } else {
            self.probe(draws).await
        }
    }

    /// Whether validations of a name by an account have failed too often lately.
    pub(super) async fn limit_failures(&self, account: &Account, name: &str) -> Result<(), Failure> {
        let draws = self.failures(account.id.0, name);
        self.probe(draws).await
    }

    /// Counts a code that goes out.
    pub(super) async fn limit_codes(&self, limits: Vec<CodeLimit>) -> Result<(), Failure> {
        let draws = limits.into_iter().map(|CodeLimit { limit, key, what }| Draw {
            limit,
            key: format!("code/{key}"),
            what,
        });
        self.spend(draws.collect()).await
    }

    /// Counts a failed validation. It is over: nothing is refused any more.
    pub(super) async fn count_failure(&self, authorization: &Authorization) -> Result<(), Failure> {
        let name = &authorization.identifier.value;
        match self.spend(self.failures(authorization.account.0, name)).await {
            Err(Failure::Refused(_)) => Ok(()),
            other => other,
        }
    }

    fn failures(&self, account: u64, name: &str) -> Vec<Draw> {
        let limit = self.policy.limits.failed_validations;
        limit
            .into_iter()
            .map(|limit| Draw {
                limit,
                key: format!("failed/{account}/{name}"),
                what: format!("failed validations of {name} by this account"),
            })
            .collect()
    }

    async fn spend(&self, draws: Vec<Draw>) -> Result<(), Failure> {
        self.draw(draws, false).await
    }

    async fn probe(&self, draws: Vec<Draw>) -> Result<(), Failure> {
        self.draw(draws, true).await
    }

    async fn draw(&self, draws: Vec<Draw>, only_look: bool) -> Result<(), Failure> {
        if draws.is_empty() {
            return Ok(());
        }
        let spends = draws
            .iter()
            .map(|draw| Spend {
                key: format!("{}/{}", self.policy.directory, draw.key),
                interval: draw.limit.period / draw.limit.count.max(1),
                depth: draw.limit.period,
            })
            .collect();
        match self.store.spend(spends, self.runtime.now(), only_look).await {
            Ok(Spent::Allowed) => Ok(()),
            Err(why) => self.uncounted(&why),
            Ok(Spent::Refused { which, until }) => {
                let Some(Draw { limit, what, .. }) = draws.into_iter().nth(which) else {
                    return Err(Failure::Unavailable("a limit that nobody asked about".into()));
                };
                Err(Refusal::RateLimited {
                    detail: format!(
                        "too many {what}: {} in {} are allowed; the next after {}",
                        limit.count,
                        text(limit.period),
                        seconds(until)
                    ),
                    until,
                    help: self.policy.limits.help.clone(),
                }
                .into())
            }
        }
    }

    fn uncounted(&self, why: &StoreError) -> Result<(), Failure> {
        tracing::warn!(%why, "the rate limits cannot be read");
        match self.policy.limits.uncounted {
            Uncounted::Serve => Ok(()),
            Uncounted::Refuse => Err(Refusal::RateLimited {
                detail: "the rate limits cannot be read at the moment; try again after the time given".to_owned(),
                until: later(self.runtime.now(), UNCOUNTED_RETRY),
                help: self.policy.limits.help.clone(),
            }
            .into()),
        }
    }
}

/// The network that an address is counted with.
fn network_of(address: IpAddr, v4: u8, v6: u8) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = u32::from(address) & (u32::MAX << (32 - v4));
            format!("{}/{v4}", std::net::Ipv4Addr::from(bits))
        }
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << (128 - v6));
            format!("{}/{v6}", std::net::Ipv6Addr::from(bits))
        }
    }
}

fn text(period: Duration) -> String {
    match period.as_secs() {
        hours if hours % 3600 == 0 => format!("{} h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second() + 1).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_network_and_mapped_ones_with_their_own_kind() {
        let network = |text: &str, v4, v6| network_of(text.parse().unwrap(), v4, v6);
        assert_eq!(network("192.0.2.7", 32, 64), "192.0.2.7/32");
        assert_eq!(network("192.0.2.7", 24, 48), "192.0.2.0/24");
        assert_eq!(network("::ffff:192.0.2.7", 24, 48), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2:3::4", 32, 64), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:3::4", 24, 48), "2001:db8:1::/48");
    }
}
