//! Orders (RFC 8555 §7.1.3, §7.1.6, §7.4).

use pkix::key::KeyPair;
use serde_json::{Value, json};

use crate::{
    World, craft, ensure,
    test::Outcome,
    world::{Order, poll},
};

crate::tests! {
    "8555-7.4-1", "0.1-3" => a_new_order_is_complete;
    "8555-7.4-2" => identifiers_that_are_no_list_of_types_and_values_are_malformed;
    "8555-7.1.3-6", "8555-7.1.6-1" => an_order_takes_its_course_and_its_arrays_stay;
    "8555-7.1.3-8" => a_second_order_lists_its_authorizations_too;
    "8555-7.1.6-2" => a_deactivated_authorization_makes_a_pending_order_invalid;
    "8555-7.1.6-2", "8555-7.5.2-1" => a_deactivated_authorization_makes_a_ready_order_invalid;
    "8555-7.1.6-2" => a_failed_authorization_makes_the_order_invalid;
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
        json!([["dns", name]]),
    ] {
        let request = json!({ "identifiers": identifiers });
        let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
        answer.refused(&["malformed"])?;
    }
    let answer = world.post(&account, &world.resource("newOrder")?, &json!({})).await?;
    answer.refused(&["malformed"]).map(drop)
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
