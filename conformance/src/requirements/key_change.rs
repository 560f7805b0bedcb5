//! keyChange as it should be (RFC 8555 §7.3.5).

use futures_util::future::{join, join_all};
use jose::{Algorithm, SigningKey};
use pkix::key::KeyPair;
use serde_json::{Value, json};

use super::rollover::{change, inner, roll};
use crate::{
    World, craft, ensure,
    responder::Page,
    test::Outcome,
    world::{Account, new_key, poll},
};

crate::tests! {
    "8555-7.3.5-1", "8555-7.3.5-5" => a_new_key_takes_the_place_of_the_old_one;
    "8555-7.3.5-1", "8555-7.3.5-7" => an_account_can_change_to_a_key_of_every_usual_algorithm;
    "8555-7.3.5-4" => a_key_that_has_an_account_conflicts_with_it;
    "8555-7.3.5-4" => the_key_of_a_deactivated_account_is_taken;
    "8555-7.3.5-5" => orders_and_authorizations_survive_a_change_of_key;
    "8555-7.3.5-6" => a_challenge_keeps_the_key_it_was_answered_with;
    "8555-7.3.5-6" => a_challenge_that_is_answered_after_the_change_wants_the_new_key;
    "8555-7.3.5-8" => of_two_changes_at_once_one_wins;
    "8555-7.3.5-8" => of_two_accounts_that_want_one_key_one_gets_it;
    "8555-7.3.5-8" => a_change_of_key_and_an_update_leave_nothing_mixed;
}

/// Whether an account can be used with this key.
async fn opens(world: &World, key: &SigningKey, url: &str) -> Outcome<bool> {
    let signer = crate::world::Signer { key, kid: Some(url) };
    let answer = world.read(signer, url).await?;
    if !answer.is_success() {
        answer.refused(&["malformed", "unauthorized"])?;
    }
    Ok(answer.is_success())
}

/// The account of this key, as newAccount knows it.
async fn account_of(world: &World, key: &SigningKey) -> Outcome<Option<String>> {
    let answer = world.new_account(key, json!({ "onlyReturnExisting": true })).await?;
    if answer.status == 200 {
        return answer.location().map(Some);
    }
    answer.refused(&["accountDoesNotExist"])?;
    Ok(None)
}

async fn a_new_key_takes_the_place_of_the_old_one(world: &World) -> Outcome {
    let mut account = world.account().await?;
    let contact = json!({ "contact": ["mailto:key@conformance.example"] });
    world.post(&account, &account.url, &contact).await?.expect(200)?;
    let before = without_key(world.read_json(&account, &account.url).await?);
    let old = roll(world, &mut account, new_key()?).await?;
    let after = without_key(world.read_json(&account, &account.url).await?);
    ensure!(after == before, "the account was {before} and is {after}");
    ensure!(
        !opens(world, &old, &account.url).await?,
        "the account can still be used with its old key"
    );
    let found = account_of(world, &account.key).await?;
    ensure!(
        found.as_ref() == Some(&account.url),
        "newAccount with the new key finds {found:?}"
    );
    let found = account_of(world, &old).await?;
    ensure!(found.is_none(), "newAccount with the old key finds {found:?}");
    Ok(())
}

/// Some servers show the key.
fn without_key(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove("key");
    }
    object
}

async fn an_account_can_change_to_a_key_of_every_usual_algorithm(world: &World) -> Outcome {
    let mut account = world.account().await?;
    for algorithm in [Algorithm::Es384, Algorithm::Rs256, Algorithm::Es256] {
        roll(world, &mut account, SigningKey::generate(algorithm)?).await?;
        world.read(&account, &account.url).await?.expect(200)?;
    }
    Ok(())
}

async fn a_key_that_has_an_account_conflicts_with_it(world: &World) -> Outcome {
    let (account, other) = (world.account().await?, world.account().await?);
    for holder in [&account, &other] {
        let answer = change(world, &account, &inner(world, &account, &holder.key)?.sign(&holder.key)).await?;
        answer.refused_with(409, &[])?;
        ensure!(
            answer.location()? == holder.url,
            "Location is {}, the key's account is {}",
            answer.location()?,
            holder.url
        );
    }
    for account in [account, other] {
        ensure!(
            opens(world, &account.key, &account.url).await?,
            "a refused change locked {} out",
            account.url
        );
    }
    Ok(())
}

async fn the_key_of_a_deactivated_account_is_taken(world: &World) -> Outcome {
    let (account, gone) = (world.account().await?, world.account().await?);
    let request = json!({ "status": "deactivated" });
    world.post(&gone, &gone.url, &request).await?.expect(200)?;
    let answer = change(world, &account, &inner(world, &account, &gone.key)?.sign(&gone.key)).await?;
    answer.refused(&[]).map(drop)
}

async fn orders_and_authorizations_survive_a_change_of_key(world: &World) -> Outcome {
    let mut account = world.account().await?;
    let (one, two) = (world.name("roll"), world.name("roll"));
    let order = world.order(&account, &[&one, &two]).await?;
    world.prove(&account, &order.authorizations()[0]).await?;
    roll(world, &mut account, new_key()?).await?;
    let order = world.reread(&account, &order).await?;
    ensure!(
        order.status() == "pending",
        "after the change the order is {}",
        order.body
    );
    let order = world.make_ready(&account, order).await?;
    roll(world, &mut account, new_key()?).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, &[&one, &two]);
    world.complete(&account, order, key, csr).await.map(drop)
}

