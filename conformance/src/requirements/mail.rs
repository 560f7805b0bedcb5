//! Names of mail services beside names of hosts (draft-ietf-acme-email-tls, and what it left open).

use pkix::{certificate::Certificate, csr::build_csr, key::KeyPair, name::GeneralName};
use serde_json::{Value, json};

use crate::{
    World,
    answer::Answer,
    ensure, fail, not_applicable,
    test::Outcome,
    world::{Account, Order, find_challenge},
};

crate::tests! {
    "ETLS-P-8", "ETLS-P-9" => hosts_and_services_are_in_one_order_and_one_certificate;
    "ETLS-P-5", "4985-2-1" => what_is_found_by_no_srv_record_has_no_srv_id;
    "ETLS-P-2" => a_challenge_says_where_it_would_look;
    "ETLS-3-3", "ETLS-P-1" => a_service_or_port_that_proves_nothing_is_refused;
    "ETLS-P-10" => a_probe_of_mail_counts_in_no_order_of_another_profile;
}

async fn ordered(world: &World, account: &Account, identifiers: Value) -> Outcome<Answer> {
    if world.directory["meta"]["profiles"]["mail"].is_null() {
        not_applicable!("there is no profile for mail services");
    }
    let request = json!({ "identifiers": identifiers, "profile": "mail" });
    world.post(account, &world.resource("newOrder")?, &request).await
}

async fn order(world: &World, account: &Account, identifiers: Value) -> Outcome<Order> {
    let answer = ordered(world, account, identifiers).await?.expect(201)?;
    Ok(Order {
        url: answer.location()?,
        body: answer.json()?,
    })
}

fn srv(value: &str) -> Value {
    json!({ "type": "srv", "value": value })
}

/// The URL of a challenge by `mail-greeting-01` for an SRV-ID, and the whole of it.
async fn challenge(world: &World, account: &Account) -> Outcome<(String, Value)> {
    let name = world.name("mail");
    let order = order(world, account, json!([srv(&format!("_imaps.{name}"))])).await?;
    let object = world.read_json(account, &order.authorizations()[0]).await?;
    match find_challenge(&object, "mail-greeting-01") {
        Some(challenge) => Ok((
            challenge["url"].as_str().unwrap_or_default().to_owned(),
            challenge.clone(),
        )),
        None => not_applicable!("mail-greeting-01 is not offered"),
    }
}

async fn hosts_and_services_are_in_one_order_and_one_certificate(world: &World) -> Outcome {
    let account = world.account().await?;
    let host = world.name("mail");
    let services = [format!("_imaps.{host}"), format!("_submission.{host}")];
    let asked = json!([
        { "type": "dns", "value": host },
        srv(&services[0].to_uppercase()),
        srv(&services[1]),
    ]);
    let order = order(world, &account, asked).await?;
    let shown = json!([{ "type": "dns", "value": host }, srv(&services[0]), srv(&services[1])]);
    ensure!(order.body["identifiers"] == shown, "{}", order.body);
    for authorization in order.authorizations() {
        let challenge = world.challenge(&account, &authorization, "dns-01").await?;
        world.provision_dns(&account, &challenge).await?;
        let object = world.conclude(&account, &challenge).await?;
        ensure!(object["status"] == "valid", "{object}");
    }
    let names = [
        GeneralName::Dns(host),
        GeneralName::srv(&services[0])?,
        GeneralName::srv(&services[1])?,
    ];
    let key = KeyPair::generate_p256();
    let with_protocol = GeneralName::srv(&services[0].replacen('.', "._tcp.", 1))?;
    for wrong in [&names[..2], &[&names[..2], &[with_protocol]].concat()] {
        let csr = build_csr(&key, None, wrong)?;
        let answer = world.finalize(&account, &order, &csr).await?;
        answer.refused(&["badCSR"])?;
    }
    let csr = build_csr(&key, None, &names)?;
    let issued = world.complete(&account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    let mut certified = certificate.names().to_vec();
    certified.sort();
    ensure!(certified == names, "the certificate names {certified:?}");
    Ok(())
}

async fn what_is_found_by_no_srv_record_has_no_srv_id(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("mail");
    for (value, status, kind) in [
        (format!("_lmtp.{name}"), 403, "rejectedIdentifier"),
        (format!("_https.{name}"), 403, "rejectedIdentifier"),
        (format!("_imaps._tcp.{name}"), 400, "malformed"),
        (format!("_imaps.*.{name}"), 400, "malformed"),
        (format!("imaps.{name}"), 400, "malformed"),
    ] {
        let answer = ordered(world, &account, json!([srv(&value)])).await?;
        answer.refused_with(status, &[kind])?;
    }
    Ok(())
}

async fn a_challenge_says_where_it_would_look(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = challenge(world, &account).await?;
    let Some([first, ..]) = challenge["services"].as_array().map(Vec::as_slice) else {
        fail!("no services are listed: {challenge}");
    };
    ensure!(*first == json!({ "service": "imaps", "port": 993 }), "{challenge}");
    Ok(())
}

async fn a_service_or_port_that_proves_nothing_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let (url, _) = challenge(world, &account).await?;
    for response in [
        json!({ "services": ["ftp"] }),
        json!({ "services": [] }),
        json!({ "services": [{ "service": "imaps", "port": 50000 }] }),
        json!({ "service": "imaps", "port": "993" }),
        json!({ "service": "lmtp", "port": 25 }),
    ] {
        let answer = world.post(&account, &url, &response).await?;
        answer.refused_with(400, &["malformed"])?;
    }
    Ok(())
}

async fn a_probe_of_mail_counts_in_no_order_of_another_profile(world: &World) -> Outcome {
    let account = world.account().await?;
    challenge(world, &account).await?;
    let name = world.name("mail");
    let plain = world.order(&account, &[&name]).await?;
    let object = world.read_json(&account, &plain.authorizations()[0]).await?;
    ensure!(find_challenge(&object, "mail-greeting-01").is_none(), "{object}");
    let request = json!({ "identifiers": [srv(&format!("_imaps.{name}"))] });
    let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
    answer.refused_with(403, &["rejectedIdentifier"])?;
    Ok(())
}
