//! Who a request comes from (INCIDENTS T41): whoever is connected, unless that is a proxy of ours, which tells.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use ipnet::IpNet;

/// The networks of our own proxies. What anybody else says of where a request comes from is not believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(pub Vec<IpNet>);

/// The other end of the connection, put into each request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct ConnectedFrom(pub SocketAddr);

impl Proxies {
    /// The client's address; `None` when the request came over no connection.
    pub fn client(&self, parts: &Parts) -> Option<IpAddr> {
        let ConnectedFrom(connected) = parts.extensions.get()?;
        let connected = connected.ip().to_canonical();
        if !self.contains(connected) {
            return Some(connected);
        }
        let told = parts.headers.get_all("x-forwarded-for").into_iter();
        let told: Vec<&str> = told
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        // Each proxy adds at the end; before the first that is not ours anything may have been made up.
        for address in told.iter().rev() {
            match address.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
                Ok(address) if self.contains(address) => {}
                Ok(address) => return Some(address),
                Err(_) => return Some(connected),
            }
        }
        Some(connected)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(connected: &str, told: &[&str]) -> String {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut request = http::Request::new(());
        let address = ConnectedFrom(SocketAddr::new(connected.parse().unwrap(), 1));
        request.extensions_mut().insert(address);
        for value in told {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        proxies.client(&request.into_parts().0).unwrap().to_string()
    }

    #[test]
    fn t41_only_our_own_proxies_tell_where_a_request_comes_from() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["198.51.100.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.1, 198.51.100.9"]), "198.51.100.9");
        assert_eq!(
            client("10.0.0.1", &["203.0.113.1", "198.51.100.9, 10.0.0.2"]),
            "198.51.100.9"
        );
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(client("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
