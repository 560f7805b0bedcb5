//! Reading what a server sent, tolerant where it does no harm (RFC 8555 §7.1).
//!
//! Objects with members of a wrong type inside `error` are still read, since what they are about matters more than
//! how badly the reason was written.

use acme::{Authorization, Order, Problem, ProblemType};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::challenge::Challenge;

/// An authorization whose challenges are kept even where they are unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AuthorizationRead {
    pub(crate) object: Authorization,
    pub(crate) challenges: Vec<Challenge>,
}

pub(crate) fn order(body: &[u8]) -> Result<Order, String> {
    let mut value: Value = parse(body)?;
    mend_error(&mut value);
    typed(value)
}

pub(crate) fn authorization(body: &[u8]) -> Result<AuthorizationRead, String> {
    let mut value: Value = parse(body)?;
    let challenges = match value.get_mut("challenges").map(Value::take) {
        Some(Value::Array(challenges)) => challenges.into_iter().map(Challenge::read).collect(),
        _ => Vec::new(),
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("challenges".to_owned(), Value::Array(Vec::new()));
        if members.get("wildcard").is_some_and(|wildcard| !wildcard.is_boolean()) {
            members.remove("wildcard");
        }
    }
    Ok(AuthorizationRead {
        object: typed(value)?,
        challenges,
    })
}

pub(crate) fn challenge(mut value: Value) -> Option<acme::Challenge> {
    mend_error(&mut value);
    typed(value).ok()
}

/// Any other object.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    typed(parse(body)?)
}

/// A problem document, or nothing if the body is something else (an HTML page of a proxy, say).
pub(crate) fn problem(body: &[u8]) -> Option<Problem> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let has_a_reason = ["type", "detail", "title"]
        .iter()
        .any(|member| value.get(member).is_some_and(Value::is_string));
    has_a_reason.then(|| problem_of(value))
}

fn problem_of(value: Value) -> Problem {
    if let Ok(mut problem) = serde_json::from_value::<Problem>(value.clone()) {
        if problem.detail.is_empty() {
            problem.detail = text(&value, "title").unwrap_or_default();
        }
        return problem;
    }
    // Some member has a wrong type: keep what can be understood.
    let kind = text(&value, "type").map_or_else(ProblemType::default, |uri| ProblemType::from_uri(&uri));
    let mut problem = Problem::new(
        kind,
        text(&value, "detail")
            .or_else(|| text(&value, "title"))
            .unwrap_or_default(),
    );
    problem.instance = text(&value, "instance");
    if let Some(Value::Array(subproblems)) = value.get("subproblems") {
        problem.subproblems = subproblems
            .iter()
            .filter(|sub| sub.is_object())
            .cloned()
            .map(problem_of)
            .collect();
    }
    problem
}

fn mend_error(value: &mut Value) {
    let Some(error) = value.get_mut("error") else { return };
    *error = match error.take() {
        Value::Null => Value::Null,
        raw => serde_json::to_value(problem_of(raw)).unwrap_or(Value::Null),
    };
}

fn text(value: &Value, member: &str) -> Option<String> {
    value.get(member)?.as_str().map(str::to_owned)
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // 8555-6.7-3
    #[test]
    fn a_problem_of_an_unknown_type_or_with_odd_members_keeps_its_detail() {
        for body in [
            r#"{"type":"urn:example:new","detail":"why","status":"403","subproblems":{}}"#,
            r#"{"detail":"why"}"#,
            r#"{"title":"why","status":400}"#,
        ] {
            assert_eq!(problem(body.as_bytes()).unwrap().detail, "why", "{body}");
        }
        for body in ["<html>502</html>", "", "[]", "{}", "\"x\"", "null"] {
            assert_eq!(problem(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn an_authorization_with_strange_challenges_is_read() {
        let body = br#"{"identifier":{"type":"dns","value":"a.test"},"status":"pending","wildcard":null,
            "challenges":[{"type":"dns-persist-01","url":"u","status":"waiting"},7,
                          {"type":"http-01","url":"u","status":"pending","token":"abc","error":{"status":"x","detail":"d"}}]}"#;
        let read = authorization(body).unwrap();
        assert_eq!(read.challenges.len(), 3);
        assert_eq!(
            read.challenges
                .iter()
                .filter(|challenge| challenge.known().is_some())
                .count(),
            1
        );
    }
}
