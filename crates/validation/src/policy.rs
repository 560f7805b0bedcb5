//! Which addresses and ports validation may dial (RFC 8555 §10.4). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Forbids every address that is not a public unicast address, unless the operator opened its network.
///
/// Without it, whoever can order a certificate could make this server send requests into the network it stands in.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
}

impl AddressPolicy {
    pub fn new(allow_networks: Vec<IpNet>) -> Self {
        Self {
            allowed: allow_networks,
        }
    }

    pub fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        match address {
            IpAddr::V4(address) => judge_v4(address),
            IpAddr::V6(address) => self.judge_v6(address),
        }
    }

    fn judge_v6(&self, address: Ipv6Addr) -> Result<(), Forbidden> {
        if NAT64.contains(&address) {
            // What is reached is the embedded IPv4 address (RFC 6052 §2.2).
            let [.., a, b, c, d] = address.octets();
            return self.judge(Ipv4Addr::new(a, b, c, d).into());
        }
        match V6.iter().find(|(network, _)| network.contains(&address)) {
            Some((_, rule)) => Err(Forbidden(rule)),
            None if GLOBAL_UNICAST.contains(&address) => Ok(()),
            None => Err(Forbidden("not a global unicast address (RFC 4291 §2.4)")),
        }
    }
}

/// The rule by which an address may not be dialled; completes the sentence "the address is …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forbidden(pub &'static str);

/// The ports dialled, and those that redirects may name.
#[derive(Clone, Copy, Debug)]
pub struct PortPolicy {
    /// Dialled by http-01 in place of 80.
    pub http: u16,
    /// Dialled by tls-alpn-01 in place of 443.
    pub tls: u16,
}

impl PortPolicy {
    /// High ports belong to whoever has a login on the host, not to whoever runs it.
    pub fn allows_redirect_to(&self, port: u16) -> bool {
        [80, 443, self.http, self.tls].contains(&port)
    }
}

impl Default for PortPolicy {
    fn default() -> Self {
        Self { http: 80, tls: 443 }
    }
}

