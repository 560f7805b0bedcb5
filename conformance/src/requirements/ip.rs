//! Addresses (RFC 8738).

use std::net::IpAddr;

use pkix::{certificate::Certificate, key::KeyPair, name::GeneralName};
use serde_json::{Value, json};

use crate::{
    World, craft, ensure, not_applicable,
    test::Outcome,
    world::{Account, Order, find_challenge},
};

crate::tests! {
    "8738-3-1" => other_spellings_of_an_address_are_refused_or_normalised;
    "8738-7-2" => wildcards_ports_and_networks_are_refused;
    "8738-4-1", "8738-5-1" => http_reaches_the_address_and_names_it_as_host;
    "8738-4-1", "8738-6-1" => tls_alpn_sends_the_reverse_name;
    "8738-7-1" => dns_is_not_offered;
    "8738-4-2" => the_certificate_has_the_address_as_an_address;
    "8738-4-2", "0.1-10" => a_csr_with_the_address_in_another_place_is_bad;
    "8738-4-3" => caa_does_not_apply;
}

/// An order for the address where the responders listen, which cannot be a name nobody ordered before.
async fn order(world: &World, account: &Account) -> Outcome<(Order, IpAddr)> {
    let address = world.options.responder;
    if order_of(world, account, "192.0.2.1").await?.1 == "unsupportedIdentifier" {
        not_applicable!("identifiers of type ip are not supported");
    }
    let identifiers = json!([{ "type": "ip", "value": address.to_string() }]);
    Ok((world.order_identifiers(account, identifiers).await?, address))
}

async fn order_of(world: &World, account: &Account, value: &str) -> Outcome<(Value, String)> {
    let request = json!({ "identifiers": [{ "type": "ip", "value": value }] });
    let answer = world.post(account, &world.resource("newOrder")?, &request).await?;
    Ok((answer.json()?, answer.kind()))
}

async fn other_spellings_of_an_address_are_refused_or_normalised(world: &World) -> Outcome {
    let account = world.account().await?;
    order(world, &account).await?;
    for (spelling, canonical) in [
        ("::0001", "::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("01.2.3.4", "1.2.3.4"),
        ("1.2.3", "-"),
        ("0x7f000001", "-"),
        ("2130706433", "-"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        (" 1.2.3.4", "-"),
        ("", "-"),
        ("localhost", "-"),
    ] {
        let (object, kind) = order_of(world, &account, spelling).await?;
        let value = object["identifiers"][0]["value"].as_str();
        ensure!(
            value.is_none_or(|value| value == canonical),
            "the address {spelling:?} is ordered as {}",
            object["identifiers"]
        );
        if value.is_none() {
            ensure!(
                ["malformed", "rejectedIdentifier"].contains(&kind.as_str()),
                "{spelling:?} gets {object}"
            );
        }
    }
    Ok(())
}

async fn wildcards_ports_and_networks_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    order(world, &account).await?;
    for value in [
        "*.1.2.3.4",
        "1.2.3.4:80",
        "[::1]",
        "[::1]:443",
        "10.0.0.0/8",
        "fe80::1%eth0",
        "*",
    ] {
        let (object, kind) = order_of(world, &account, value).await?;
        ensure!(
            ["malformed", "rejectedIdentifier"].contains(&kind.as_str()),
            "{value:?} gets {object}"
        );
    }
    Ok(())
}

async fn http_reaches_the_address_and_names_it_as_host(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, address) = order(world, &account).await?;
    let challenge = world.challenge(&account, &order.authorizations()[0], "http-01").await?;
    world.provision_http(&account, &challenge)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    let visits = world.http()?.visits(&challenge.path());
    let host = visits.first().map(|visit| visit.host.clone()).unwrap_or_default();
    let literal = match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    let port = host.strip_prefix(&literal);
    ensure!(
        port.is_some_and(|port| port.is_empty() || port.starts_with(':')),
        "Host was {host:?}"
    );
    if let Ok(dns) = world.dns() {
        ensure!(
            dns.queries(&address.to_string()).await? == 0,
            "the address was looked up in the DNS"
        );
    }
    Ok(())
}

async fn tls_alpn_sends_the_reverse_name(world: &World) -> Outcome {
    world.tls()?;
    let account = world.account().await?;
    let (order, address) = order(world, &account).await?;
    let challenge = world
        .challenge(&account, &order.authorizations()[0], "tls-alpn-01")
        .await?;
    let name = reverse_name(address);
    let presented = craft::Presented::right(craft::ip(address), &challenge.digest(&account));
    world.present(&name, &presented)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(!world.tls()?.hellos(&name).is_empty(), "nobody sent {name} as SNI");
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]).rev();
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

async fn dns_is_not_offered(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, _) = order(world, &account).await?;
    let object = world.read_json(&account, &order.authorizations()[0]).await?;
    ensure!(
        find_challenge(&object, "dns-01").is_none(),
        "dns-01 is offered: {object}"
    );
    ensure!(
        find_challenge(&object, "http-01").is_some(),
        "http-01 is not offered: {object}"
    );
    ensure!(object.get("wildcard").is_none(), "wildcard is {}", object["wildcard"]);
    Ok(())
}

async fn the_certificate_has_the_address_as_an_address(world: &World) -> Outcome {
    let account = world.account().await?;
    let address = world.options.responder;
    order(world, &account).await?;
    // With a name besides (8738-4-4).
    let name = world.name("mixed");
    let identifiers = json!([{ "type": "dns", "value": name }, { "type": "ip", "value": address.to_string() }]);
    let order = world.order_identifiers(&account, identifiers).await?;
    let order = world.make_ready(&account, order).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr(&key, &[], &[craft::dns(&name), craft::ip(address)]);
    let issued = world.complete(&account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    let mut names = certificate.names().to_vec();
    names.sort();
    let wanted = [GeneralName::Dns(name), GeneralName::Ip(address)];
    ensure!(names == wanted, "the certificate has the names {names:?}");
    Ok(())
}

async fn a_csr_with_the_address_in_another_place_is_bad(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, address) = order(world, &account).await?;
    let order = world.make_ready(&account, order).await?;
    let key = KeyPair::generate_p256();
    let text = address.to_string();
    let cases = [
        ("dNSName", craft::csr(&key, &[], &[craft::dns(&text)])),
        ("both", craft::csr(&key, &[], &[craft::dns(&text), craft::ip(address)])),
        ("common name", craft::csr(&key, &[&text], &[])),
        ("URI", craft::csr(&key, &[], &[craft::uri(&format!("https://{text}/"))])),
        (
            "another address",
            craft::csr(&key, &[], &[craft::ip([192, 0, 2, 1].into())]),
        ),
    ];
    for (what, csr) in &cases {
        let answer = world.finalize(&account, &order, csr).await?;
        ensure!(!answer.is_success(), "a CSR with the address as {what} is taken");
        answer.refused(&["badCSR"])?;
    }
    let csr = craft::csr(&key, &[], &[craft::ip(address)]);
    world.complete(&account, order, key, csr).await.map(drop)
}

async fn caa_does_not_apply(world: &World) -> Outcome {
    let account = world.account().await?;
    let (order, address) = order(world, &account).await?;
    world.dns()?.add_caa(&reverse_name(address), "issue", ";").await?;
    let order = world.make_ready(&account, order).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr(&key, &[], &[craft::ip(address)]);
    world.complete(&account, order, key, csr).await.map(drop)
}
