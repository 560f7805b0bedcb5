//! Orders (RFC 8555 §7.1.3, §7.1.6, §7.4).

use std::collections::HashSet;

use futures_util::future::join_all;
use pkix::{key::KeyPair, name::GeneralName};
use serde_json::{Value, json};

use crate::{
    World, craft, ensure,
    test::Outcome,
    world::{Order, find_challenge, poll},
};

crate::tests! {
    "8555-7.4-1", "0.1-3" => a_new_order_is_complete;
    "8555-7.4-2" => identifiers_that_are_no_list_of_types_and_values_are_malformed;
    "8555-7.4-3" => an_unknown_identifier_type_is_unsupported;
    "8555-7.4-3", "8555-7.1.3-1" => names_outside_the_grammar_are_refused;
    "8555-7.1.3-1" => names_are_the_same_in_upper_case;
    "8555-7.1.3-1" => a_valid_a_label_is_taken;
    "8555-7.1.3-2" => a_wildcard_in_any_other_place_is_refused;
    "8555-7.1.3-2", "8555-7.1.3-5", "8737-5-1" => a_wildcard_authorization_says_so_and_is_for_dns_only;
    "8555-7.1.3-3" => other_authorizations_have_no_member_wildcard;
    "8555-7.1.3-4" => a_name_and_its_wildcard_are_proved_at_once;
    "8555-7.1.3-5" => a_proved_name_does_not_make_its_wildcard_ready;
    "8555-7.1.3-6" => duplicates_are_collapsed_or_refused;
    "8555-7.1.3-6", "8555-7.1.6-1" => an_order_takes_its_course_and_its_arrays_stay;
    "8555-7.1.3-8" => a_second_order_lists_its_authorizations_too;
    "8555-7.1.6-2" => a_deactivated_authorization_makes_a_pending_order_invalid;
    "8555-7.1.6-2", "8555-7.5.2-1" => a_deactivated_authorization_makes_a_ready_order_invalid;
    "8555-7.1.6-2" => a_failed_authorization_makes_the_order_invalid;
    "8555-7.4-6" => finalize_of_a_pending_order_is_refused;
    "8555-7.4-6", "0.1-5" => the_same_csr_again_gets_the_order_and_another_is_refused;
    "8555-7.4-6" => finalize_of_an_invalid_order_is_refused;
    "8555-7.4-11", "0.1-3", "0.1-4" => finalize_answers_with_the_valid_order_and_its_location;
    "8555-7.4-14" => parallel_finalizes_give_one_certificate;
    "8555-7.4-17" => an_order_does_not_outlive_its_authorizations;
}

async fn a_new_order_is_complete(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("order");
    let request = json!({
        "identifiers": [{ "type": "dns", "value": name }], "csr": "MAA", "status": "valid", "x-unknown": 1,
    });
    let answer = world
        .post(&account, &world.resource("newOrder")?, &request)
        .await?
        .expect(201)?;
    let url = answer.location()?;
    let order = answer.json()?;
    ensure!(order["status"] == "pending", "a new order is {order}");
    ensure!(
        order["identifiers"] == request["identifiers"],
        "the identifiers are {}",
        order["identifiers"]
    );
    ensure!(
        order["expires"].as_str().is_some_and(|at| at.ends_with('Z')),
        "expires is {}",
        order["expires"]
    );
    ensure!(
        order["authorizations"].as_array().is_some_and(|urls| urls.len() == 1),
        "the order is {order}"
    );
    ensure!(order["finalize"].is_string(), "the order is {order}");
    for member in ["csr", "x-unknown", "certificate", "error"] {
        ensure!(order.get(member).is_none(), "{member} is in a new order: {order}");
    }
    let read = world.read(&account, &url).await?.expect(200)?;
    ensure!(
        read.json()? == order,
        "read, the order is {}, not {order}",
        read.excerpt()
    );
    ensure!(read.location()? == url, "Location of the order is {}", read.location()?);
    Ok(())
}

async fn identifiers_that_are_no_list_of_types_and_values_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("list");
    for identifiers in [
        Value::Null,
        json!([]),
        json!({}),
        json!(name),
        json!([name]),
        json!([{}]),
        json!([{ "type": "dns" }]),
        json!([{ "value": name }]),
        json!([{ "type": "dns", "value": 1 }]),
        json!([{ "type": 1, "value": name }]),
        json!([{ "type": "dns", "value": [name] }]),
        json!([{ "type": "dns", "value": name }, null]),
    ] {
        let request = json!({ "identifiers": identifiers });
        let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
        answer.refused(&["malformed"])?;
    }
    let answer = world.post(&account, &world.resource("newOrder")?, &json!({})).await?;
    answer.refused(&["malformed"]).map(drop)
}