async fn a_challenge_keeps_the_key_it_was_answered_with(world: &World) -> Outcome {
    let mut account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "http-01").await?;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let page = Page::behind(gate.clone(), account.key_authorization(&challenge.token));
    let http = world.http()?;
    http.serve(&challenge.path(), page);
    let old = Account {
        key: SigningKey::from_pkcs8_der(&account.key.to_pkcs8_der())?,
        url: account.url.clone(),
    };
    // Some servers answer only when they have validated.
    let (answered, changed) = join(world.respond(&old, &challenge), async {
        poll(async || Ok(http.visits(&challenge.path())), |visits| !visits.is_empty()).await?;
        let changed = roll(world, &mut account, new_key()?).await;
        gate.add_permits(100);
        changed
    })
    .await;
    answered?.expect(200)?;
    changed?;
    let object = world.settled(&account, &challenge.authorization).await?;
    ensure!(
        object["status"] == "valid",
        "the challenge was answered with the key of that time, and the authorization is {object}"
    );
    Ok(())
}

async fn a_challenge_that_is_answered_after_the_change_wants_the_new_key(world: &World) -> Outcome {
    let mut account = world.account().await?;
    let (_, of_the_old) = world.challenged(&account, "http-01").await?;
    let (_, of_the_new) = world.challenged(&account, "http-01").await?;
    world.provision_http(&account, &of_the_old)?;
    roll(world, &mut account, new_key()?).await?;
    world.provision_http(&account, &of_the_new)?;
    for (challenge, expected) in [(of_the_old, "invalid"), (of_the_new, "valid")] {
        let object = world.conclude(&account, &challenge).await?;
        ensure!(
            object["status"] == expected,
            "the authorization should be {expected}: {object}"
        );
    }
    Ok(())
}

async fn of_two_changes_at_once_one_wins(world: &World) -> Outcome {
    let account = world.account().await?;
    let keys: Vec<_> = (0..8).map(|_| new_key()).collect::<Outcome<_>>()?;
    let requests = keys.iter().map(|key| {
        let request = inner(world, &account, key).map(|message| message.sign(key));
        async { change(world, &account, &request?).await }
    });
    let mut winners = Vec::new();
    for (answer, key) in join_all(requests).await.into_iter().zip(&keys) {
        let answer = answer?;
        if answer.is_success() {
            winners.push(key);
        } else {
            answer.refused(&["malformed", "unauthorized"])?;
        }
    }
    let [winner] = winners[..] else {
        crate::fail!("{} of {} changes from one key were made", winners.len(), keys.len())
    };
    for key in keys.iter().chain([&account.key]) {
        let is_winner = key.jwk() == winner.jwk();
        ensure!(
            opens(world, key, &account.url).await? == is_winner,
            "the key of {} change can{} be used",
            if is_winner { "the" } else { "a refused" },
            if is_winner { "not" } else { "" }
        );
        ensure!(
            account_of(world, key).await?.is_some() == is_winner,
            "newAccount takes another key for the account's than the account does"
        );
    }
    Ok(())
}

async fn of_two_accounts_that_want_one_key_one_gets_it(world: &World) -> Outcome {
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(world.account().await?);
    }
    let key = new_key()?;
    let requests = accounts.iter().map(|account| {
        let request = inner(world, account, &key).map(|message| message.sign(&key));
        async { change(world, account, &request?).await }
    });
    let mut holders = Vec::new();
    for (answer, account) in join_all(requests).await.into_iter().zip(&accounts) {
        let answer = answer?;
        if answer.is_success() {
            holders.push(account.url.clone());
        } else {
            answer.refused_with(409, &[])?;
        }
    }
    ensure!(holders.len() == 1, "one key has the accounts {holders:?}");
    let found = account_of(world, &key).await?;
    ensure!(
        found.as_ref() == holders.first(),
        "the key's account is {found:?}, the change was made for {holders:?}"
    );
    Ok(())
}

async fn a_change_of_key_and_an_update_leave_nothing_mixed(world: &World) -> Outcome {
    let account = world.account().await?;
    let key = new_key()?;
    let contact = json!(["mailto:both@conformance.example"]);
    let update = json!({ "contact": contact });
    let request = inner(world, &account, &key)?.sign(&key);
    let (changed, updated) = join(
        change(world, &account, &request),
        world.post(&account, &account.url, &update),
    )
    .await;
    changed?.expect(200)?;
    let updated = updated?;
    let account = Account { key, ..account };
    let object = world.read_json(&account, &account.url).await?;
    let expected = match updated.status {
        200 => contact,
        // The old key was no key any more.
        _ => {
            updated.refused(&["malformed", "unauthorized"])?;
            Value::Null
        }
    };
    let seen = object["contact"].as_array().filter(|contacts| !contacts.is_empty());
    ensure!(
        json!(seen) == expected,
        "the update was answered with {}, and the account is {object}",
        updated.status
    );
    Ok(())
}
