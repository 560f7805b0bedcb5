//! How many connections one address is given at one time.

use std::{net::IpAddr, sync::Arc};

use authority::places::{Place, Places};
use ipnet::{IpNet, Ipv6Net};

/// Places in connections, of which each address has equally many: validations of many names at one host that never
/// answers wait for each other and for nobody else (INCIDENTS T40).
#[derive(Clone, Debug)]
pub struct Connections(Arc<Places<IpNet>>);

/// A connection's place, for as long as it lasts.
pub type Held = Place<IpNet>;

impl Connections {
    pub fn new(to_one_address: usize) -> Self {
        Self(Places::new(to_one_address))
    }

    pub async fn take(&self, address: IpAddr) -> Held {
        self.0.take(network(address)).await
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(100)
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => address.into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().into(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    // T40
    #[test]
    fn t40_the_addresses_of_one_ipv6_network_share_their_places() {
        let connections = Connections::new(1);
        let take = |text: &str| connections.take(text.parse().unwrap()).now_or_never();
        let _first = take("2001:db8::1").expect("there is one");
        assert!(take("2001:db8::2").is_none());
        let _other = take("2001:db8:0:1::1").expect("another network");
        let _fourth = take("192.0.2.1").expect("another address");
        assert!(take("192.0.2.2").is_some());
    }
}