async fn refused_name(world: &World, kind: &str, value: &str, kinds: &[&str]) -> Outcome {
    let account = world.account().await?;
    let request = json!({ "identifiers": [{ "type": kind, "value": value }] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    ensure!(!answer.is_success(), "the {kind} identifier {value:?} is ordered");
    answer.refused(kinds).map(drop)
}

async fn an_unknown_identifier_type_is_unsupported(world: &World) -> Outcome {
    for kind in ["x-unknown", "DNS", ""] {
        refused_name(world, kind, "www.example.org", &["unsupportedIdentifier"]).await?;
    }
    Ok(())
}

async fn names_outside_the_grammar_are_refused(world: &World) -> Outcome {
    let domain = &world.options.domain;
    let long_label = format!("{}.{domain}", "a".repeat(64));
    let long_name = format!("{}{domain}", "abcdefg.".repeat(32));
    for name in [
        "",
        ".",
        "a..example.org",
        ".example.org",
        "example.org.",
        "under_score.example.org",
        "-a.example.org",
        "a-.example.org",
        "b\u{fc}cher.example.org",
        "xn--0.example.org",
        "xn--a-\u{fc}.example.org",
        "192.0.2.1",
        "2001:db8::1",
        "www.example.org:443",
        "https://www.example.org",
        "a b.example.org",
        "a\0.example.org",
        "a,b.example.org",
        "a\nb.example.org",
        &long_label,
        &long_name,
    ] {
        refused_name(world, "dns", name, &["malformed", "rejectedIdentifier"]).await?;
    }
    Ok(())
}

async fn names_are_the_same_in_upper_case(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("case");
    let order = world.order(&account, &[&name.to_ascii_uppercase()]).await?;
    let authorizations = order.authorizations();
    let object = world.read_json(&account, &authorizations[0]).await?;
    ensure!(
        object["identifier"]["value"] == name.as_str(),
        "the authorization is for {}",
        object["identifier"]
    );
    let order = world.make_ready(&account, order).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, &[&name.replace("case", "CaSe")]);
    let issued = world.complete(&account, order, key, csr).await?;
    let certificate = pkix::certificate::Certificate::parse(&issued.chain[0])?;
    let names = certificate.names();
    let same = matches!(names, [GeneralName::Dns(only)] if only.eq_ignore_ascii_case(&name));
    ensure!(same, "the certificate has the names {names:?}");
    Ok(())
}

async fn a_valid_a_label_is_taken(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = format!("xn--bcher-kva.{}", world.name("idn"));
    world.issue(&account, &[&name]).await.map(drop)
}

async fn a_wildcard_in_any_other_place_is_refused(world: &World) -> Outcome {
    let domain = &world.options.domain;
    for name in [
        format!("a.*.{domain}"),
        format!("**.{domain}"),
        format!("*.*.{domain}"),
        format!("a*.{domain}"),
        format!("*a.{domain}"),
        "*".into(),
        "*.".into(),
    ] {
        refused_name(world, "dns", &name, &["malformed", "rejectedIdentifier"]).await?;
    }
    Ok(())
}

async fn a_wildcard_authorization_says_so_and_is_for_dns_only(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("wild");
    let order = world.order(&account, &[&format!("*.{name}")]).await?;
    let object = world.read_json(&account, &order.authorizations()[0]).await?;
    ensure!(
        object["identifier"]["value"] == name.as_str(),
        "the identifier is {}",
        object["identifier"]
    );
    ensure!(
        object["wildcard"] == true,
        "the authorization does not say wildcard: {object}"
    );
    ensure!(
        find_challenge(&object, "dns-01").is_some(),
        "dns-01 is not offered: {object}"
    );
    for kind in ["http-01", "tls-alpn-01"] {
        ensure!(
            find_challenge(&object, kind).is_none(),
            "{kind} is offered for a wildcard: {object}"
        );
    }
    Ok(())
}

async fn other_authorizations_have_no_member_wildcard(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world.order(&account, &[&world.name("plain")]).await?;
    let object = world.read_json(&account, &order.authorizations()[0]).await?;
    ensure!(object.get("wildcard").is_none(), "wildcard is {}", object["wildcard"]);
    Ok(())
}

async fn a_name_and_its_wildcard_are_proved_at_once(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("both");
    let names = [name.as_str(), &format!("*.{name}")];
    let order = world.order(&account, &names).await?;
    let authorizations = order.authorizations();
    ensure!(authorizations.len() == 2, "the order is {}", order.body);
    let mut challenges = Vec::new();
    for authorization in &authorizations {
        let challenge = world.challenge(&account, authorization, "dns-01").await?;
        ensure!(challenge.value == name, "an authorization is for {:?}", challenge.value);
        world.provision_dns(&account, &challenge).await?;
        challenges.push(challenge);
    }
    for object in join_all(challenges.iter().map(|challenge| world.conclude(&account, challenge))).await {
        let object = object?;
        ensure!(
            object["status"] == "valid",
            "with two TXT records the authorization is {object}"
        );
    }
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, &names);
    world.complete(&account, order, key, csr).await.map(drop)
}

