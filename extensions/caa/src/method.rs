//! What a validation method is called in `validationmethods` (RFC 8657 §4).

use std::borrow::Cow;

/// The label of a challenge type: its own name where IANA has it or a draft asks for it, else one of ours.
pub fn label(method: &str) -> Cow<'_, str> {
    if REGISTERED.contains(&method) || REQUESTED.contains(&method) {
        Cow::Borrowed(method)
    } else {
        Cow::Owned(format!("ca-{method}"))
    }
}

/// IANA's "ACME Validation Methods", without those that were withdrawn.
const REGISTERED: &[&str] = &[
    "bp-nodeid-00",
    "dns-01",
    "email-reply-00",
    "http-01",
    "onion-csr-01",
    "tkauth-01",
    "tls-alpn-01",
];

/// Documents of the ACME working group that ask for their names to be registered.
const REQUESTED: &[&str] = &["device-attest-01", "dns-account-01", "dns-persist-01"];

#[cfg(test)]
mod tests {
    use super::*;

    // 8657-4-2
    #[test]
    fn methods_of_our_own_begin_with_ca() {
        assert_eq!(label("http-01"), "http-01");
        assert_eq!(label("dns-persist-01"), "dns-persist-01");
        assert_eq!(label("dns-email-00"), "ca-dns-email-00");
        assert_eq!(label("tls-sni-01"), "ca-tls-sni-01");
    }
}
