//! Authorizations that cover a domain and everything below it (RFC 9444).

use pkix::{certificate::Certificate, key::KeyPair, name::GeneralName};
use serde_json::{Value, json};

use crate::{
    World,
    answer::Answer,
    craft, ensure, not_applicable,
    test::Outcome,
    world::{Account, Order, find_challenge},
};

crate::tests! {
    "9444-4.4-1" => the_directory_says_whether_it_authorizes_subdomains;
    "9444-4.1-1", "9444-4.2-1" => new_authz_covers_subdomains_only_if_it_was_asked_to_and_says_so;
    "9444-4.2-1" => what_was_authorized_ahead_counts_for_orders_below_it;
    "9444-4.3-1", "9444-4.1-1" => an_order_is_authorized_somewhere_from_its_name_up_to_the_ancestor;
    "9444-4.3-1", "9444-4.3-3" => names_below_one_ancestor_are_issued_as_they_were_ordered;
    "9444-4.3-2" => what_is_no_ancestor_by_whole_labels_is_malformed;
    "9444-4.3-3" => no_web_server_speaks_for_the_names_below_its_own;
    "9444-4.1-2" => wildcards_are_issued_under_what_says_wildcard;
    "9444-S-1" => a_public_suffix_is_no_ancestor;
}

fn offered(world: &World) -> Outcome {
    match &world.directory["meta"]["subdomainAuthAllowed"] {
        Value::Bool(true) => Ok(()),
        _ => not_applicable!("the directory does not say subdomainAuthAllowed"),
    }
}

fn below(name: &str, ancestor: &str) -> Value {
    json!({ "type": "dns", "value": name, "ancestorDomain": ancestor })
}

async fn ask_ahead(world: &World, account: &Account, name: &str, allowed: Value) -> Outcome<Answer> {
    let Some(url) = world.directory["newAuthz"].as_str() else {
        not_applicable!("newAuthz is not offered");
    };
    let request = json!({ "identifier": { "type": "dns", "value": name, "subdomainAuthAllowed": allowed } });
    world.post(account, url, &request).await
}

/// The only authorization of an order.
async fn only(world: &World, account: &Account, order: &Order) -> Outcome<Value> {
    let urls = order.authorizations();
    ensure!(
        urls.len() == 1,
        "the order has {} authorizations: {}",
        urls.len(),
        order.body
    );
    world.read_json(account, &urls[0]).await
}

/// From a ready order to a certificate for exactly these names.
async fn issue(world: &World, account: &Account, order: Order, names: &[&str]) -> Outcome {
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, names);
    let issued = world.complete(account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    let mut certified = certificate.names().to_vec();
    let mut expected: Vec<_> = names.iter().map(|name| GeneralName::Dns((*name).to_owned())).collect();
    certified.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    ensure!(
        certified == expected,
        "the certificate is for {certified:?}, not {names:?}"
    );
    Ok(())
}

async fn the_directory_says_whether_it_authorizes_subdomains(world: &World) -> Outcome {
    match &world.directory["meta"]["subdomainAuthAllowed"] {
        Value::Null => not_applicable!("the directory does not say subdomainAuthAllowed"),
        said => ensure!(said.is_boolean(), "subdomainAuthAllowed is {said}"),
    }
    Ok(())
}

async fn new_authz_covers_subdomains_only_if_it_was_asked_to_and_says_so(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    for (allowed, expected) in [(json!(true), true), (json!(false), false)] {
        let name = world.name("covers");
        let answer = ask_ahead(world, &account, &name, allowed).await?.expect(201)?;
        for object in [answer.json()?, world.read_json(&account, &answer.location()?).await?] {
            let said = object
                .get("subdomainAuthAllowed")
                .cloned()
                .unwrap_or(Value::Bool(false));
            ensure!(said == expected, "subdomainAuthAllowed is {said}: {object}");
            ensure!(
                object["identifier"] == json!({ "type": "dns", "value": name }),
                "the identifier is {}",
                object["identifier"]
            );
        }
    }
    ask_ahead(world, &account, &world.name("covers"), json!("yes"))
        .await?
        .refused(&["malformed"])?;
    Ok(())
}

async fn what_was_authorized_ahead_counts_for_orders_below_it(world: &World) -> Outcome {
    offered(world)?;
    let (account, stranger) = (world.account().await?, world.account().await?);
    let zone = world.name("ahead");
    let ahead = ask_ahead(world, &account, &zone, json!(true))
        .await?
        .expect(201)?
        .location()?;
    world.prove(&account, &ahead).await?;
    for label in ["sub1", "deep.sub2"] {
        let name = format!("{label}.{zone}");
        let order = world.order(&account, &[&name]).await?;
        ensure!(
            order.status() == "ready" && order.authorizations() == [ahead.clone()],
            "{zone} was authorized with all below it, and the order for {name} is {}",
            order.body
        );
        issue(world, &account, order, &[&name]).await?;
    }
    for (who, name) in [(&stranger, format!("sub3.{zone}")), (&account, format!("not{zone}"))] {
        let order = world.order(who, &[&name]).await?;
        ensure!(
            order.status() == "pending" && !order.authorizations().contains(&ahead),
            "{zone} was authorized for another account, and the order for {name} is {}",
            order.body
        );
    }
    Ok(())
}