async fn a_proved_name_does_not_make_its_wildcard_ready(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("base");
    world.ready(&account, &[&name]).await?;
    let order = world.order(&account, &[&format!("*.{name}")]).await?;
    ensure!(
        order.status() == "pending",
        "the order for the wildcard is {}",
        order.body
    );
    Ok(())
}

async fn duplicates_are_collapsed_or_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("twice");
    let one = json!({ "type": "dns", "value": name });
    let other = json!({ "type": "dns", "value": name.to_ascii_uppercase() });
    let request = json!({ "identifiers": [one, one, other] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    if !answer.is_success() {
        return answer.refused(&["malformed", "rejectedIdentifier"]).map(drop);
    }
    let order = answer.json()?;
    ensure!(
        order["identifiers"] == json!([one]),
        "the identifiers are {}",
        order["identifiers"]
    );
    ensure!(
        order["authorizations"].as_array().map(Vec::len) == Some(1),
        "the order is {order}"
    );
    Ok(())
}

async fn an_order_takes_its_course_and_its_arrays_stay(world: &World) -> Outcome {
    let account = world.account().await?;
    let names = [world.name("course"), world.name("course")];
    let names = [names[0].as_str(), names[1].as_str()];
    let order = world.order(&account, &names).await?;
    let authorizations = order.authorizations();
    world.prove(&account, &authorizations[0]).await?;
    let half = world.reread(&account, &order).await?;
    ensure!(
        half.status() == "pending",
        "with one of two authorizations the order is {}",
        half.body
    );
    let ready = world.make_ready(&account, half).await?;
    ensure!(
        ready.body.get("certificate").is_none(),
        "a ready order has a certificate: {}",
        ready.body
    );
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, &names);
    let issued = world.complete(&account, ready, key, csr).await?;
    for member in ["identifiers", "authorizations"] {
        // Their elements have no sequence.
        let sorted = |order: &Order| {
            let elements = order.body[member].as_array().into_iter().flatten();
            let mut elements: Vec<_> = elements.map(Value::to_string).collect();
            elements.sort();
            elements
        };
        let (before, after) = (sorted(&order), sorted(&issued.order));
        ensure!(before == after, "{member} were {before:?} and are {after:?}");
    }
    ensure!(
        order.finalize()? == issued.order.finalize()?,
        "finalize is {}",
        issued.order.finalize()?
    );
    Ok(())
}

async fn a_second_order_lists_its_authorizations_too(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("again");
    world.ready(&account, &[&name]).await?;
    let order = world.order(&account, &[&name]).await?;
    ensure!(order.authorizations().len() == 1, "the second order is {}", order.body);
    let object = world.read_json(&account, &order.authorizations()[0]).await?;
    let expected = if object["status"] == "valid" {
        "ready"
    } else {
        "pending"
    };
    ensure!(order.status() == expected, "with {object} the order is {}", order.body);
    Ok(())
}

async fn invalid_with_error(order: &Value) -> Outcome {
    ensure!(order["status"] == "invalid", "the order is {order}");
    ensure!(
        order["error"]["type"].is_string(),
        "an invalid order does not say why: {order}"
    );
    Ok(())
}

async fn a_deactivated_authorization_makes_a_pending_order_invalid(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world
        .order(&account, &[&world.name("given-up"), &world.name("given-up")])
        .await?;
    let answer = world
        .post(
            &account,
            &order.authorizations()[1],
            &json!({ "status": "deactivated" }),
        )
        .await?;
    ensure!(
        answer.json()?["status"] == "deactivated",
        "the authorization is {}",
        answer.excerpt()
    );
    invalid_with_error(&world.reread(&account, &order).await?.body).await
}

