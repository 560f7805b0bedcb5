//! Which ports speak for a service.

use std::collections::BTreeMap;

use crate::service::{Protocol, Service, ServicePort};

/// The ports that are looked at: those that are registered, and the operator's list.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    offered: Vec<ServicePort>,
    /// Where a test has put what listens elsewhere in the world.
    moved: BTreeMap<ServicePort, u16>,
}

impl Ports {
    /// `listed` are places as in `lmtp:24`; `relay` is whether port 25 counts for `smtp`; `moved` leads from a place to the
    /// port that is dialled in its stead. `Err` names the text that is wrong.
    pub fn new(listed: &[String], relay: bool, moved: &BTreeMap<String, u16>) -> Result<Self, String> {
        let standard = Service::ALL.into_iter().filter_map(|service| {
            // ManageSieve's is above 1023: whoever has an account there can listen (RFC 5804 has nothing against it).
            let port = service.registered_port().filter(|port| *port < UNPRIVILEGED)?;
            Some(ServicePort { service, port })
        });
        let mut offered: Vec<_> = standard.filter(|at| relay || at.service != Service::Smtp).collect();
        for text in listed {
            let at = place(text)?;
            if !offered.contains(&at) {
                offered.push(at);
            }
        }
        let moved = moved
            .iter()
            .map(|(text, port)| Ok((place(text)?, *port)))
            .collect::<Result<_, String>>()?;
        Ok(Self { offered, moved })
    }

    pub fn offered(&self) -> Vec<ServicePort> {
        self.offered.clone()
    }

    /// The port of a service whose port nobody has named: the registered one, or the only one that is listed.
    pub fn usual(&self, service: Service) -> Option<u16> {
        let listed = || {
            let mut listed = self.offered.iter().filter(|at| at.service == service);
            let only = listed.next()?;
            listed.next().is_none().then_some(only.port)
        };
        service.registered_port().or_else(listed)
    }

    /// `Err` says why the port proves nothing, and which would.
    pub fn judge(&self, at: ServicePort) -> Result<(), String> {
        if self.offered.contains(&at) {
            return Ok(());
        }
        let of_service = self.offered.iter().filter(|offered| offered.service == at.service);
        let others: Vec<_> = of_service.map(ToString::to_string).collect();
        let is_lmtp = |port| {
            let mut lmtp = self.offered.iter().filter(|offered| offered.service == Service::Lmtp);
            port == PRIVATE_MAIL || lmtp.any(|offered| offered.port == port)
        };
        let why = match (at.service.protocol(), at.port) {
            (Protocol::Lmtp, RELAY) => "LMTP is never spoken on port 25 (RFC 2033 §5)".to_owned(),
            (Protocol::Smtp, port) if is_lmtp(port) => {
                format!(
                    "TCP port {port} is one of LMTP, which is asked by LHLO and must not answer EHLO (RFC 2033 §4.1)"
                )
            }
            (_, port @ UNPRIVILEGED..) => {
                format!("TCP port {port} is no indication that the person controls the machine")
            }
            (_, port) => format!("TCP port {port} is not one of {}", at.service),
        };
        let instead = match others.as_slice() {
            [] => format!("this server looks for {} at no port", at.service),
            others => format!("this server looks at {}", others.join(", ")),
        };
        Err(format!("{at} is not looked at: {why}; {instead}"))
    }

    /// Whether the host has to say in the DNS that the port is its own: always where nobody has registered it, but for
    /// port 24, which is the one for private mail systems.
    pub fn needs_pin(at: ServicePort) -> bool {
        let private = at.service == Service::Lmtp && at.port == PRIVATE_MAIL;
        at.service.registered_port() != Some(at.port) && !private
    }

    pub fn dialled(&self, at: ServicePort) -> u16 {
        self.moved.get(&at).copied().unwrap_or(at.port)
    }
}

