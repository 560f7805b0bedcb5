//! The identifiers of an order: names and wildcards (RFC 8555 §7.1.3, §7.4).

use futures_util::future::join_all;
use pkix::{key::KeyPair, name::GeneralName};
use serde_json::json;

use crate::{World, craft, ensure, test::Outcome, world::find_challenge};

crate::tests! {
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
