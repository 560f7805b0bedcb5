//! DMARC records (RFC 7489 §6.3, RFC 9989 §4.7).

/// What a domain wants and how exactly its name must be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub policy: Policy,
    /// `sp`
    pub subdomain_policy: Policy,
    /// `adkim`
    pub dkim: Alignment,
    /// `aspf`
    pub spf: Alignment,
    /// `psd`
    pub public_suffix: PublicSuffix,
    /// `t=y`, or `pct=0` as it was said before: the next milder policy applies.
    pub is_testing: bool,
}

/// From mild to harsh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// The same organizational domain.
    Relaxed,
    /// The same domain.
    Strict,
}

/// Whether the record's domain is one below which others register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicSuffix {
    Yes,
    No,
    Unsaid,
}

impl Record {
    /// `None` for a text that is no DMARC record. What is unknown or broken in one is passed over (RFC 7489 §6.3).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_RECORD {
            return None;
        }
        let mut tags = text.split(';').map(|piece| piece.split_once('='));
        let (name, version) = tags.next()??;
        if name.trim() != "v" || version.trim() != "DMARC1" {
            return None;
        }
        let tags: Vec<(&str, String)> = tags
            .flatten()
            .map(|(name, value)| (name.trim(), value.trim().to_ascii_lowercase()))
            .collect();
        let value = |wanted: &str| {
            let found = tags.iter().find(|(name, _)| *name == wanted);
            found.map_or("", |(_, value)| value.as_str())
        };
        let policy = Policy::named(value("p")).unwrap_or(Policy::None);
        Some(Self {
            policy,
            subdomain_policy: Policy::named(value("sp")).unwrap_or(policy),
            dkim: Alignment::named(value("adkim")),
            spf: Alignment::named(value("aspf")),
            public_suffix: match value("psd") {
                "y" => PublicSuffix::Yes,
                "n" => PublicSuffix::No,
                _ => PublicSuffix::Unsaid,
            },
            is_testing: value("t") == "y" || value("pct") == "0",
        })
    }
}

impl Policy {
    fn named(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "quarantine" => Some(Self::Quarantine),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }

    pub(super) fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl Alignment {
    fn named(text: &str) -> Self {
        if text == "s" { Self::Strict } else { Self::Relaxed }
    }
}

const MAX_RECORD: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_what_is_broken_in_it_is_passed_over() {
        let record =
            Record::parse("v=DMARC1; p=Reject; sp=quarantine; adkim=s; aspf=r; psd=n; t=y; rua=mailto:a@b; ;x;=")
                .unwrap();
        assert_eq!(
            (record.policy, record.subdomain_policy),
            (Policy::Reject, Policy::Quarantine)
        );
        assert_eq!((record.dkim, record.spf), (Alignment::Strict, Alignment::Relaxed));
        assert!(record.public_suffix == PublicSuffix::No && record.is_testing);
        let record = Record::parse("v = DMARC1 ;p=quarantine").unwrap();
        assert_eq!(
            (record.subdomain_policy, record.is_testing),
            (Policy::Quarantine, false)
        );
        assert_eq!(Record::parse("v=DMARC1; p=all").unwrap().policy, Policy::None);
        for text in [
            "",
            "p=none; v=DMARC1",
            "v=DMARC2; p=none",
            "v=dmarc1; p=none",
            "v=spf1 -all",
            "DMARC1",
        ] {
            assert_eq!(Record::parse(text), None, "{text}");
        }
    }
}
