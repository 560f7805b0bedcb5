//! The environment variables that Pebble reads. A value that cannot be meant counts as absent, as it does there.

use std::env;

/// How the server behaves in a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// A validation begins up to this many seconds late.
    pub sleep: Option<u64>,
    /// Nothing is validated, and everything is valid.
    pub always_valid: bool,
    /// How many good nonces of a hundred are refused.
    pub nonce_reject: u8,
    /// How many times of a hundred a valid authorization is used again.
    pub authorization_reuse: u8,
    pub orders_per_page: usize,
    /// Beside the first.
    pub alternate_roots: usize,
    /// Intermediates in a chain.
    pub chain_length: usize,
}

impl Behaviour {
    pub fn of_environment() -> Self {
        Self::read(|name| env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| variable(name).and_then(|value| value.parse::<i64>().ok());
        let percent = |name: &str| number(name).map(|value| value.clamp(0, 100) as u8);
        let is_set = |name: &str| {
            let value = variable(name).unwrap_or_default();
            ["1", "true", "True", "TRUE"].contains(&value.as_str())
        };
        let sleep = number("PEBBLE_VA_SLEEPTIME")
            .filter(|seconds| *seconds >= 1)
            .unwrap_or(SLEEP);
        let reuse = percent("PEBBLE_AUTHZREUSE").or_else(|| percent("PEBBLE_WFE_AUTHZREUSE"));
        let count = |name: &str, least: i64, most: i64| {
            number(name)
                .filter(|value| *value >= least)
                .map(|value| value.min(most) as usize)
        };
        Self {
            sleep: (!is_set("PEBBLE_VA_NOSLEEP")).then_some(sleep.min(LONGEST_SLEEP) as u64),
            always_valid: is_set("PEBBLE_VA_ALWAYS_VALID"),
            nonce_reject: percent("PEBBLE_WFE_NONCEREJECT").map_or(NONCE_REJECT, |percent| percent.min(99)),
            authorization_reuse: reuse.unwrap_or(AUTHORIZATION_REUSE),
            orders_per_page: count("PEBBLE_WFE_ORDERS_PER_PAGE", 1, 1000).unwrap_or(ORDERS_PER_PAGE),
            alternate_roots: count("PEBBLE_ALTERNATE_ROOTS", 0, 100).unwrap_or(0),
            chain_length: count("PEBBLE_CHAIN_LENGTH", 0, 20).map_or(1, |length| length.max(1)),
        }
    }
}

const SLEEP: i64 = 5;
/// A validation must end while its lease lasts.
const LONGEST_SLEEP: i64 = 300;
const NONCE_REJECT: u8 = 5;
const AUTHORIZATION_REUSE: u8 = 50;
const ORDERS_PER_PAGE: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Behaviour {
        Behaviour::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_it_behaves_as_pebble_does() {
        let expected = Behaviour {
            sleep: Some(5),
            always_valid: false,
            nonce_reject: 5,
            authorization_reuse: 50,
            orders_per_page: 3,
            alternate_roots: 0,
            chain_length: 1,
        };
        assert_eq!(read(&[]), expected);
        let unreadable = [
            ("PEBBLE_VA_SLEEPTIME", "soon"),
            ("PEBBLE_WFE_NONCEREJECT", "few"),
            ("PEBBLE_WFE_ORDERS_PER_PAGE", "0"),
            ("PEBBLE_ALTERNATE_ROOTS", "-1"),
            ("PEBBLE_CHAIN_LENGTH", "0"),
        ];
        assert_eq!(read(&unreadable), expected);
    }

    #[test]
    fn each_variable_changes_what_it_is_named_for() {
        assert_eq!(
            read(&[("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_VA_SLEEPTIME", "9")]).sleep,
            None
        );
        assert_eq!(read(&[("PEBBLE_VA_SLEEPTIME", "9")]).sleep, Some(9));
        assert!(read(&[("PEBBLE_VA_ALWAYS_VALID", "1")]).always_valid);
        assert_eq!(read(&[("PEBBLE_WFE_NONCEREJECT", "0")]).nonce_reject, 0);
        assert_eq!(read(&[("PEBBLE_WFE_NONCEREJECT", "250")]).nonce_reject, 99);
        assert_eq!(read(&[("PEBBLE_AUTHZREUSE", "100")]).authorization_reuse, 100);
        assert_eq!(read(&[("PEBBLE_WFE_AUTHZREUSE", "0")]).authorization_reuse, 0);
        assert_eq!(read(&[("PEBBLE_WFE_ORDERS_PER_PAGE", "15")]).orders_per_page, 15);
        assert_eq!(read(&[("PEBBLE_ALTERNATE_ROOTS", "2")]).alternate_roots, 2);
        assert_eq!(read(&[("PEBBLE_CHAIN_LENGTH", "3")]).chain_length, 3);
    }
}