async fn an_order_is_authorized_somewhere_from_its_name_up_to_the_ancestor(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    let zone = world.name("levels");
    let (middle, name) = (format!("mmm.{zone}"), format!("nnn.mmm.{zone}"));
    for (ancestor, levels) in [(&middle, &[&name, &middle][..]), (&zone, &[&name, &middle, &zone])] {
        let order = world
            .order_identifiers(&account, json!([below(&name, ancestor)]))
            .await?;
        let object = only(world, &account, &order).await?;
        let chosen = object["identifier"]["value"].as_str().unwrap_or_default();
        ensure!(
            levels.iter().any(|level| *level == chosen),
            "{ancestor} was named for {name}, and {chosen} is to be proved"
        );
        ensure!(
            chosen == name || object["subdomainAuthAllowed"] == true,
            "the authorization for {chosen} does not say that it covers {name}: {object}"
        );
    }
    Ok(())
}

async fn names_below_one_ancestor_are_issued_as_they_were_ordered(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    let zone = world.name("shared");
    let (one, other, apart) = (format!("one.{zone}"), format!("a.other.{zone}"), world.name("apart"));
    let identifiers = json!([below(&one, &zone), { "type": "dns", "value": apart }, below(&other, &zone)]);
    let order = world.order_identifiers(&account, identifiers).await?;
    let names = [one.as_str(), &apart, &other];
    let values = order.body["identifiers"].as_array().cloned().unwrap_or_default();
    let values: Vec<_> = values
        .iter()
        .filter_map(|identifier| identifier["value"].as_str())
        .collect();
    ensure!(values == names, "the order is for {values:?}");
    ensure!(
        order.authorizations().len() <= names.len(),
        "there are more authorizations than names: {}",
        order.body
    );
    let order = world.make_ready(&account, order).await?;
    // What was proved is not what was ordered.
    let surplus = craft::csr_for(&KeyPair::generate_p256(), &[&one, &apart, &other, &zone]);
    world.finalize(&account, &order, &surplus).await?.refused(&["badCSR"])?;
    issue(world, &account, order, &names).await
}

async fn what_is_no_ancestor_by_whole_labels_is_malformed(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    let zone = world.name("labels");
    let name = format!("ooo.{zone}");
    for wrong in [
        format!("oo.{zone}"),
        name.clone(),
        format!("a.{name}"),
        world.name("other"),
        format!(".{zone}"),
        format!("*.{zone}"),
        String::new(),
    ] {
        let request = json!({ "identifiers": [below(&name, &wrong)] });
        let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
        answer.refused(&["malformed"])?;
    }
    let not_a_name = json!({ "identifiers": [{ "type": "dns", "value": name, "ancestorDomain": [zone] }] });
    let answer = world.post(&account, &world.resource("newOrder")?, &not_a_name).await?;
    answer.refused(&["malformed"])?;
    Ok(())
}

async fn no_web_server_speaks_for_the_names_below_its_own(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    let zone = world.name("offers");
    let name = format!("www.{zone}");
    let order = world.order_identifiers(&account, json!([below(&name, &zone)])).await?;
    let object = only(world, &account, &order).await?;
    if object["subdomainAuthAllowed"] != true {
        not_applicable!("the name itself is to be proved");
    }
    ensure!(
        find_challenge(&object, "dns-01").is_some(),
        "dns-01 is not offered: {object}"
    );
    for kind in ["http-01", "tls-alpn-01"] {
        ensure!(
            find_challenge(&object, kind).is_none(),
            "{kind} is offered for all below {zone}: {object}"
        );
    }
    Ok(())
}

async fn wildcards_are_issued_under_what_says_wildcard(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    let zone = world.name("wild");
    let (wildcard, deeper) = (format!("*.{zone}"), format!("*.deeper.{zone}"));
    let identifiers = json!([below(&wildcard, &zone), below(&deeper, &zone)]);
    let order = world.order_identifiers(&account, identifiers).await?;
    for url in order.authorizations() {
        let object = world.read_json(&account, &url).await?;
        ensure!(
            object["wildcard"] == true,
            "the authorization does not say wildcard: {object}"
        );
    }
    let order = world.make_ready(&account, order).await?;
    issue(world, &account, order, &[&wildcard, &deeper]).await
}

async fn a_public_suffix_is_no_ancestor(world: &World) -> Outcome {
    offered(world)?;
    let account = world.account().await?;
    for suffix in ["co.uk", "com", "github.io"] {
        let request = json!({ "identifiers": [below(&format!("conformance.{suffix}"), suffix)] });
        let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
        answer.refused(&["rejectedIdentifier", "malformed"])?;
        if world.directory["newAuthz"].is_string() {
            let answer = ask_ahead(world, &account, suffix, json!(true)).await?;
            ensure!(
                !answer.is_success() || answer.json()?["subdomainAuthAllowed"] != true,
                "everything below {suffix} can be authorized: {}",
                answer.excerpt()
            );
        }
    }
    Ok(())
}
