//! Certificates as they are downloaded (RFC 8555 §7.4.2).

use bytes::Bytes;
use http::Request;
use pkix::certificate::Certificate;

use crate::{World, answer::Answer, ensure, fail, not_applicable, test::Outcome, world::Account};

crate::tests! {
    "8555-7.4.2-1", "0.1-12" => a_chain_is_strict_pem_in_the_sequence_of_signing;
    "8555-7.4.2-2" => alternate_chains_have_the_same_end_entity;
    "8555-7.4.2-3" => an_unknown_accept_gets_the_default_or_406;
    "8555-7.4.2-3" => a_single_certificate_leads_up_to_its_issuer;
    "8555-7.4.2-3" => other_forms_have_the_same_certificates;
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
    strict_pem(&answer)?;
    ensure!(issued.chain.len() >= 2, "the chain has the end entity alone");
    signed_in_sequence(&issued.chain)
}

fn strict_pem(answer: &Answer) -> Outcome {
    let pem = String::from_utf8_lossy(&answer.body);
    for line in pem.lines() {
        let boundary = line == "-----BEGIN CERTIFICATE-----" || line == "-----END CERTIFICATE-----";
        let base64 = line
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        ensure!(boundary || base64, "there is something else in the chain: {line:?}");
    }
    Ok(())
}

/// The end entity's first, each certified by the next.
fn signed_in_sequence(chain: &[Vec<u8>]) -> Outcome {
    let chain: Vec<_> = chain
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
    let mut chains = vec![issued.chain.clone()];
    for alternate in &alternates {
        let answer = world.read(&account, alternate).await?.expect(200)?;
        strict_pem(&answer)?;
        let chain = pkix::pem::parse_chain(&String::from_utf8_lossy(&answer.body))?;
        ensure!(
            chain.first() == issued.chain.first(),
            "{alternate} has another end entity"
        );
        signed_in_sequence(&chain)?;
        ensure!(!chains.contains(&chain), "{alternate} is a chain that is there already");
        chains.push(chain);
        ensure!(
            !answer.links("alternate").contains(alternate),
            "{alternate} is an alternate of itself"
        );
    }
    let stranger = world.account().await?;
    for alternate in alternates {
        let theirs = world.read(&stranger, &alternate).await?;
        ensure!(!theirs.is_success(), "a stranger reads {alternate}");
        theirs.refused(&["unauthorized", "malformed"])?;
        let object = world.post(&account, &alternate, &serde_json::json!({})).await?;
        object.refused(&["malformed"])?;
    }
    Ok(())
}

/// POST-as-GET with Accept.
async fn read_as(world: &World, account: &Account, url: &str, accept: &str) -> Outcome<Answer> {
    let body = world.message(account, url, b"").await?.sign(&account.key).body();
    let request = Request::post(url)
        .header("Content-Type", acme::JOSE_JSON)
        .header("Accept", accept)
        .body(Bytes::from(body))?;
    world.speaker.send(request).await
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
        let answer = read_as(world, &account, &issued.url, accept).await?;
        match answer.status {
            200 if answer.content_type() == acme::PEM_CHAIN => {}
            200 if answer.content_type() == accept => {}
            406 => drop(answer.refused(&[])?),
            status => fail!("with Accept {accept:?}: {status} {:?}", answer.content_type()),
        }
    }
    Ok(())
}

async fn a_single_certificate_leads_up_to_its_issuer(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("up")]).await?;
    let single = "application/pkix-cert";
    let answer = read_as(world, &account, &issued.url, single).await?;
    if answer.content_type() != single {
        not_applicable!("single certificates are not offered");
    }
    let mut answer = answer.expect(200)?;
    let mut chain = Vec::new();
    loop {
        Certificate::parse(&answer.body)?;
        chain.push(answer.body.to_vec());
        let up = answer.links("up");
        let [next] = &up[..] else {
            ensure!(up.is_empty(), "{} leads up to {up:?}", answer.url);
            break;
        };
        ensure!(chain.len() < 16, "the way up has no end");
        answer = read_as(world, &account, next, single).await?.expect(200)?;
        ensure!(answer.content_type() == single, "{next} is {:?}", answer.content_type());
        let stranger = world.account().await?;
        let theirs = world.read(&stranger, next).await?;
        // An issuer's certificate is no secret.
        if !theirs.is_success() {
            theirs.refused(&["unauthorized", "malformed"])?;
        }
    }
    ensure!(
        chain.first() == issued.chain.first(),
        "the single certificate is not the end entity's"
    );
    ensure!(chain.len() >= 2, "nothing leads up from the end entity's certificate");
    signed_in_sequence(&chain)
}

async fn other_forms_have_the_same_certificates(world: &World) -> Outcome {
    let account = world.account().await?;
    let issued = world.issue(&account, &[&world.name("forms")]).await?;
    let mut seen = 0;
    for accept in [
        "application/pkcs7-mime",
        "application/pkcs7-mime;smime-type=certs-only, application/pem-certificate-chain;q=0.5",
    ] {
        let answer = read_as(world, &account, &issued.url, accept).await?;
        if answer.content_type() != "application/pkcs7-mime" {
            continue;
        }
        let answer = answer.expect(200)?;
        for certificate in &issued.chain {
            let there = answer.body.windows(certificate.len()).any(|part| part == certificate);
            ensure!(there, "a certificate of the chain is not in the CMS message");
        }
        seen += 1;
    }
    let answer = read_as(
        world,
        &account,
        &issued.url,
        "application/pem-certificate-chain, */*;q=0.1",
    )
    .await?;
    ensure!(
        answer.expect(200)?.content_type() == acme::PEM_CHAIN,
        "the default format is not given to whoever asks for it"
    );
    if seen == 0 {
        not_applicable!("there is one form only");
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
