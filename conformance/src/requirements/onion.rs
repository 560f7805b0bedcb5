//! Hidden services, by an authority that does not reach Tor (RFC 9799).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use pkix::{
    csr::build_csr_with_attributes,
    key::KeyPair,
    name::OnionAddress,
    oid::{APPLICANT_SIGNING_NONCE, CA_SIGNING_NONCE},
};
use serde_json::{Value, json};

use crate::{
    World, craft, ensure, fail, not_applicable,
    test::Outcome,
    world::{Account, Order},
};

crate::tests! {
    "9799-2-1" => an_address_is_of_version_3_or_refused;
    "9799-3.1-1", "9799-3.2-1" => the_service_s_key_is_the_one_way_to_prove_it;
    "9799-3.2-3" => only_the_service_s_own_request_with_both_nonces_proves_it;
    "9799-3.2-3" => the_service_s_key_is_not_certified;
    "9799-6.4.1-1", "9799-6.3-1" => nothing_is_issued_without_the_set_of_records;
    "9799-6-1" => what_the_service_signed_decides_for_all_its_names;
}

struct Service {
    key: KeyPair,
    name: String,
}

impl Service {
    /// A new one, where names below `.onion` are issued for.
    fn new(world: &World) -> Outcome<Self> {
        if world.directory["meta"]["inBandOnionCAARequired"] != true {
            not_applicable!("the directory's meta does not have inBandOnionCAARequired");
        }
        let key = KeyPair::generate_ed25519();
        let Some(public) = key.public_key().spki_der().last_chunk() else {
            fail!("an Ed25519 key has 32 octets");
        };
        let name = OnionAddress::of_key(*public).to_string();
        Ok(Self { key, name })
    }

    fn request(&self, nonce: &[u8], own: &[u8]) -> Outcome<Value> {
        let attributes = [(CA_SIGNING_NONCE, nonce), (APPLICANT_SIGNING_NONCE, own)];
        let csr = build_csr_with_attributes(self.key.public_key(), &attributes, |info| self.key.sign(info))?;
        Ok(json!({ "csr": jose::base64url::encode(csr) }))
    }

    /// A set that is good for that many seconds from now.
    fn set(&self, caa: Option<&str>, seconds: i64) -> Outcome<Value> {
        let expiry = u64::try_from(now() + seconds)?;
        let text = acme::OnionCaa::signed_text(expiry, caa);
        let signature = jose::base64url::encode(self.key.sign(text.as_bytes()));
        Ok(json!({ self.name.as_str(): { "caa": caa, "expiry": expiry, "signature": signature } }))
    }

    async fn ready(&self, world: &World, account: &Account, names: &[&str]) -> Outcome<Order> {
        let order = world.order(account, names).await?;
        for authorization in order.authorizations() {
            let (url, nonce) = challenge(world, account, &authorization).await?;
            let response = self.request(&nonce, &[1; 8])?;
            world.post(account, &url, &response).await?.expect(200)?;
            let object = world.settled(account, &authorization).await?;
            ensure!(object["status"] == "valid", "{object}");
        }
        world.reread(account, &order).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client at the edge of the world reads its clock"
)]
fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The one challenge: its URL and the nonce's octets.
async fn challenge(world: &World, account: &Account, authorization: &str) -> Outcome<(String, Vec<u8>)> {
    let object = world.read_json(account, authorization).await?;
    let [challenge] = object["challenges"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        fail!("not one challenge: {object}");
    };
    ensure!(challenge["type"] == "onion-csr-01", "{challenge}");
    ensure!(challenge.get("token").is_none(), "{challenge}");
    let nonce = STANDARD.decode(challenge["nonce"].as_str().unwrap_or_default())?;
    ensure!(nonce.len() >= 8, "{challenge}");
    let url = challenge["url"].as_str().unwrap_or_default();
    Ok((url.to_owned(), nonce))
}

async fn finalized(
    world: &World,
    account: &Account,
    order: &Order,
    names: &[&str],
    sets: Value,
) -> Outcome<crate::answer::Answer> {
    let csr = craft::csr_for(&KeyPair::generate_p256(), names);
    let request = json!({ "csr": jose::base64url::encode(csr), "onionCAA": sets });
    world.post(account, order.finalize()?, &request).await
}

async fn an_address_is_of_version_3_or_refused(world: &World) -> Outcome {
    let service = Service::new(world)?;
    let account = world.account().await?;
    let first = if service.name.starts_with('a') { "b" } else { "a" };
    for (name, kinds) in [
        ("expyuzz4wqqyqhjn.onion".to_owned(), ["rejectedIdentifier"]),
        (format!("{first}{}", &service.name[1..]), ["malformed"]),
        (service.name[1..].to_owned(), ["malformed"]),
        ("www.example.onion".to_owned(), ["malformed"]),
        ("onion".to_owned(), ["malformed"]),
    ] {
        let request = json!({ "identifiers": [{ "type": "dns", "value": name }] });
        let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
        let status = if kinds == ["malformed"] { 400 } else { 403 };
        answer.refused_with(status, &kinds)?;
    }
    for name in [
        &service.name,
        &format!("a.b.{}", service.name),
        &format!("*.{}", service.name),
    ] {
        world.order(&account, &[name]).await?;
    }
    Ok(())
}

