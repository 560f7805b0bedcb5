//! Accounts (RFC 8555 §7.1.2, §7.3).

use serde_json::{Value, json};

use crate::{
    World, ensure, not_applicable,
    test::Outcome,
    world::{Account, new_key},
};

crate::tests! {
    "8555-7.3-1", "8555-7.1.2-1", "8555-7.1.2.1-4" => a_new_key_gets_a_new_account;
    "8555-7.3-2" => a_known_key_gets_its_account_unchanged;
    "8555-7.3-3" => only_return_existing_never_creates;
    "8555-7.3-4" => unknown_members_are_not_reflected;
    "8555-7.3-5" => nobody_gets_an_account_without_agreeing_to_the_terms;
    "8555-7.3-7" => contacts_are_mail_addresses;
    "8555-7.3-8" => a_mailto_with_more_than_one_address_is_invalid;
    "8555-7.3.2-1" => an_update_changes_contacts_and_nothing_else;
    "8555-7.3.2-2" => an_empty_object_an_empty_list_and_an_empty_payload_differ;
    "8555-7.3.2-3" => an_account_is_not_updated_by_another;
    "8555-7.1.2.1-1", "8555-7.1.2.1-2" => the_orders_list_has_every_order_once;
    "8555-7.1.2.1-2" => the_orders_list_has_no_invalid_orders;
    "8555-7.1.2.1-1" => the_orders_list_is_nobody_elses;
    "0.1-11" => only_return_existing_false_and_no_contact_are_as_good_as_absent;
}

async fn a_new_key_gets_a_new_account(world: &World) -> Outcome {
    let request = json!({ "termsOfServiceAgreed": true, "contact": ["mailto:admin@conformance.example"] });
    let key = new_key()?;
    let answer = world.new_account(&key, request).await?.expect(201)?;
    let object = answer.json()?;
    ensure!(object["status"] == "valid", "a new account is {object}");
    ensure!(object["orders"].is_string(), "the account has no orders URL: {object}");
    ensure!(
        object["contact"] == json!(["mailto:admin@conformance.example"]),
        "the contacts are {}",
        object["contact"]
    );
    let account = Account {
        url: answer.location()?,
        key,
    };
    ensure!(
        account.url.starts_with("https://"),
        "the account is at {:?}",
        account.url
    );
    let read = world.read_json(&account, &account.url).await?;
    ensure!(
        read["orders"].is_string() && read["status"] == "valid",
        "read again the account is {read}"
    );
    Ok(())
}

async fn a_known_key_gets_its_account_unchanged(world: &World) -> Outcome {
    let account = world.account().await?;
    let before = world.read_json(&account, &account.url).await?;
    let request = json!({ "termsOfServiceAgreed": true, "contact": ["mailto:other@conformance.example"] });
    for request in [request, json!({})] {
        let answer = world.new_account(&account.key, request).await?.expect(200)?;
        ensure!(
            answer.location()? == account.url,
            "the account moved to {}",
            answer.location()?
        );
        ensure!(
            answer.json()? == before,
            "the account was {before} and is {}",
            answer.excerpt()
        );
    }
    Ok(())
}

async fn only_return_existing_never_creates(world: &World) -> Outcome {
    let key = new_key()?;
    for _ in 0..2 {
        let answer = world.new_account(&key, json!({ "onlyReturnExisting": true })).await?;
        answer.refused_with(400, &["accountDoesNotExist"])?;
    }
    let account = world.account_of(key).await?;
    let answer = world
        .new_account(&account.key, json!({ "onlyReturnExisting": true }))
        .await?
        .expect(200)?;
    ensure!(
        answer.location()? == account.url,
        "the account is at {}",
        answer.location()?
    );
    Ok(())
}

