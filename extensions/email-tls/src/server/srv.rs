//! `srv`: SRV-IDs of mail services (RFC 4985, RFC 7817 §4).

use acme::Identifier;
use authority::identifier::{Dns, IdentifierType, Name, NameRefusal, Page, Target};
use pkix::name::GeneralName;

use crate::service::Service;

pub struct Srv;

impl IdentifierType for Srv {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn page(&self) -> Page {
        Page {
            kind: KIND,
            document: "RFC 4985 §2; no document has an identifier type for it",
            grammar: "An underscore, the name of a mail service that is found by SRV records (`submission`, \
                      `submissions`, `imap`, `imaps`, `pop3`, `pop3s`, `sieve`), a dot, a DNS name as in `dns`. No \
                      protocol label, no wildcard.",
            canonical: "Lower case.",
            equality: "Octets of the canonical form.",
            wildcard: "None.",
            certificate: "subjectAltName otherName SRVName (1.3.6.1.5.5.7.8.7), an IA5String.",
            csr: "subjectAltName otherName SRVName; letter case is folded.",
            examples: &["_imaps.example.org", "_submission.xn--bcher-kva.example"],
            refused: &[
                "imaps.example.org",
                "_imaps._tcp.example.org",
                "_imaps.*.example.org",
                "_lmtp.example.org",
                "_https.example.org",
            ],
        }
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        let malformed = |why: &str| NameRefusal::Malformed(format!("{value:?} is not an SRV-ID: {why}"));
        let canonical = value.to_ascii_lowercase();
        let rest = canonical
            .strip_prefix('_')
            .ok_or_else(|| malformed("it does not begin with an underscore and a service"))?;
        let (label, domain) = rest
            .split_once('.')
            .ok_or_else(|| malformed("no domain follows the service"))?;
        if domain.starts_with('_') {
            return Err(malformed("leave the protocol label out (RFC 4985 §2)"));
        }
        let of_domain = Dns.admit(domain).map_err(|refusal| malformed(&refusal.to_string()))?;
        if of_domain.is_wildcard() {
            return Err(malformed("a service of a wildcard is nobody's"));
        }
        let Some(service) = Service::from_name(label).filter(|service| service.has_srv()) else {
            let known: Vec<_> = found_by_srv().map(Service::name).collect();
            let known = known.join(", ");
            let why = match Service::from_name(label) {
                Some(Service::Lmtp) => "LMTP has no registered service name, so no client looks for it by SRV records",
                Some(Service::Smtp) => "mail is relayed by MX records, so no client looks for SMTP by SRV records",
                _ => "this server issues for no SRV-ID of this service",
            };
            // In the label's own letters: it may be as long as an identifier.
            return Err(NameRefusal::Rejected(format!(
                "{value:?}: {why}; there are SRV-IDs for {known}"
            )));
        };
        if domain == ONION || domain.ends_with(BELOW_ONION) {
            return Err(NameRefusal::Rejected(format!(
                "{value:?}: a hidden service has no SRV records (RFC 7686)"
            )));
        }
        let target = Target::Service {
            service: service.name().to_owned(),
            domain: domain.to_owned(),
        };
        let identifier = Identifier::new(KIND, canonical);
        Ok(Name::admitted(identifier.clone(), identifier, target))
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        GeneralName::srv(&name.identifier().value).expect("invariant: an admitted SRV-ID is ASCII")
    }

    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        general_name.as_srv().map(|text| self.admit(text))
    }
}

fn found_by_srv() -> impl Iterator<Item = Service> {
    Service::ALL.into_iter().filter(|service| service.has_srv())
}

const KIND: &str = "srv";
const ONION: &str = "onion";
const BELOW_ONION: &str = ".onion";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_page_is_admitted_and_every_refused_one_is_not() {
        let page = Srv.page();
        page.examples
            .iter()
            .for_each(|example| assert!(Srv.admit(example).is_ok(), "{example}"));
        page.refused
            .iter()
            .for_each(|refused| assert!(Srv.admit(refused).is_err(), "{refused}"));
    }

    // ETLS-P-8, 4985-2-1
    #[test]
    fn a_service_and_its_domain_are_named_in_any_case_and_nothing_else_is_repaired() {
        let name = Srv.admit("_IMAPS.Example.NET").unwrap();
        assert_eq!(name.identifier().value, "_imaps.example.net");
        assert_eq!(name, Srv.admit("_imaps.example.net").unwrap());
        let expected = Target::Service {
            service: "imaps".into(),
            domain: "example.net".into(),
        };
        assert_eq!(name.target(), &expected);
        for wrong in [
            "",
            "_",
            "_imaps",
            "_imaps.",
            "imaps.example.net",
            "_imaps.example.net.",
            "_imaps.example.net:993",
            "_imaps._tcp.example.net",
            "_imaps.*.example.net",
            "_imaps.192.0.2.1",
            "_imaps.bücher.example",
            "_imaps.a_b.example",
        ] {
            assert!(matches!(Srv.admit(wrong), Err(NameRefusal::Malformed(_))), "{wrong}");
        }
    }

    // ETLS-P-5: LMTP has no name that a client could look for; mail is relayed by MX.
    #[test]
    fn services_without_srv_records_and_services_of_others_are_refused() {
        for other in [
            "__imaps.example.net",
            "_lmtp.example.net",
            "_smtp.example.net",
            "_https.example.net",
            "_imaps.x.onion",
        ] {
            assert!(matches!(Srv.admit(other), Err(NameRefusal::Rejected(_))), "{other}");
        }
        for (other, why) in [
            ("_lmtp.example.net", "LMTP has no registered service name"),
            ("_smtp.example.net", "by MX"),
        ] {
            let Err(NameRefusal::Rejected(said)) = Srv.admit(other) else {
                panic!("{other} is admitted");
            };
            assert!(said.contains(other) && said.contains(why), "{said}");
        }
    }

    // ETLS-P-9, 4985-2-1
    #[test]
    fn in_a_certificate_it_is_an_srv_name_without_protocol() {
        let name = Srv.admit("_imaps.example.net").unwrap();
        let general = Srv.to_general_name(&name);
        assert_eq!(general.as_srv(), Some("_imaps.example.net"));
        assert_eq!(Srv.read_general_name(&general), Some(Ok(name)));
        let with_protocol = GeneralName::srv("_imaps._tcp.example.net").unwrap();
        assert!(Srv.read_general_name(&with_protocol).unwrap().is_err());
        assert!(
            Srv.read_general_name(&GeneralName::Dns("_imaps.example.net".into()))
                .is_none()
        );
        assert!(Srv.read_common_name("_imaps.example.net").is_none());
    }
}
