//! Certificate requests, right and wrong (RFC 8555 §7.4).

use pkix::{certificate::Certificate, extension::read_basic_constraints, key::KeyPair, name::GeneralName, oid};
use serde_json::json;

use crate::{
    World,
    craft::{self, dns},
    ensure, fail,
    test::Outcome,
    world::{Account, Order, new_key},
};

crate::tests! {
    "8555-7.4-7" => a_csr_that_cannot_be_read_or_verified_is_bad_and_the_order_stays_ready;
    "8555-7.4-7" => a_finalize_without_a_csr_is_malformed;
    "8555-7.4-8", "T3" => missing_and_surplus_names_are_refused;
    "8555-7.4-8", "T3", "0.1-10" => a_surplus_name_of_any_kind_is_refused;
    "T3" => names_in_odd_places_are_refused;
    "8555-7.4-8", "0.1-9" => a_csr_with_its_name_in_the_common_name_only_is_taken;
    "8555-7.4-9" => a_csr_with_an_account_key_is_refused;
    "8555-7.4-7" => a_csr_with_a_weak_key_is_refused;
    "8555-7.4-10", "T3" => a_request_to_be_an_authority_is_never_granted;
    "0.1-9" => requested_usages_and_constraints_are_ignored;
    "8555-7.4-8", "0.1-10" => the_certificate_has_the_names_and_the_key_that_were_asked_for;
}

/// Demands badCSR and an order that can go on.
async fn bad(world: &World, account: &Account, order: &Order, what: &str, csr: &[u8]) -> Outcome {
    let answer = world.finalize(account, order, csr).await?;
    ensure!(!answer.is_success(), "a CSR with {what} is taken");
    if let Err(verdict) = answer.refused(&["badCSR"]) {
        fail!("a CSR with {what}: {verdict}");
    }
    let order = world.reread(account, order).await?;
    ensure!(
        order.status() == "ready",
        "after a CSR with {what} the order is {}",
        order.body
    );
    Ok(())
}

async fn a_csr_that_cannot_be_read_or_verified_is_bad_and_the_order_stays_ready(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("csr");
    let order = world.ready(&account, &[&name]).await?;
    let (key, other) = (KeyPair::generate_p256(), KeyPair::generate_p256());
    let right = craft::csr_for(&key, &[&name]);
    let mut flipped = right.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 1;
    let request = craft::extension_request(&[craft::alternative_names(&[dns(&name)])]);
    let stolen = craft::csr_of(&other, key.public_key().spki_der(), &craft::subject(&[]), &[request]);
    let cases: [(&str, Vec<u8>); 6] = [
        ("no DER", b"hello".to_vec()),
        ("its end cut off", right[..right.len() - 1].to_vec()),
        ("an octet too many", [&right[..], &[0]].concat()),
        ("a broken signature", flipped),
        ("the signature of another key", stolen),
        ("the shape of a key", key.public_key().spki_der().to_vec()),
    ];
    for (what, csr) in &cases {
        bad(world, &account, &order, what, csr).await?;
    }
    world.complete(&account, order, key, right).await.map(drop)
}

async fn a_finalize_without_a_csr_is_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let order = world.ready(&account, &[&world.name("csr")]).await?;
    for body in [
        json!({}),
        json!({ "csr": null }),
        json!({ "csr": 1 }),
        json!({ "csr": "" }),
        json!([]),
    ] {
        let answer = world.post(&account, order.finalize()?, &body).await?;
        answer.refused(&["malformed", "badCSR"])?;
    }
    let answer = world.read(&account, order.finalize()?).await?;
    // A read of the finalize URL is harmless where it is offered.
    if !answer.is_success() {
        answer.refused(&["malformed", "badCSR"])?;
    }
    Ok(())
}

async fn missing_and_surplus_names_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let (one, two, three) = (world.name("names"), world.name("names"), world.name("names"));
    let order = world.ready(&account, &[&one, &two]).await?;
    let key = KeyPair::generate_p256();
    let cases: [(&str, Vec<u8>); 9] = [
        ("a missing name", craft::csr_for(&key, &[&one])),
        ("a surplus name", craft::csr_for(&key, &[&one, &two, &three])),
        ("no name", craft::csr_for(&key, &[])),
        ("other names", craft::csr_for(&key, &[&three])),
        ("a wildcard instead", craft::csr_for(&key, &[&one, &format!("*.{two}")])),
        (
            "a surplus wildcard",
            craft::csr_for(&key, &[&one, &two, &format!("*.{two}")]),
        ),
        (
            "a common name that is not in the order",
            craft::csr(&key, &[&three], &[dns(&one), dns(&two)]),
        ),
        (
            "a common name that is no name",
            craft::csr(&key, &["not a name"], &[dns(&one), dns(&two)]),
        ),
        (
            "a second common name",
            craft::csr(&key, &[&one, &three], &[dns(&one), dns(&two)]),
        ),
    ];
    for (what, csr) in &cases {
        bad(world, &account, &order, what, csr).await?;
    }
    let csr = craft::csr(&key, &[&two], &[dns(&two), dns(&one)]);
    world.complete(&account, order, key, csr).await.map(drop)
}

