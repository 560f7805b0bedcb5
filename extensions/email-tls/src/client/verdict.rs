//! Whether a certificate speaks for a mail service (RFC 7817 §3, RFC 9525 §6).
//!
//! Who typed the host's name in asks for that name. Who looked it up in the DNS, which anybody may have answered, asks for
//! the domain of the mail address, or for the service of that domain. A common name is never a host's (RFC 9525 §6.3).

use jiff::Timestamp;
use pkix::{certificate::Certificate, name::GeneralName};
use serde::Serialize;

use crate::service::Service;

/// What a certificate is held against.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    pub service: Service,
    pub host: &'a str,
    /// Of the mail addresses, if it is known.
    pub domain: Option<&'a str>,
}

/// By which of its names a certificate speaks for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// A DNS-ID is the host's.
    pub host: bool,
    /// A DNS-ID is the mail domain's.
    pub domain: bool,
    /// An SRV-ID is that of the service in the mail domain, or at the host if no domain is known.
    pub srv: bool,
    /// The host's name stands only in the common name, where nobody looks any more.
    pub common_name_only: bool,
    pub in_time: bool,
}

impl Verdict {
    pub fn of(certificate: &Certificate, reference: &Reference<'_>, now: Timestamp) -> Self {
        let common_name = certificate.subject_common_name();
        let in_time = certificate.not_before() <= now && now <= certificate.not_after();
        Self::of_names(certificate.names(), common_name.as_deref(), in_time, reference)
    }

    fn of_names(names: &[GeneralName], common_name: Option<&str>, in_time: bool, reference: &Reference<'_>) -> Self {
        let has_dns = |wanted: &str| {
            names
                .iter()
                .any(|name| matches!(name, GeneralName::Dns(presented) if is_dns_id(presented, wanted)))
        };
        let srv = format!("_{}.{}", reference.service, reference.domain.unwrap_or(reference.host));
        let host = has_dns(reference.host);
        Self {
            host,
            domain: reference.domain.is_some_and(has_dns),
            srv: reference.service.has_srv()
                && names
                    .iter()
                    .filter_map(GeneralName::as_srv)
                    .any(|presented| same_name(presented, &srv)),
            common_name_only: !host && common_name.is_some_and(|name| is_dns_id(name, reference.host)),
            in_time,
        }
    }

    /// Good enough for who typed the host's name in.
    pub fn serves_host(&self) -> bool {
        self.in_time && self.host
    }

    /// Good enough for who found the host through the domain (RFC 7817 §3).
    pub fn serves_domain(&self) -> bool {
        self.in_time && (self.domain || self.srv)
    }

    /// In words.
    pub fn sentence(&self, reference: &Reference<'_>) -> String {
        if !self.in_time {
            return "expired, or not valid yet".to_owned();
        }
        let mut parts = Vec::new();
        match (self.host, self.common_name_only) {
            (true, _) => parts.push(format!("good for {}", reference.host)),
            (false, true) => parts.push(format!(
                "not good for {}, which stands only in the common name",
                reference.host
            )),
            (false, false) => parts.push(format!("not good for {}", reference.host)),
        }
        if let Some(domain) = reference.domain
            && reference.service.has_srv()
        {
            parts.push(match (self.srv, self.domain) {
                (true, true) => format!("good for {domain} by SRV-ID and DNS-ID"),
                (true, false) => format!("good for {domain} by SRV-ID"),
                (false, true) => format!("good for {domain} by DNS-ID"),
                (false, false) => format!("not good for {domain}: clients that look the host up will warn"),
            });
        }
        parts.join("; ")
    }
}

/// RFC 9525 §6.3: equal without regard to case, or a `*` that is the whole left-most label and stands for just one.
fn is_dns_id(presented: &str, wanted: &str) -> bool {
    let parent = |name: &str| name.split_once('.').map(|(_, parent)| parent.to_owned());
    match presented.strip_prefix("*.") {
        Some(base) => base.contains('.') && parent(wanted).is_some_and(|parent| same_name(base, &parent)),
        None => same_name(presented, wanted),
    }
}

fn same_name(one: &str, other: &str) -> bool {
    let without_dot = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    !one.is_empty() && without_dot(one) == without_dot(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(names: &[&str], common_name: Option<&str>) -> Verdict {
        let names: Vec<GeneralName> = names
            .iter()
            .map(|name| match name {
                name if name.starts_with('_') => GeneralName::srv(name).unwrap(),
                name if name.contains("://") => GeneralName::Uri((*name).to_owned()),
                name => GeneralName::Dns((*name).to_owned()),
            })
            .collect();
        let reference = Reference {
            service: Service::Imaps,
            host: "mail.alpha.test",
            domain: Some("alpha.test"),
        };
        Verdict::of_names(&names, common_name, true, &reference)
    }

    // 7817-3-1, 9525-6-1
    #[test]
    fn names_are_matched_as_mail_clients_match_them() {
        for (names, host, domain, srv) in [
            (&["mail.alpha.test"][..], true, false, false),
            (&["MAIL.Alpha.Test"], true, false, false),
            (&["*.alpha.test"], true, false, false),
            (&["*.test"], false, false, false),
            (&["m*.alpha.test"], false, false, false),
            (&["*"], false, false, false),
            (&["alpha.test"], false, true, false),
            (&["_imaps.alpha.test"], false, false, true),
            (&["_IMAPS.alpha.test"], false, false, true),
            (&["_imap.alpha.test"], false, false, false),
            (&["_imaps.mail.alpha.test"], false, false, false),
            (&["_imaps.*.test"], false, false, false),
            (&["_imaps._tcp.alpha.test"], false, false, false),
            (&["imap://mail.alpha.test"], false, false, false),
            (
                &["mail.alpha.test", "alpha.test", "_imaps.alpha.test"],
                true,
                true,
                true,
            ),
            (&["other.test"], false, false, false),
            (&["xmail.alpha.test"], false, false, false),
        ] {
            let verdict = judged(names, None);
            assert_eq!(
                (verdict.host, verdict.domain, verdict.srv),
                (host, domain, srv),
                "{names:?}"
            );
        }
    }

    // 9525-6-1
    #[test]
    fn a_common_name_never_counts_and_is_said_to_be_all_there_is() {
        let verdict = judged(&[], Some("mail.alpha.test"));
        assert!(!verdict.serves_host() && !verdict.serves_domain() && verdict.common_name_only);
        let verdict = judged(&["other.test"], Some("mail.alpha.test"));
        assert!(!verdict.serves_host() && verdict.common_name_only);
    }

    #[test]
    fn relayed_mail_has_no_service_name() {
        let names = [GeneralName::srv("_smtp.alpha.test").unwrap()];
        let reference = Reference {
            service: Service::Smtp,
            host: "mail.alpha.test",
            domain: Some("alpha.test"),
        };
        assert!(!Verdict::of_names(&names, None, true, &reference).srv);
    }
}