async fn a_deactivated_authorization_makes_a_ready_order_invalid(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("given-up");
    let order = world.ready(&account, &[&name]).await?;
    let answer = world
        .post(
            &account,
            &order.authorizations()[0],
            &json!({ "status": "deactivated" }),
        )
        .await?;
    ensure!(
        answer.expect(200)?.json()?["status"] == "deactivated",
        "the authorization is not deactivated"
    );
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    world
        .finalize(&account, &order, &csr)
        .await?
        .refused(&["orderNotReady"])?;
    invalid_with_error(&world.reread(&account, &order).await?.body).await
}

async fn a_failed_authorization_makes_the_order_invalid(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, challenge) = world.challenged(&account, "http-01").await?;
    world
        .http()?
        .serve(&challenge.path(), crate::responder::Page::ok("something else"));
    world.conclude(&account, &challenge).await?;
    let read = async || world.reread(&account, &order).await;
    invalid_with_error(&poll(read, |order| order.status() != "pending").await?.body).await
}

async fn finalize_of_a_pending_order_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("early");
    let order = world.order(&account, &[&name]).await?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    world
        .finalize(&account, &order, &csr)
        .await?
        .refused_with(403, &["orderNotReady"])?;
    let order = world.reread(&account, &order).await?;
    ensure!(
        order.status() == "pending",
        "after an early finalize the order is {}",
        order.body
    );
    Ok(())
}

async fn the_same_csr_again_gets_the_order_and_another_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("again");
    let issued = world.issue(&account, &[&name]).await?;
    let again = world
        .finalize(&account, &issued.order, &issued.csr)
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        again["certificate"] == issued.url.as_str(),
        "the same CSR again gets {again}"
    );
    let other = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    let answer = world.finalize(&account, &issued.order, &other).await?;
    answer.refused_with(403, &["orderNotReady"]).map(drop)
}

async fn finalize_of_an_invalid_order_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("invalid");
    let order = world.order(&account, &[&name]).await?;
    world
        .post(
            &account,
            &order.authorizations()[0],
            &json!({ "status": "deactivated" }),
        )
        .await?
        .expect(200)?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    world
        .finalize(&account, &order, &csr)
        .await?
        .refused_with(403, &["orderNotReady"])
        .map(drop)
}

async fn finalize_answers_with_the_valid_order_and_its_location(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("quick");
    let order = world.ready(&account, &[&name]).await?;
    let csr = craft::csr_for(&KeyPair::generate_p256(), &[&name]);
    let answer = world.finalize(&account, &order, &csr).await?.expect(200)?;
    ensure!(
        answer.location().is_ok_and(|url| url == order.url),
        "finalize answers without the order's Location"
    );
    let object = answer.json()?;
    ensure!(object["status"] == "valid", "finalize answers with {object}");
    ensure!(object["certificate"].is_string(), "finalize answers with {object}");
    Ok(())
}

async fn parallel_finalizes_give_one_certificate(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("parallel");
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    // ECDSA signatures differ, and so each is another CSR.
    let csrs: Vec<_> = (0..16).map(|_| craft::csr_for(&key, &[&name])).collect();
    let answers = join_all(csrs.iter().map(|csr| world.finalize(&account, &order, csr))).await;
    let mut taken = 0;
    for answer in answers {
        let answer = answer?;
        if answer.is_success() {
            taken += 1;
        } else {
            answer.refused(&["orderNotReady"])?;
        }
    }
    ensure!(taken == 1, "{taken} of 16 different CSRs were taken");
    let read = async || world.reread(&account, &order).await;
    let order = poll(read, |order| order.status() == "valid").await?;
    ensure!(order.status() == "valid", "the order is {}", order.body);

    let name = world.name("parallel");
    let order = world.ready(&account, &[&name]).await?;
    let csr = craft::csr_for(&key, &[&name]);
    let answers = join_all((0..16).map(|_| world.finalize(&account, &order, &csr))).await;
    let mut certificates = HashSet::new();
    for answer in answers {
        let order = answer?.expect(200)?.json()?;
        certificates.extend(order["certificate"].as_str().map(str::to_owned));
    }
    ensure!(
        certificates.len() <= 1,
        "one order has the certificates {certificates:?}"
    );
    Ok(())
}

async fn an_order_does_not_outlive_its_authorizations(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world
        .order(&account, &[&world.name("expiry"), &world.name("expiry")])
        .await?;
    let expires = |object: &Value| {
        object["expires"]
            .as_str()
            .map(|at| at.get(..19).unwrap_or(at).to_owned())
    };
    for authorization in order.authorizations() {
        let object = world.read_json(&account, &authorization).await?;
        if let Some(until) = expires(&object) {
            let order = expires(&order.body).unwrap_or_default();
            ensure!(
                order <= until,
                "the order expires at {order}, its authorization at {until}"
            );
        }
    }
    Ok(())
}
