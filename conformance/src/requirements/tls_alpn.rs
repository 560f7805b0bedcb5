//! tls-alpn-01 (RFC 8737).

use std::net::Ipv4Addr;

use pkix::key::KeyPair;
use serde_json::Value;

use super::http01::failed;
use crate::{
    World,
    craft::{self, Presented},
    ensure, fail,
    responder::Manner,
    test::Outcome,
    world::{Account, Challenge},
};

crate::tests! {
    "8737-3-4", "8737-4-1" => the_validator_offers_acme_tls_alone_and_closes;
    "8737-3-5" => a_server_without_alpn_does_not_pass;
    "8737-3-6", "T7" => a_certificate_with_other_names_does_not_pass;
    "8737-3-6" => the_name_is_compared_without_regard_to_case;
    "8737-3-7", "T7" => a_missing_uncritical_or_wrong_extension_does_not_pass;
    "8737-3-8", "T7" => a_doubled_or_raw_extension_does_not_pass;
    "8737-4-1", "T7" => old_tls_does_not_pass;
    "8737-4-2" => an_expired_certificate_passes;
    "8737-3-10" => failures_of_tls_and_network_are_named;
    "8737-3-11" => international_names_are_a_labels;
}

/// Presents what is made of the challenge, and concludes.
async fn presented(world: &World, make: impl Fn(&Account, &Challenge) -> Presented) -> Outcome<Value> {
    world.tls()?;
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.present(&challenge.value, &make(&account, &challenge))?;
    world.conclude(&account, &challenge).await
}

fn right(account: &Account, challenge: &Challenge) -> Presented {
    Presented::right(craft::dns(&challenge.value), &challenge.digest(account))
}

/// What a server may call a certificate that it does not like.
const WRONG: [&str; 3] = ["unauthorized", "incorrectResponse", "tls"];

async fn the_validator_offers_acme_tls_alone_and_closes(world: &World) -> Outcome {
    world.tls()?;
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.provision_tls(&account, &challenge)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    let hellos = async || Ok(world.tls()?.hellos(&challenge.value));
    let hellos = crate::world::poll(hellos, |hellos| hellos.iter().all(|hello| hello.closed)).await?;
    let Some(hello) = hellos.first() else {
        fail!("nobody sent the name {} as SNI", challenge.value);
    };
    ensure!(hello.alpn == [b"acme-tls/1"], "ALPN offered is {:?}", hello.alpn);
    ensure!(!hello.versions.is_empty(), "the hello lists no versions");
    ensure!(
        hello.versions.iter().all(|version| *version >= 0x0303),
        "the versions are {:x?}",
        hello.versions
    );
    ensure!(
        hello.said == 0,
        "the validator sent {} octets of application data",
        hello.said
    );
    ensure!(hello.closed, "the validator did not close the connection");
    Ok(())
}

async fn a_server_without_alpn_does_not_pass(world: &World) -> Outcome {
    for alpn in [None, Some("http/1.1")] {
        let account = world.account().await?;
        world.tls()?;
        let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
        let key = KeyPair::generate_p256();
        let chain = vec![right(&account, &challenge).sign(&key)];
        world
            .tls()?
            .serve(&challenge.value, Manner::Handshake { chain, key, alpn });
        let object = world.conclude(&account, &challenge).await?;
        failed(&object, "tls-alpn-01", &format!("a server with ALPN {alpn:?}"), &WRONG)?;
    }
    Ok(())
}

async fn a_certificate_with_other_names_does_not_pass(world: &World) -> Outcome {
    let address = craft::ip(Ipv4Addr::LOCALHOST.into());
    let evil = craft::dns("evil.example");
    let cases: [(&str, &dyn Fn(Vec<u8>) -> Vec<Vec<u8>>); 6] = [
        ("a second name", &|name| vec![name, evil.clone()]),
        ("the name after another", &|name| vec![evil.clone(), name]),
        ("an address besides", &|name| vec![name, address.clone()]),
        ("another name", &|_| vec![evil.clone()]),
        ("the name as a URI", &|name| {
            vec![craft::uri(&String::from_utf8_lossy(&name[2..]))]
        }),
        ("the name twice", &|name| vec![name.clone(), name]),
    ];
    for (what, names) in cases {
        let make = |account: &Account, challenge: &Challenge| {
            let mut presented = right(account, challenge);
            presented.names = names(craft::dns(&challenge.value));
            presented
        };
        failed(&presented(world, make).await?, "tls-alpn-01", what, &WRONG)?;
    }
    Ok(())
}

async fn the_name_is_compared_without_regard_to_case(world: &World) -> Outcome {
    let make = |account: &Account, challenge: &Challenge| {
        Presented::right(
            craft::dns(&challenge.value.to_ascii_uppercase()),
            &challenge.digest(account),
        )
    };
    let object = presented(world, make).await?;
    ensure!(
        object["status"] == "valid",
        "with a name in upper case the authorization is {object}"
    );
    Ok(())
}