async fn unknown_members_are_not_reflected(world: &World) -> Outcome {
    let key = new_key()?;
    let request = json!({
        "termsOfServiceAgreed": true, "onlyReturnExisting": false, "orders": "https://elsewhere.example/orders",
        "status": "revoked", "x-unknown": 1, "resource": "new-reg",
    });
    let object = world.new_account(&key, request).await?.expect(201)?.json()?;
    for member in ["onlyReturnExisting", "x-unknown", "resource"] {
        ensure!(object.get(member).is_none(), "{member} is reflected: {object}");
    }
    ensure!(
        object["status"] == "valid",
        "the status was taken from the request: {object}"
    );
    ensure!(
        object["orders"] != "https://elsewhere.example/orders",
        "orders was taken from the request: {object}"
    );
    Ok(())
}

async fn nobody_gets_an_account_without_agreeing_to_the_terms(world: &World) -> Outcome {
    if !world.directory["meta"]["termsOfService"].is_string() {
        not_applicable!("the directory names no terms of service");
    }
    for agreed in [
        json!({}),
        json!({ "termsOfServiceAgreed": false }),
        json!({ "termsOfServiceAgreed": "true" }),
    ] {
        let key = new_key()?;
        let answer = world.new_account(&key, agreed).await?;
        answer.refused(&["userActionRequired", "malformed", "agreementRequired"])?;
        let exists = world.new_account(&key, json!({ "onlyReturnExisting": true })).await?;
        exists.refused(&["accountDoesNotExist"])?;
    }
    Ok(())
}

async fn contacts_are_mail_addresses(world: &World) -> Outcome {
    let cases: [(&str, &[&str]); 6] = [
        ("tel:+15551234", &["unsupportedContact"]),
        ("https://conformance.example/", &["unsupportedContact"]),
        ("mailto:nobody", &["invalidContact"]),
        ("mailto:", &["invalidContact"]),
        ("", &["invalidContact", "unsupportedContact"]),
        ("mailto:\u{fc}@conformance.example", &["invalidContact"]),
    ];
    for (contact, kinds) in cases {
        let request = json!({ "termsOfServiceAgreed": true, "contact": [contact] });
        world.new_account(&new_key()?, request).await?.refused(kinds)?;
    }
    for contact in [json!("mailto:a@conformance.example"), json!([1]), json!({})] {
        let request = json!({ "termsOfServiceAgreed": true, "contact": contact });
        world
            .new_account(&new_key()?, request)
            .await?
            .refused(&["malformed", "invalidContact"])?;
    }
    Ok(())
}

async fn a_mailto_with_more_than_one_address_is_invalid(world: &World) -> Outcome {
    for contact in [
        "mailto:a@conformance.example,b@conformance.example",
        "mailto:a@conformance.example?cc=b@x.example",
    ] {
        let request = json!({ "termsOfServiceAgreed": true, "contact": [contact] });
        world
            .new_account(&new_key()?, request)
            .await?
            .refused(&["invalidContact"])?;
    }
    Ok(())
}

async fn an_update_changes_contacts_and_nothing_else(world: &World) -> Outcome {
    let account = world.account().await?;
    let before = world.read_json(&account, &account.url).await?;
    let update = json!({
        "contact": ["mailto:new@conformance.example"], "orders": "https://elsewhere.example/", "status": "revoked",
        "termsOfServiceAgreed": false, "x-unknown": true,
    });
    let after = world.post(&account, &account.url, &update).await?.expect(200)?.json()?;
    ensure!(
        after["contact"] == update["contact"],
        "the contacts are {}",
        after["contact"]
    );
    for member in ["orders", "status", "termsOfServiceAgreed", "x-unknown"] {
        ensure!(
            after.get(member) == before.get(member),
            "{member} was changed to {}",
            after[member]
        );
    }
    let read = world.read_json(&account, &account.url).await?;
    ensure!(read == after, "read again the account is {read}, not {after}");
    for contact in ["mailto:a", "tel:1"] {
        let answer = world
            .post(&account, &account.url, &json!({ "contact": [contact] }))
            .await?;
        answer.refused(&["invalidContact", "unsupportedContact"])?;
    }
    Ok(())
}