/// A place that can be one.
fn place(text: &str) -> Result<ServicePort, String> {
    let at = parse(text).ok_or_else(|| {
        let known: Vec<_> = Service::ALL.iter().map(|service| service.name()).collect();
        let known = known.join(", ");
        format!("{text:?} is no service and port as in \"lmtp:24\"; the services are {known}")
    })?;
    if at.service == Service::Lmtp && at.port == RELAY {
        return Err(format!("{text:?}: LMTP is never spoken on port 25 (RFC 2033 §5)"));
    }
    Ok(at)
}

pub fn parse(text: &str) -> Option<ServicePort> {
    let (service, port) = text.split_once(':')?;
    let service = Service::from_name(service)?;
    let digits = port.bytes().all(|octet| octet.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port != 0 && digits)?;
    Some(ServicePort { service, port })
}

/// From here on anybody with an account on the machine may listen.
const UNPRIVILEGED: u16 = 1024;
const RELAY: u16 = 25;
/// `priv-mail` in the registry of ports.
const PRIVATE_MAIL: u16 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(listed: &[&str]) -> Result<Ports, String> {
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        Ports::new(&listed, true, &BTreeMap::new())
    }

    fn shown(ports: &Ports) -> Vec<String> {
        ports.offered().iter().map(ToString::to_string).collect()
    }

    // ETLS-P-1
    #[test]
    fn the_registered_ports_below_1024_count_and_no_other() {
        let standard = [
            "smtp:25",
            "submission:587",
            "submissions:465",
            "imap:143",
            "imaps:993",
            "pop3:110",
            "pop3s:995",
        ];
        let ports = ports(&[]).unwrap();
        assert_eq!(shown(&ports), standard);
        for (text, why) in [
            (
                "imaps:5000",
                "TCP port 5000 is no indication that the person controls the machine",
            ),
            (
                "imaps:143",
                "TCP port 143 is not one of imaps; this server looks at imaps:993",
            ),
            ("lmtp:24", "this server looks for lmtp at no port"),
            ("lmtp:25", "LMTP is never spoken on port 25"),
            ("smtp:24", "is asked by LHLO and must not answer EHLO"),
            ("submission:24", "is asked by LHLO and must not answer EHLO"),
            ("sieve:4190", "this server looks for sieve at no port"),
        ] {
            let refusal = ports.judge(parse(text).unwrap()).unwrap_err();
            assert!(refusal.starts_with(text) && refusal.contains(why), "{refusal}");
        }
        let without = Ports::new(&[], false, &BTreeMap::new()).unwrap();
        assert_eq!(shown(&without), standard[1..]);
    }

    // ETLS-P-1, ETLS-P-5
    #[test]
    fn what_the_operator_lists_counts_and_what_nobody_registered_wants_a_pin() {
        let ports = ports(&["lmtp:24", "imaps:1993", "sieve:4190", "smtp:24"]).unwrap();
        for (text, pinned) in [
            ("lmtp:24", false),
            ("imaps:1993", true),
            ("sieve:4190", false),
            ("smtp:24", true),
            ("imaps:993", false),
        ] {
            let at = parse(text).unwrap();
            assert_eq!((ports.judge(at), Ports::needs_pin(at)), (Ok(()), pinned), "{text}");
        }
        assert_eq!(ports.usual(Service::Lmtp), Some(24));
        assert_eq!(ports.usual(Service::Imaps), Some(993));
    }

    // ETLS-P-5
    #[test]
    fn lmtp_is_refused_on_port_25_and_texts_that_are_no_place_too() {
        assert!(ports(&["lmtp:25"]).unwrap_err().contains("RFC 2033"));
        for wrong in [
            "",
            "imaps",
            "imaps:",
            "imaps:0",
            "imaps:+993",
            "imaps:65536",
            "IMAPS:993",
            "ftp:21",
        ] {
            assert!(ports(&[wrong]).is_err(), "{wrong}");
        }
        assert_eq!(ports(&[]).unwrap().usual(Service::Lmtp), None);
        assert_eq!(ports(&["lmtp:24", "lmtp:2003"]).unwrap().usual(Service::Lmtp), None);
    }
}