async fn a_surplus_name_of_any_kind_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("kinds");
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    let address = [192, 0, 2, 1].into();
    let kinds = [
        ("a mail address", craft::email(&format!("admin@{name}"))),
        ("a URI", craft::uri(&format!("https://{name}/"))),
        ("an address", craft::ip(address)),
        ("an SRVName", craft::other_name(&format!("_imaps.{name}"))),
        ("a directory name", craft::directory_name(&name)),
        ("a registered ID", craft::registered_id()),
        ("an x400Address", craft::exotic(3)),
        ("an ediPartyName", craft::exotic(5)),
        ("a kind that does not exist", craft::exotic(9)),
        ("an address as dNSName", dns("192.0.2.1")),
        ("an empty dNSName", dns("")),
    ];
    for (what, surplus) in kinds {
        bad(
            world,
            &account,
            &order,
            what,
            &craft::csr(&key, &[], &[dns(&name), surplus]),
        )
        .await?;
    }
    let csr = craft::csr_for(&key, &[&name]);
    world.complete(&account, order, key, csr).await.map(drop)
}

async fn names_in_odd_places_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let (name, evil) = (world.name("places"), world.name("evil"));
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    let spki = key.public_key().spki_der();
    let (right, wrong) = (
        craft::alternative_names(&[dns(&name)]),
        craft::alternative_names(&[dns(&evil)]),
    );
    let empty = craft::subject(&[]);
    let of = |attributes: &[Vec<u8>]| craft::csr_of(&key, spki, &empty, attributes);
    let request = |extensions: &[Vec<u8>]| craft::extension_request(extensions);
    let two_values = craft::sequence(&[
        &craft::oid_element(&oid::EXTENSION_REQUEST),
        &craft::set(&[&craft::sequence(&[&right]), &craft::sequence(&[&wrong])]),
    ]);
    let cases = [
        (
            "two extensions of names",
            of(&[request(&[right.clone(), wrong.clone()])]),
        ),
        (
            "two extensions of the same names",
            of(&[request(&[right.clone(), right.clone()])]),
        ),
        (
            "two attributes of extensions",
            of(&[request(std::slice::from_ref(&right)), request(&[wrong])]),
        ),
        ("an attribute with two values", of(&[two_values])),
        ("a trailing dot", craft::csr_for(&key, &[&format!("{name}.")])),
        ("a NUL", craft::csr_for(&key, &[&format!("{name}\0.evil.example")])),
        ("a U-label", craft::csr_for(&key, &[&name, "b\u{fc}cher.example"])),
        ("a space", craft::csr_for(&key, &[&format!(" {name}")])),
        (
            "a common name with a NUL",
            craft::csr(&key, &[&format!("{name}\0evil")], &[dns(&name)]),
        ),
    ];
    for (what, csr) in &cases {
        bad(world, &account, &order, what, csr).await?;
    }
    Ok(())
}

async fn a_csr_with_its_name_in_the_common_name_only_is_taken(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("cn");
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr(&key, &[&name.to_ascii_uppercase()], &[]);
    let issued = world.complete(&account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    ensure!(
        *certificate.names() == [GeneralName::Dns(name)],
        "the names are {:?}",
        certificate.names()
    );
    Ok(())
}

async fn a_csr_with_an_account_key_is_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("key");
    let order = world.ready(&account, &[&name]).await?;
    let Some(key) = craft::key_pair(&account.key) else {
        fail!("the account's key cannot sign a CSR")
    };
    bad(
        world,
        &account,
        &order,
        "the account's key",
        &craft::csr_for(&key, &[&name]),
    )
    .await
}

async fn a_csr_with_a_weak_key_is_refused(world: &World) -> Outcome {
    // The request was signed beforehand, since nothing here makes such keys any more.
    const NAME: &str = "weak-rsa.conformance.example";
    let csr = include_bytes!("../../data/weak-rsa.csr.der");
    let account = world.account_of(new_key()?).await?;
    let order = world.ready(&account, &[NAME]).await?;
    bad(world, &account, &order, "an RSA key of 1024 bits", csr).await
}

