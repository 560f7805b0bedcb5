//! Ancestors of a domain name, by whole labels (RFC 9444 §2, §7.2). Names are canonical: lower case, no final dot.

use std::iter::successors;

/// Whether `name` is a subdomain of `domain`; none is one of itself.
pub fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .and_then(|labels| labels.strip_suffix('.'))
        .is_some_and(|labels| !labels.is_empty())
        && !domain.is_empty()
}

pub fn is_at_or_below(name: &str, domain: &str) -> bool {
    name == domain || is_below(name, domain)
}

/// The domain itself, then each domain above it, the nearest first.
pub fn domains_above(domain: &str) -> impl Iterator<Item = &str> {
    successors(Some(domain), |below| below.split_once('.').map(|(_, above)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    // 9444-4.3-2
    #[test]
    fn an_ancestor_is_made_of_whole_labels_and_has_fewer_of_them() {
        for (name, domain) in [
            ("nnn.mmm.example.com", "mmm.example.com"),
            ("nnn.mmm.example.com", "example.com"),
            ("example.com", "com"),
        ] {
            assert!(is_below(name, domain), "{name} {domain}");
        }
        for (name, domain) in [
            ("nnn.mmm.example.com", "nnn.mmm.example.com"),
            ("ooo.example.com", "oo.example.com"),
            ("ooo.example.com", "o.example.com"),
            ("example.com", "www.example.com"),
            ("www.example.com", "example.org"),
            ("www.example.com", ".example.com"),
            ("www.example.com", "example.com."),
            ("www.example.com", "*.example.com"),
            ("www.example.com", ".com"),
            ("www.example.com", ""),
            ("www.example.com", "."),
        ] {
            assert!(!is_below(name, domain), "{name} {domain}");
        }
    }

    // 9444-4.3-1
    #[test]
    fn every_level_is_above_a_name_the_nearest_first() {
        let above: Vec<_> = domains_above("foo.bar.example.org").collect();
        assert_eq!(above, ["foo.bar.example.org", "bar.example.org", "example.org", "org"]);
    }
}