async fn the_service_s_key_is_the_one_way_to_prove_it(world: &World) -> Outcome {
    let service = Service::new(world)?;
    let account = world.account().await?;
    let mut seen = Vec::new();
    for name in [
        &service.name,
        &format!("www.{}", service.name),
        &format!("*.{}", service.name),
    ] {
        let order = world.order(&account, &[name]).await?;
        let (url, nonce) = challenge(world, &account, &order.authorizations()[0]).await?;
        ensure!(!seen.contains(&nonce), "a nonce is there twice");
        // What is not a response changes nothing.
        for payload in [json!({}), json!({ "csr": "AQ==" }), json!({ "csr": 1 })] {
            world
                .post(&account, &url, &payload)
                .await?
                .refused_with(400, &["malformed"])?;
        }
        let (_, again) = challenge(world, &account, &order.authorizations()[0]).await?;
        ensure!(again == nonce, "a challenge's nonce changed");
        seen.push(nonce);
    }
    Ok(())
}

async fn only_the_service_s_own_request_with_both_nonces_proves_it(world: &World) -> Outcome {
    let account = world.account().await?;
    for case in 0..6 {
        // Others each time: where proofs count again, a service that is proved stays so.
        let (service, other) = (Service::new(world)?, Service::new(world)?);
        let order = world.order(&account, &[&service.name]).await?;
        let authorization = &order.authorizations()[0];
        let (url, nonce) = challenge(world, &account, authorization).await?;
        let (response, status) = match case {
            0 => (service.request(&nonce, &[1; 8])?, "valid"),
            1 => (other.request(&nonce, &[1; 8])?, "invalid"),
            2 => (service.request(&nonce[1..], &[1; 8])?, "invalid"),
            3 => (service.request(STANDARD.encode(&nonce).as_bytes(), &[1; 8])?, "invalid"),
            4 => (service.request(&nonce, &[1; 7])?, "invalid"),
            _ => (json!({ "csr": "AQID" }), "invalid"),
        };
        world.post(&account, &url, &response).await?.expect(200)?;
        let object = world.settled(&account, authorization).await?;
        ensure!(object["status"] == status, "case {case}: {object}");
    }
    Ok(())
}

async fn the_service_s_key_is_not_certified(world: &World) -> Outcome {
    let service = Service::new(world)?;
    let account = world.account().await?;
    let order = service.ready(world, &account, &[&service.name]).await?;
    let csr = craft::csr_for(&service.key, &[&service.name]);
    let request = json!({ "csr": jose::base64url::encode(csr), "onionCAA": service.set(None, 3600)? });
    let answer = world.post(&account, order.finalize()?, &request).await?;
    answer.refused_with(400, &["badCSR"])?;
    Ok(())
}

async fn nothing_is_issued_without_the_set_of_records(world: &World) -> Outcome {
    let service = Service::new(world)?;
    let account = world.account().await?;
    let order = service.ready(world, &account, &[&service.name]).await?;
    for sets in [
        json!(null),
        json!({}),
        service.set(None, -1)?,
        Service::new(world)?.set(None, 3600)?,
    ] {
        let answer = finalized(world, &account, &order, &[&service.name], sets).await?;
        answer.refused_with(403, &["onionCAARequired"])?;
    }
    let answer = finalized(world, &account, &order, &[&service.name], service.set(None, 3600)?).await?;
    answer.expect(200)?;
    Ok(())
}

async fn what_the_service_signed_decides_for_all_its_names(world: &World) -> Outcome {
    let service = Service::new(world)?;
    let account = world.account().await?;
    let (wildcard, deep) = (format!("*.{}", service.name), format!("e.d.{}", service.name));
    let names = [wildcard.as_str(), deep.as_str()];
    let order = service.ready(world, &account, &names).await?;
    let mut forged = service.set(None, 3600)?;
    forged[&service.name]["expiry"] = (now() + 7200).into();
    let answer = finalized(world, &account, &order, &names, forged).await?;
    answer.refused_with(403, &["unauthorized"])?;
    for caa in [
        "caa 0 issue \";\"",
        "caa 128 tbs \"x\"",
        "caa 0 issue \"other.example\"\n",
        "caa 0 issue",
    ] {
        let answer = finalized(world, &account, &order, &names, service.set(Some(caa), 3600)?).await?;
        answer.refused_with(403, &["caa"])?;
    }
    let permits = match world.directory["meta"]["caaIdentities"][0].as_str() {
        Some(us) => {
            format!("caa 128 issue \"{us}; validationmethods=onion-csr-01\"\ncaa 0 iodef \"mailto:a@a.example\"")
        }
        None => "caa 0 iodef \"mailto:a@a.example\"".to_owned(),
    };
    let set = service.set(Some(&permits), 3_000_000_000)?;
    finalized(world, &account, &order, &names, set).await?.expect(200)?;
    Ok(())
}
