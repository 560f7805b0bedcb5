//! Terms that changed after an account agreed to them (RFC 8555 §7.3.3).

use jose::SigningKey;
use serde_json::json;

use crate::{World, ensure, fail, not_applicable, test::Outcome, world::Account};

crate::tests! {
    "8555-7.3.3-1" => an_account_that_agreed_to_other_terms_is_sent_to_the_page_where_to_agree;
}

async fn an_account_that_agreed_to_other_terms_is_sent_to_the_page_where_to_agree(world: &World) -> Outcome {
    let Some(file) = &world.options.outdated_account else {
        not_applicable!("--outdated-account is needed");
    };
    let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(file)?)?;
    let existing = world.new_account(&key, json!({ "onlyReturnExisting": true })).await?;
    let account = Account {
        url: existing.expect(200)?.location()?,
        key,
    };
    let request = json!({ "identifiers": [{ "type": "dns", "value": world.name("terms") }] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    let problem = answer.refused_with(403, &["userActionRequired"])?;
    let terms = world.directory["meta"]["termsOfService"].as_str().map(str::to_owned);
    let linked = answer.links("terms-of-service");
    ensure!(
        terms.is_some() && linked == Vec::from_iter(terms.clone()),
        "the terms are at {terms:?}, and the answer links to {linked:?}"
    );
    let Some(page) = problem["instance"].as_str() else {
        fail!("the problem does not say where to agree: {problem}");
    };
    ensure!(page.starts_with("https://"), "the page to agree on is {page:?}");
    // Nothing is agreed to by asking again or by a member that is not for that.
    world
        .new_account(&account.key, json!({ "termsOfServiceAgreed": true }))
        .await?
        .expect(200)?;
    let again = world.post(&account, &world.resource("newOrder")?, &request).await?;
    again.refused_with(403, &["userActionRequired"])?;
    world.read(&account, &account.url).await?.expect(200).map(drop)
}