fn judge_v4(address: Ipv4Addr) -> Result<(), Forbidden> {
    match V4.iter().find(|(network, _)| network.contains(&address)) {
        Some((_, rule)) => Err(Forbidden(rule)),
        None => Ok(()),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(head: [u16; 4], length: u8) -> Ipv6Net {
    let [a, b, c, d] = head;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// The IANA IPv4 special-purpose registry (RFC 6890) as far as it is not globally reachable, and multicast.
const V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "of \"this network\" (RFC 791 §3.2)"),
    (v4(10, 0, 0, 0, 8), "private (RFC 1918)"),
    (v4(100, 64, 0, 0, 10), "shared address space of carriers (RFC 6598)"),
    (v4(127, 0, 0, 0, 8), "loopback (RFC 1122 §3.2.1.3)"),
    // Answers on every Azure host with credentials of the host.
    (v4(168, 63, 129, 16, 32), "a cloud provider's host service"),
    (v4(169, 254, 0, 0, 16), "link-local (RFC 3927)"),
    (v4(172, 16, 0, 0, 12), "private (RFC 1918)"),
    (v4(192, 0, 0, 0, 24), "reserved for protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 0, 24), "documentation (RFC 5737)"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay (RFC 7526)"),
    (v4(192, 168, 0, 0, 16), "private (RFC 1918)"),
    (v4(198, 18, 0, 0, 15), "benchmarking (RFC 2544)"),
    (v4(198, 51, 100, 0, 24), "documentation (RFC 5737)"),
    (v4(203, 0, 113, 0, 24), "documentation (RFC 5737)"),
    (v4(224, 0, 0, 0, 4), "multicast (RFC 5771)"),
    (v4(255, 255, 255, 255, 32), "broadcast (RFC 919)"),
    (v4(240, 0, 0, 0, 4), "reserved (RFC 1112 §4)"),
];

/// The IANA IPv6 special-purpose registry (RFC 6890), more specific networks first.
const V6: &[(Ipv6Net, &str)] = &[
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        "unspecified (RFC 4291 §2.5.2)",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        "loopback (RFC 4291 §2.5.3)",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        "an IPv4-mapped address (RFC 4291 §2.5.5.2)",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
        "an IPv4-compatible address (RFC 4291 §2.5.5.1)",
    ),
    (v6([0x64, 0xff9b, 1, 0], 48), "local-use IPv4 translation (RFC 8215)"),
    (v6([0x100, 0, 0, 0], 64), "discard-only (RFC 6666)"),
    (v6([0x2001, 0, 0, 0], 32), "Teredo (RFC 4380)"),
    (v6([0x2001, 2, 0, 0], 48), "benchmarking (RFC 5180)"),
    (
        v6([0x2001, 0, 0, 0], 23),
        "reserved for protocol assignments (RFC 2928)",
    ),
    (v6([0x2001, 0xdb8, 0, 0], 32), "documentation (RFC 3849)"),
    (v6([0x2002, 0, 0, 0], 16), "6to4 (RFC 3056)"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation (RFC 9637)"),
    (v6([0x5f00, 0, 0, 0], 16), "a segment routing identifier (RFC 9602)"),
    (v6([0xfc00, 0, 0, 0], 7), "unique local (RFC 4193)"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local (RFC 4291 §2.5.6)"),
    (v6([0xfec0, 0, 0, 0], 10), "site-local (RFC 3879)"),
    (v6([0xff00, 0, 0, 0], 8), "multicast (RFC 4291 §2.7)"),
];

/// The well-known prefix of IPv4/IPv6 translation (RFC 6052 §2.1).
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// All that IANA has ever given out (RFC 4291 §2.4, IANA IPv6 address space).
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(policy: &AddressPolicy, address: &str) -> Option<&'static str> {
        policy
            .judge(address.parse().unwrap())
            .err()
            .map(|forbidden| forbidden.0)
    }

    // 8555-8.3-4, T9
    #[test]
    fn t9_addresses_that_are_not_public_are_forbidden_each_by_its_rule() {
        let policy = AddressPolicy::default();
        for (address, word) in [
            ("0.0.0.0", "this network"),
            ("0.1.2.3", "this network"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "shared"),
            ("100.127.255.254", "shared"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("168.63.129.16", "cloud"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.1", "protocol"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4"),
            ("192.168.0.1", "private"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "compatible"),
            ("::10.0.0.1", "compatible"),
            ("::ffff:127.0.0.1", "mapped"),
            ("::ffff:8.8.8.8", "mapped"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", "link-local"),
            ("64:ff9b:1::1", "translation"),
            ("64:ff9b::1:0:0", "not a global unicast"),
            ("100::1", "discard"),
            ("2001::1", "Teredo"),
            ("2001:2::1", "benchmarking"),
            ("2001:10::1", "protocol"),
            ("2001:20::1", "protocol"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::1", "6to4"),
            ("3fff::1", "documentation"),
            ("4000::1", "not a global unicast"),
            ("5f00::1", "segment"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            let rule = rule(&policy, address).unwrap_or_else(|| panic!("{address} was allowed"));
            assert!(rule.contains(word), "{address}: {rule}");
        }
    }

    #[test]
    fn public_addresses_may_be_dialled() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2400:cb00::1",
            "2606:4700::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(rule(&AddressPolicy::default(), address), None, "{address}");
        }
    }

    // 8738-9-1
    #[test]
    fn an_opened_network_may_be_dialled_and_its_neighbours_may_not() {
        let policy = AddressPolicy::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()]);
        assert_eq!(rule(&policy, "10.1.2.3"), None);
        assert_eq!(rule(&policy, "64:ff9b::10.1.2.3"), None);
        assert_eq!(rule(&policy, "fd00::1"), None);
        assert!(rule(&policy, "10.2.0.0").is_some());
        assert!(rule(&policy, "fd00:0:0:1::1").is_some());
        // The mapped form is another way to write the address, and not one that a name needs.
        assert!(rule(&policy, "::ffff:10.1.2.3").is_some());
    }

    // 8555-8.3-2, T8
    #[test]
    fn t8_redirects_reach_80_443_and_the_configured_ports_only() {
        let ports = PortPolicy { http: 5002, tls: 5001 };
        for port in [80, 443, 5001, 5002] {
            assert!(ports.allows_redirect_to(port));
        }
        for port in [0, 22, 8080, 8443, 5003] {
            assert!(!ports.allows_redirect_to(port));
        }
        assert!(!PortPolicy::default().allows_redirect_to(5002));
    }
}
