//! Problem documents (RFC 8555 §6.7).

use acme::ProblemType;
use serde_json::{Value, json};

use crate::{World, answer::NAMESPACE, ensure, not_applicable, test::Outcome};

crate::tests! {
    "8555-6.7-1" => every_error_was_a_problem_document, last;
    "8555-6.7-2" => every_problem_type_was_a_registered_one, last;
    "8555-6.7-5" => no_problem_named_an_identifier_at_its_top, last;
    "8555-6.7-4", "8555-6.7-5" => several_bad_identifiers_are_named_in_subproblems;
    "8555-6.7-4" => every_subproblem_is_a_problem;
    "8555-6.6-1" => every_refusal_over_a_limit_said_until_when, last;
    "0.1-8" => every_retry_after_was_a_number_of_seconds, last;
    "T31" => nothing_was_answered_with_a_server_error, last;
}

/// The problem documents among all answers.
fn problems(world: &World) -> Vec<(String, Value)> {
    let heard = world.speaker.heard();
    let errors = heard
        .iter()
        .filter(|heard| heard.answer.content_type() == acme::PROBLEM_JSON);
    errors
        .filter_map(|heard| Some((heard.answer.url.clone(), heard.answer.json().ok()?)))
        .collect()
}

async fn every_error_was_a_problem_document(world: &World) -> Outcome {
    let heard = world.speaker.heard();
    // An answer to HEAD has no body.
    let errors = heard
        .iter()
        .filter(|heard| heard.answer.status >= 400 && heard.method != http::Method::HEAD);
    for heard in errors {
        heard.answer.problem()?;
    }
    Ok(())
}

async fn every_problem_type_was_a_registered_one(world: &World) -> Outcome {
    for (url, problem) in problems(world) {
        let mut types = vec![problem["type"].clone()];
        for sub in problem["subproblems"].as_array().cloned().unwrap_or_default() {
            types.push(sub["type"].clone());
        }
        for kind in types {
            let kind = kind.as_str().unwrap_or_default();
            let registered = ProblemType::REGISTERED.contains(&ProblemType::from_uri(kind));
            ensure!(
                !kind.starts_with(NAMESPACE) || registered,
                "{url}: {kind} is not registered"
            );
        }
    }
    Ok(())
}

async fn no_problem_named_an_identifier_at_its_top(world: &World) -> Outcome {
    for (url, problem) in problems(world) {
        ensure!(problem.get("identifier").is_none(), "{url}: {problem}");
    }
    Ok(())
}

async fn several_bad_identifiers_are_named_in_subproblems(world: &World) -> Outcome {
    let account = world.account().await?;
    let (one, other) = ("bad_name.example", "also..bad.example");
    let names = [one.into(), world.name("good"), other.into(), world.name("good")];
    let identifiers: Vec<_> = names
        .iter()
        .map(|name| json!({ "type": "dns", "value": name }))
        .collect();
    let request = json!({ "identifiers": identifiers });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    let problem = answer.refused(&["malformed", "rejectedIdentifier", "compound"])?;
    ensure!(
        problem.get("identifier").is_none(),
        "an identifier at the top: {problem}"
    );
    let named: Vec<_> = problem["subproblems"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|sub| sub["identifier"]["value"].clone())
        .collect();
    ensure!(
        named == [json!(one), json!(other)],
        "the subproblems name {named:?}: {problem}"
    );
    Ok(())
}

async fn every_subproblem_is_a_problem(world: &World) -> Outcome {
    let account = world.account().await?;
    // Of different types, so that none stands for all.
    let bad = [
        json!({ "type": "dns", "value": "bad_name.example" }),
        json!({ "type": "x-unknown", "value": "a" }),
    ];
    let good = json!({ "type": "dns", "value": world.name("good") });
    let request = json!({ "identifiers": [bad[0], good, bad[1]] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    let problem = answer.refused(&["malformed", "rejectedIdentifier", "compound", "unsupportedIdentifier"])?;
    let subproblems = problem["subproblems"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = subproblems.iter().map(|sub| sub["identifier"].clone()).collect();
    ensure!(named == bad, "the subproblems name {named:?}: {problem}");
    for sub in &subproblems {
        let said = |member: &str| sub[member].as_str().is_some_and(|text| !text.is_empty());
        ensure!(said("type") && said("detail"), "a subproblem is {sub}");
    }
    ensure!(
        subproblems[1]["type"] == format!("{NAMESPACE}unsupportedIdentifier"),
        "an unknown type of identifier is {}",
        subproblems[1]
    );
    Ok(())
}

async fn every_refusal_over_a_limit_said_until_when(world: &World) -> Outcome {
    let mut seen = 0;
    for heard in world.speaker.heard() {
        let answer = &heard.answer;
        if answer.kind() == "rateLimited" {
            answer.refused_with(429, &["rateLimited"])?;
            let after = answer.header("retry-after");
            ensure!(after.is_some(), "{}: rateLimited without Retry-After", answer.url);
            seen += 1;
        }
    }
    if seen == 0 {
        not_applicable!("nothing was over a limit");
    }
    Ok(())
}

async fn every_retry_after_was_a_number_of_seconds(world: &World) -> Outcome {
    for heard in world.speaker.heard() {
        if let Some(value) = heard.answer.header("retry-after") {
            ensure!(
                value.parse::<u32>().is_ok(),
                "{}: Retry-After is {value:?}",
                heard.answer.url
            );
        }
    }
    Ok(())
}

async fn nothing_was_answered_with_a_server_error(world: &World) -> Outcome {
    for heard in world.speaker.heard() {
        let answer = &heard.answer;
        ensure!(
            answer.status < 500,
            "{} {}: {} {}",
            heard.method,
            answer.url,
            answer.status,
            answer.excerpt()
        );
    }
    Ok(())
}
