//! Addresses as Go programs take them: `:8053` is every address of the machine, and hosts may be names.

use std::{
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket},
};

/// Which addresses "every address" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Everywhere,
    /// For machines whose network must not see a test server.
    Loopback,
}

impl Reach {
    /// What `VIDIMUS_LOOPBACK_ONLY` says.
    pub fn of_environment() -> Self {
        match env::var_os("VIDIMUS_LOOPBACK_ONLY") {
            Some(value) if !value.is_empty() && value != "0" => Self::Loopback,
            _ => Self::Everywhere,
        }
    }

    fn addresses(self) -> &'static [IpAddr] {
        // A socket for IPv6 takes IPv4 as well.
        match (self, has_ipv6()) {
            (Self::Everywhere, true) => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            (Self::Everywhere, false) => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
            (Self::Loopback, true) => &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            (Self::Loopback, false) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        }
    }
}

/// A list with commas; none for the empty text, which switches a server off.
pub fn read_listening(flag: &str, list: &str, reach: Reach) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = Vec::new();
    // Suites that start a program without a shell pass the two quotation marks.
    for text in list.split(',').map(|text| text.trim().trim_matches('"')) {
        if text.is_empty() {
            continue;
        }
        let (host, port) = split(text).ok_or_else(|| format!("{flag}: {text:?} is not HOST:PORT or :PORT"))?;
        match host.parse::<IpAddr>() {
            _ if host.is_empty() => addresses.extend(reach.addresses().iter().map(|ip| SocketAddr::new(*ip, port))),
            Ok(ip) if ip.is_unspecified() && reach == Reach::Loopback => {
                addresses.extend(reach.addresses().iter().map(|ip| SocketAddr::new(*ip, port)));
            }
            Ok(ip) => addresses.push(SocketAddr::new(ip, port)),
            Err(_) => addresses.push(resolve(flag, host, port)?),
        }
    }
    Ok(addresses)
}

/// One address of somebody else; without a host it is this machine.
pub fn read_remote(flag: &str, text: &str) -> Result<SocketAddr, String> {
    let (host, port) = split(text).ok_or_else(|| format!("{flag}: {text:?} is not HOST:PORT"))?;
    match host.parse() {
        Ok(ip) => Ok(SocketAddr::new(ip, port)),
        Err(_) if host.is_empty() => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => resolve(flag, host, port),
    }
}

/// `HOST:PORT`, `:PORT`, `[ADDRESS]:PORT`.
fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

fn resolve(flag: &str, host: &str, port: u16) -> Result<SocketAddr, String> {
    let found = (host, port).to_socket_addrs();
    let found: Vec<_> = found.map_err(|error| format!("{flag}: {host}: {error}"))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| format!("{flag}: {host} has no address"))
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(list: &str) -> Result<Vec<String>, String> {
        let addresses = read_listening("-http01", list, Reach::Loopback)?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_are_read_as_they_stand_and_nothing_switches_off() {
        assert_eq!(loopback("127.0.0.1:1,[::1]:2").unwrap(), ["127.0.0.1:1", "[::1]:2"]);
        assert_eq!(loopback(" 127.0.0.1:1 , ").unwrap(), ["127.0.0.1:1"]);
        assert_eq!(loopback("").unwrap(), [""; 0]);
        assert_eq!(loopback("\"\"").unwrap(), [""; 0]);
        for wrong in ["5002", "::1:5002", "127.0.0.1:http", "127.0.0.1:70000", "[::1:5002"] {
            let error = loopback(wrong).unwrap_err();
            assert!(error.contains("-http01") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn no_host_is_every_address_or_those_of_this_machine_alone() {
        for all in [":5002", "0.0.0.0:5002", "[::]:5002"] {
            assert!(loopback(all).unwrap().contains(&"127.0.0.1:5002".to_owned()), "{all}");
        }
        let everywhere = read_listening("-http01", ":5002", Reach::Everywhere).unwrap();
        assert_eq!(everywhere.len(), 1);
        assert!(everywhere[0].ip().is_unspecified());
    }

    #[test]
    fn a_server_elsewhere_is_an_address_or_a_name() {
        assert_eq!(read_remote("-dnsserver", ":53").unwrap().to_string(), "127.0.0.1:53");
        assert_eq!(read_remote("-dnsserver", "[::1]:53").unwrap().to_string(), "[::1]:53");
        assert_eq!(read_remote("-dnsserver", "localhost:53").unwrap().port(), 53);
        assert!(
            read_remote("-dnsserver", "10.0.0.1")
                .unwrap_err()
                .contains("-dnsserver")
        );
    }
}
