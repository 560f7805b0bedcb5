//! Certificates as they are downloaded (RFC 8555 §7.4.2).

use bytes::Bytes;
use http::Request;
use pkix::certificate::Certificate;

use crate::{World, ensure, fail, not_applicable, test::Outcome};

crate::tests! {
    "8555-7.4.2-1", "0.1-12" => a_chain_is_strict_pem_in_the_sequence_of_signing;
    "8555-7.4.2-2" => alternate_chains_have_the_same_end_entity;
    "8555-7.4.2-3" => an_unknown_accept_gets_the_default_or_406;
    "8555-7.4.2-4" => a_certificate_never_changes;
}

async fn a_chain_is_strict_pem_in_the_sequence_of_signing(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("chain")]).await?;
    let answer = world.read(&account, &issued.url).await?.expect(200)?;
    ensure!(
        answer.content_type() == acme::PEM_CHAIN,
        "the content type is {:?}",
        answer.content_type()
    );
    let pem = String::from_utf8_lossy(&answer.body);
    for line in pem.lines() {
        let boundary = line == "-----BEGIN CERTIFICATE-----" || line == "-----END CERTIFICATE-----";
        let base64 = line
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        ensure!(boundary || base64, "there is something else in the chain: {line:?}");
    }
    ensure!(issued.chain.len() >= 2, "the chain has the end entity alone");
    let chain: Vec<_> = issued
        .chain
        .iter()
        .map(|der| Certificate::parse(der))
        .collect::<Result<_, _>>()?;
    ensure!(!chain[0].is_ca(), "the first certificate is an authority's");
    for pair in chain.windows(2) {
        ensure!(pair[1].is_ca(), "an issuer is no authority");
        ensure!(
            pair[0].issuer() == pair[1].subject(),
            "a certificate is not followed by its issuer"
        );
        pair[0].verify_signed_by(&pair[1].public_key()?)?;
    }
    Ok(())
}

async fn alternate_chains_have_the_same_end_entity(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("alternate")]).await?;
    let alternates = world.read(&account, &issued.url).await?.links("alternate");
    if alternates.is_empty() {
        not_applicable!("there are no alternate chains");
    }
    for alternate in alternates {
        let answer = world.read(&account, &alternate).await?.expect(200)?;
        let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&answer.body))?;
        ensure!(
            chain.first() == issued.chain.first(),
            "{alternate} has another end entity"
        );
    }
    Ok(())
}

async fn an_unknown_accept_gets_the_default_or_406(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("accept")]).await?;
    for accept in [
        "application/x-unknown",
        "text/html, */*;q=0.1",
        "application/pkix-cert",
        "nonsense",
    ] {
        let body = world
            .message(&account, &issued.url, b"")
            .await?
            .sign(&account.key)
            .body();
        let request = Request::post(&issued.url)
            .header("Content-Type", acme::JOSE_JSON)
            .header("Accept", accept)
            .body(Bytes::from(body))?;
        let answer = world.speaker.send(request).await?;
        match answer.status {
            200 if answer.content_type() == acme::PEM_CHAIN => {}
            200 if answer.content_type() == accept => {}
            406 => drop(answer.refused(&[])?),
            status => fail!("with Accept {accept:?}: {status} {:?}", answer.content_type()),
        }
    }
    Ok(())
}

async fn a_certificate_never_changes(world: &World) -> Outcome {
    let account = world.account().await?;
    let name = world.name("again");
    let issued = world.issue(&account, &[&name]).await?;
    let first = world.read(&account, &issued.url).await?.body;
    let renewed = world.issue(&account, &[&name]).await?;
    ensure!(
        renewed.url != issued.url,
        "a renewal has the URL of the certificate before it"
    );
    ensure!(renewed.chain[0] != issued.chain[0], "a renewal is the same certificate");
    let again = world.read(&account, &issued.url).await?.body;
    ensure!(first == again, "the certificate changed");
    Ok(())
}