async fn with_extensions(world: &World, what: &str, extensions: impl Fn(&[u8; 32]) -> Vec<Vec<u8>>) -> Outcome {
    let make = |account: &Account, challenge: &Challenge| {
        let mut presented = right(account, challenge);
        presented.extensions = extensions(&challenge.digest(account));
        presented
    };
    failed(&presented(world, make).await?, "tls-alpn-01", what, &WRONG).map(drop)
}

async fn a_missing_uncritical_or_wrong_extension_does_not_pass(world: &World) -> Outcome {
    let octets = |content: &[u8]| craft::element(0x04, content);
    with_extensions(world, "no extension", |_| Vec::new()).await?;
    with_extensions(world, "one that is not critical", |digest| {
        vec![craft::acme_identifier(false, &octets(digest))]
    })
    .await?;
    with_extensions(world, "another digest", |_| {
        vec![craft::acme_identifier(true, &octets(&[7; 32]))]
    })
    .await?;
    with_extensions(world, "a short digest", |digest| {
        vec![craft::acme_identifier(true, &octets(&digest[..31]))]
    })
    .await?;
    with_extensions(world, "a long digest", |digest| {
        vec![craft::acme_identifier(true, &octets(&[&digest[..], &[0]].concat()))]
    })
    .await?;
    let draft: pkix::ObjectIdentifier = "1.3.6.1.5.5.7.1.30.1".parse()?;
    with_extensions(world, "the draft's OID", |digest| {
        vec![craft::extension(&draft, true, &octets(digest))]
    })
    .await
}

async fn a_doubled_or_raw_extension_does_not_pass(world: &World) -> Outcome {
    let right = |digest: &[u8; 32]| craft::acme_identifier(true, &craft::element(0x04, digest));
    with_extensions(world, "the extension twice", |digest| {
        vec![right(digest), right(digest)]
    })
    .await?;
    with_extensions(world, "one right and one wrong", |digest| {
        vec![right(digest), right(&[7; 32])]
    })
    .await?;
    with_extensions(world, "a raw digest", |digest| {
        vec![craft::acme_identifier(true, digest)]
    })
    .await?;
    with_extensions(world, "octets behind the digest", |digest| {
        vec![craft::acme_identifier(
            true,
            &[craft::element(0x04, digest), vec![5, 0]].concat(),
        )]
    })
    .await
}

async fn old_tls_does_not_pass(world: &World) -> Outcome {
    world.tls()?;
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.tls()?.serve(&challenge.value, Manner::Tls11);
    let object = world.conclude(&account, &challenge).await?;
    failed(&object, "tls-alpn-01", "TLS 1.1", &["tls", "connection"])?;
    let hellos = world.tls()?.hellos(&challenge.value);
    let old = hellos
        .iter()
        .flat_map(|hello| &hello.versions)
        .any(|version| *version < 0x0303);
    ensure!(!old, "the validator offers versions before TLS 1.2");
    Ok(())
}

async fn an_expired_certificate_passes(world: &World) -> Outcome {
    let make = |account: &Account, challenge: &Challenge| {
        let mut presented = right(account, challenge);
        presented.expired = true;
        presented
    };
    let object = presented(world, make).await?;
    ensure!(
        object["status"] == "valid",
        "with an expired certificate the authorization is {object}"
    );
    Ok(())
}

async fn failures_of_tls_and_network_are_named(world: &World) -> Outcome {
    world.tls()?;
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.tls()?.serve(&challenge.value, Manner::NotTls);
    failed(
        &world.conclude(&account, &challenge).await?,
        "tls-alpn-01",
        "no TLS",
        &["tls"],
    )?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.dns()?.add_a(&challenge.value, &["127.0.0.77"]).await?;
    failed(
        &world.conclude(&account, &challenge).await?,
        "tls-alpn-01",
        "a closed port",
        &["connection"],
    )?;
    let (_, challenge) = world.challenged(&account, "tls-alpn-01").await?;
    world.dns()?.set_servfail(&challenge.value).await?;
    let object = world.conclude(&account, &challenge).await?;
    failed(&object, "tls-alpn-01", "SERVFAIL", &["dns"]).map(drop)
}

async fn international_names_are_a_labels(world: &World) -> Outcome {
    world.tls()?;
    let account = world.account().await?;
    let name = format!("xn--bcher-kva.{}", world.name("idn"));
    let order = world.order(&account, &[&name]).await?;
    let challenge = world
        .challenge(&account, &order.authorizations()[0], "tls-alpn-01")
        .await?;
    world.provision_tls(&account, &challenge)?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    ensure!(!world.tls()?.hellos(&name).is_empty(), "nobody sent {name} as SNI");
    Ok(())
}