async fn an_empty_object_an_empty_list_and_an_empty_payload_differ(world: &World) -> Outcome {
    let account = world.account().await?;
    let contact = json!({ "contact": ["mailto:admin@conformance.example"] });
    let full = world
        .post(&account, &account.url, &contact)
        .await?
        .expect(200)?
        .json()?;
    let same = world
        .post(&account, &account.url, &json!({}))
        .await?
        .expect(200)?
        .json()?;
    ensure!(same == full, "{{}} made {same} of {full}");
    let read = world.read_json(&account, &account.url).await?;
    ensure!(read == full, "read, the account is {read}, not {full}");
    let cleared = world
        .post(&account, &account.url, &json!({ "contact": [] }))
        .await?
        .expect(200)?
        .json()?;
    let none = cleared["contact"].as_array().is_none_or(Vec::is_empty);
    ensure!(none, "after an empty list the contacts are {}", cleared["contact"]);
    Ok(())
}

async fn an_account_is_not_updated_by_another(world: &World) -> Outcome {
    let (account, stranger) = (world.account().await?, world.account().await?);
    for update in [
        json!({ "contact": ["mailto:evil@x.example"] }),
        json!({ "status": "deactivated" }),
        json!({}),
    ] {
        let answer = world.post(&stranger, &account.url, &update).await?;
        answer.refused(&["unauthorized", "malformed"])?;
    }
    let object = world.read_json(&account, &account.url).await?;
    ensure!(object["status"] == "valid", "the account is {object}");
    let none = object["contact"].as_array().is_none_or(Vec::is_empty);
    ensure!(none, "the contacts are {}", object["contact"]);
    Ok(())
}

/// Every URL of an account's list, over all pages.
async fn listed(world: &World, account: &Account) -> Outcome<Vec<Value>> {
    let object = world.read_json(account, &account.url).await?;
    let mut next = object["orders"].as_str().map(str::to_owned);
    let mut urls = Vec::new();
    let mut pages = 0;
    while let Some(url) = next {
        let page = world.read(account, &url).await?.expect(200)?;
        let object = page.json()?;
        let Some(orders) = object["orders"].as_array() else {
            crate::fail!("a page of the orders list is {object}");
        };
        urls.extend(orders.iter().cloned());
        next = page.links("next").pop();
        pages += 1;
        ensure!(pages < 1000, "the pages of the list have no end");
    }
    Ok(urls)
}

async fn the_orders_list_has_every_order_once(world: &World) -> Outcome {
    let account = world.account().await?;
    ensure!(listed(world, &account).await?.is_empty(), "a new account has orders");
    let mut made = Vec::new();
    for _ in 0..60 {
        made.push(json!(world.order(&account, &[&world.name("list")]).await?.url));
    }
    let mut urls = listed(world, &account).await?;
    ensure!(
        urls.len() == made.len(),
        "{} of {} pending orders are listed",
        urls.len(),
        made.len()
    );
    made.sort_by_key(Value::to_string);
    urls.sort_by_key(Value::to_string);
    ensure!(urls == made, "the list has other orders than were made");
    Ok(())
}

async fn the_orders_list_has_no_invalid_orders(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world.order(&account, &[&world.name("invalid")]).await?;
    for authorization in order.authorizations() {
        let answer = world
            .post(&account, &authorization, &json!({ "status": "deactivated" }))
            .await?;
        answer.expect(200)?;
    }
    let urls = listed(world, &account).await?;
    ensure!(urls.is_empty(), "an order whose authorization was given up is listed");
    Ok(())
}

async fn the_orders_list_is_nobody_elses(world: &World) -> Outcome {
    let (account, stranger) = (world.account().await?, world.account().await?);
    let object = world.read_json(&account, &account.url).await?;
    let answer = world
        .read(&stranger, object["orders"].as_str().unwrap_or_default())
        .await?;
    answer.refused(&["unauthorized", "malformed"]).map(drop)
}

async fn only_return_existing_false_and_no_contact_are_as_good_as_absent(world: &World) -> Outcome {
    let request = json!({ "termsOfServiceAgreed": true, "onlyReturnExisting": false, "contact": [] });
    world.new_account(&new_key()?, request).await?.expect(201).map(drop)
}
