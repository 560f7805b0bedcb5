//! The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).

use std::fmt;

/// An asymmetric signature algorithm, as `alg` names it.
///
/// `none` and the MACs are not here, so that nothing can be verified with them (RFC 8555 §6.2, RFC 8725 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    Rs256,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// All of them, in the order of the documents: the `algorithms` member of RFC 8555 §6.2.
    pub const ALL: [Algorithm; 4] = [Self::Rs256, Self::Es256, Self::Es384, Self::EdDsa];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with exactly this name; names are case-sensitive (RFC 7515 §4.1.1).
    #[expect(
        clippy::should_implement_trait,
        reason = "there is nothing to say about a name that is not known"
    )]
    pub fn from_str(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_they_are_written() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_str(algorithm.as_str()), Some(algorithm));
        }
    }

    // 8555-6.2-5
    #[test]
    fn none_macs_and_other_spellings_are_not_algorithms() {
        for name in [
            "none", "None", "HS256", "HS384", "HS512", "es256", "ES256 ", "RS1", "ES256K", "ES512", "PS256", "EdDSA\0",
            "",
        ] {
            assert_eq!(Algorithm::from_str(name), None, "{name}");
        }
    }
}
