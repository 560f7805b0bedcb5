//! Whether what is published is the proof, and if not, what it is instead.

use acme::{KeyAuthorization, ProblemType};
use validation::{attempt::Failure, excerpt};

use super::probe::Published;
use crate::{
    service::ServicePort,
    value::{Bound, CAPABILITY, in_greeting},
};

/// A proof that says for which service it is.
pub fn bound(
    published: &Published,
    method: Bound,
    key_authorization: &KeyAuthorization,
    at: ServicePort,
    places: &[ServicePort],
) -> Result<(), String> {
    let expected = method.value(key_authorization, at);
    if published.values.iter().any(|value| value == expected.as_bytes()) {
        return Ok(());
    }
    if published.in_clear.iter().any(|value| value == expected.as_bytes()) {
        return Err(format!(
            "the value is listed in the clear, and not under TLS, where it counts; list {CAPABILITY} in both"
        ));
    }
    let others = places.iter().filter(|other| **other != at);
    for other in others {
        let of_other = method.value(key_authorization, *other);
        if published.values.iter().any(|value| value == of_other.as_bytes()) {
            return Err(format!(
                "the word it shows is the one for {other}; publish {} for {at}",
                in_greeting(&expected)
            ));
        }
    }
    Err(unproven(&published.values, &expected, &in_greeting(&expected)))
}

/// The draft's: the digest as in `dns-01`, with the padding that its registration counts, or without.
pub fn drafted(published: &Published, key_authorization: &KeyAuthorization) -> Result<(), String> {
    let expected = key_authorization.dns_value();
    let is_it = |value: &Vec<u8>| value.strip_suffix(b"=").unwrap_or(value) == expected.as_bytes();
    if published.drafted.iter().any(is_it) {
        return Ok(());
    }
    if published.drafted_in_clear.iter().any(is_it) {
        return Err("the capability is listed in the clear, and not under TLS, where it counts".to_owned());
    }
    Err(unproven(
        &published.drafted,
        &expected,
        &format!("ACME with {expected}"),
    ))
}

fn unproven(values: &[Vec<u8>], expected: &str, publish: &str) -> String {
    let Some(first) = values.first() else {
        return format!("neither greeting nor capabilities have the word; publish {publish}");
    };
    if values
        .iter()
        .any(|value| value.eq_ignore_ascii_case(expected.as_bytes()))
    {
        return format!("the value is there with another letter case, and its case matters; publish {publish}");
    }
    let seen = excerpt::quoted(first, SHOWN);
    format!(
        "the value it shows, {seen}, is none of this challenge's: reload the server's configuration? Publish {publish}"
    )
}

/// As the verdict about a service.
pub fn failure(whose: &str, why: String) -> Failure {
    Failure::lasting(ProblemType::IncorrectResponse, format!("{whose}: {why}."))
}

/// An escaped octet has four characters at the most: 30 are 120.
const SHOWN: usize = 30;