async fn a_request_to_be_an_authority_is_never_granted(world: &World) -> Outcome {
    let account = world.account().await?;
    for asked in [craft::certificate_authority(), craft::certificate_signing()] {
        let name = world.name("ca");
        let order = world.ready(&account, &[&name]).await?;
        let key = KeyPair::generate_p256();
        let request = craft::extension_request(&[craft::alternative_names(&[dns(&name)]), asked]);
        let csr = craft::csr_of(&key, key.public_key().spki_der(), &craft::subject(&[]), &[request]);
        let answer = world.finalize(&account, &order, &csr).await?;
        if !answer.is_success() {
            answer.refused(&["badCSR"])?;
            continue;
        }
        let issued = world.collect(&account, order, key, csr).await?;
        let certificate = Certificate::parse(&issued.chain[0])?;
        ensure!(!certificate.is_ca(), "an end entity got a certificate with cA");
        let usage = certificate.extension(&oid::KEY_USAGE);
        let usage = usage
            .map(|usage| pkix::extension::read_key_usage(&usage.value))
            .transpose()?;
        let signs = usage.is_some_and(|usage| usage.contains(pkix::extension::KeyUsage::KEY_CERT_SIGN));
        ensure!(!signs, "an end entity got a certificate with keyCertSign");
    }
    Ok(())
}

async fn requested_usages_and_constraints_are_ignored(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("usages");
    let order = world.ready(&account, &[&name]).await?;
    let key = KeyPair::generate_p256();
    let usages = [oid::SERVER_AUTH, oid::CLIENT_AUTH]
        .map(|usage| craft::oid_element(&usage))
        .concat();
    let unknown: pkix::ObjectIdentifier = "1.3.6.1.4.1.32473.1".parse()?;
    let request = craft::extension_request(&[
        craft::alternative_names(&[dns(&name)]),
        craft::extension(&oid::BASIC_CONSTRAINTS, true, &craft::sequence(&[])),
        craft::extension(&oid::KEY_USAGE, true, &[0x03, 0x02, 0x05, 0xa0]),
        craft::extension(&oid::EXTENDED_KEY_USAGE, false, &craft::element(0x30, &usages)),
        craft::extension(&unknown, false, &[0x05, 0x00]),
    ]);
    let organization = craft::sequence(&[
        &craft::oid_element(&oid::ORGANIZATION),
        &craft::element(0x0c, b"acme.sh"),
    ]);
    let subject = craft::sequence(&[&craft::set(&[&organization])]);
    let csr = craft::csr_of(&key, key.public_key().spki_der(), &subject, &[request]);
    let issued = world.complete(&account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    ensure!(
        certificate.extension(&unknown).is_none(),
        "an unknown extension was copied"
    );
    let constraints = certificate.extension(&oid::BASIC_CONSTRAINTS);
    let constraints = constraints
        .map(|constraints| read_basic_constraints(&constraints.value))
        .transpose()?;
    ensure!(
        !constraints.is_some_and(|constraints| constraints.ca),
        "the certificate has cA"
    );
    let subject = String::from_utf8_lossy(certificate.subject().der()).into_owned();
    ensure!(
        !subject.contains("acme.sh"),
        "an organization that nobody verified was copied"
    );
    Ok(())
}

async fn the_certificate_has_the_names_and_the_key_that_were_asked_for(world: &World) -> Outcome {
    let account = world.account().await?;
    let (one, two) = (world.name("asked"), world.name("asked"));
    let makers = [
        KeyPair::generate_p256 as fn() -> KeyPair,
        KeyPair::generate_p384,
        KeyPair::generate_rsa2048,
    ];
    for make in makers {
        let order = world.ready(&account, &[&one, &two]).await?;
        let key = make();
        let csr = craft::csr_for(&key, &[&two, &one]);
        let issued = world.complete(&account, order, key, csr).await?;
        let certificate = Certificate::parse(&issued.chain[0])?;
        let mut names = certificate.names().to_vec();
        names.sort();
        let mut wanted = vec![GeneralName::Dns(one.clone()), GeneralName::Dns(two.clone())];
        wanted.sort();
        ensure!(names == wanted, "the certificate has the names {names:?}");
        let spki = issued.key.public_key().spki_der();
        ensure!(
            certificate.spki_der() == spki,
            "the certificate has another key than the CSR"
        );
        ensure!(!certificate.is_ca(), "the certificate is an authority's");
    }
    Ok(())
}
