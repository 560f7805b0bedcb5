//! IP address identifiers (RFC 8738).
//!
//! One identifier type. The methods that can prove an address (http-01, tls-alpn-01) are the base's own: they dial an
//! address target as it is, and dns-01 is never offered for one, since it has no host.

use std::net::IpAddr;

use acme::Identifier;
use authority::{
    Registry,
    identifier::{IdentifierType, Name, NameRefusal, Page, Target},
};
use pkix::name::GeneralName;

/// Adds what this document adds.
pub fn register(registry: &mut Registry) {
    registry.add_identifier_type(Ip);
}

struct Ip;

impl IdentifierType for Ip {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn page(&self) -> Page {
        Page {
            kind: KIND,
            document: "RFC 8738 §3",
            grammar: "IPv4 as four decimal numbers without leading zeros; IPv6 in the form of RFC 5952. Nothing else: \
                      no brackets, zone, prefix length or port, no IPv4-mapped IPv6.",
            canonical: "As it is: there is one spelling.",
            equality: "Octets of the address.",
            wildcard: "None: `*` means nothing in an address.",
            certificate: "subjectAltName iPAddress, 4 or 16 octets.",
            csr: "subjectAltName iPAddress; a dNSName or a common name with the address's text does not count.",
            examples: &["192.0.2.1", "2001:db8::1"],
            refused: &[
                "*.192.0.2.1",
                "192.0.2.01",
                "2001:DB8::1",
                "[::1]",
                "192.0.2.0/24",
                "::ffff:192.0.2.1",
            ],
        }
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        let malformed = |why: String| NameRefusal::Malformed(format!("{value:?} is not an IP address: {why}"));
        let address: IpAddr = value
            .parse()
            .map_err(|_| malformed("it is neither dotted decimal IPv4 nor IPv6 in the form of RFC 5952".into()))?;
        if let IpAddr::V6(v6) = address
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(malformed(
                "it is an IPv4-mapped IPv6 address; name the IPv4 address".into(),
            ));
        }
        // The standard library writes RFC 5952; any other spelling is refused, not repaired (8738-3-1).
        if address.to_string() != value {
            return Err(malformed(format!("write it as {:?}", address.to_string())));
        }
        let identifier = Identifier::new(KIND, value);
        Ok(Name::admitted(identifier.clone(), identifier, Target::Address(address)))
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        match name.target() {
            Target::Address(address) => GeneralName::Ip(*address),
            Target::Host(_) | Target::Service { .. } | Target::Mailbox { .. } | Target::None => {
                unreachable!("invariant: admit gives an address target")
            }
        }
    }

    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        match general_name {
            GeneralName::Ip(address) => Some(self.admit(&address.to_string())),
            _ => None,
        }
    }
}

const KIND: &str = "ip";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_page_is_admitted_and_every_refused_one_is_not() {
        let page = Ip.page();
        page.examples
            .iter()
            .for_each(|example| assert!(Ip.admit(example).is_ok(), "{example}"));
        page.refused
            .iter()
            .for_each(|refused| assert!(Ip.admit(refused).is_err(), "{refused}"));
    }

    // 8738-3-1, 8738-7-2, t15
    #[test]
    fn only_the_one_canonical_spelling_is_taken() {
        for bad in [
            "::0001",
            "2001:DB8::1",
            "1.2.3",
            "01.2.3.4",
            "::ffff:1.2.3.4",
            "fe80::1%eth0",
            "10.0.0.0/8",
            "[::1]",
            "*.1.2.3.4",
            "1.2.3.4:80",
            "0x7f000001",
            "2130706433",
            "",
            " 1.2.3.4",
            "2001:db8:0:0:0:0:0:1",
        ] {
            assert!(matches!(Ip.admit(bad), Err(NameRefusal::Malformed(_))), "{bad:?}");
        }
    }

    // 8738-4-2
    #[test]
    fn an_address_stands_in_a_certificate_as_an_address_only() {
        let name = Ip.admit("192.0.2.1").unwrap();
        assert_eq!(Ip.to_general_name(&name), GeneralName::Ip("192.0.2.1".parse().unwrap()));
        assert!(Ip.read_general_name(&GeneralName::Dns("192.0.2.1".into())).is_none());
        assert!(Ip.read_common_name("192.0.2.1").is_none());
    }
}
